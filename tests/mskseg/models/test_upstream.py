"""A torch and torchvision that do not fit each other: one clear sentence."""

from __future__ import annotations

import importlib
import sys

import pytest

from mskseg.errors import MsksegError

NMS = "operator torchvision::nms does not exist"


def test_a_broken_pair_is_explained_where_segment_anything_is_imported(monkeypatch):
    """Simulated: importing torchvision fails the way it does beside a CPU-only torch."""

    class Broken:
        def find_spec(self, name, *_):
            if name == "torchvision":
                raise RuntimeError(NMS)

    for name in list(sys.modules):
        if name.split(".")[0] in ("torchvision", "segment_anything") or name.endswith(".upstream"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(MsksegError, match=f"do not fit.*{NMS}.*constraints") as caught:
        importlib.import_module("mskseg.models.upstream")
    assert "\n" not in str(caught.value)
