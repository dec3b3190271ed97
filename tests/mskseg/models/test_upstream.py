"""How `segment_anything` is imported: without torchvision, and still whole for its own users."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mskseg.environment import EnvironmentMismatchError
from mskseg_networks import lite_medsam

WHOLE = """
import sys
import mskseg
mskseg.load_segmenter("sam_vit_mini")
from mskseg.models.upstream import Sam
assert not {"torchvision", "torch._dynamo"} & set(sys.modules), "imported for nothing"
import segment_anything
assert segment_anything.modeling.Sam is Sam
from segment_anything import SamPredictor, build_sam, sam_model_registry
assert build_sam is sam_model_registry["default"]
assert SamPredictor.__init__.__annotations__["sam_model"] is Sam
"""


def test_the_networks_come_without_torchvision_and_the_package_is_whole_when_it_is_asked():
    subprocess.run([sys.executable, "-c", WHOLE], check=True, timeout=300)


def test_a_broken_pair_is_explained_where_torchvision_is_needed(monkeypatch):
    """Simulated: importing torchvision fails the way it does beside a CPU-only torch."""
    nms = "operator torchvision::nms does not exist"

    class Broken:
        def find_spec(self, name, *_):
            if name == "torchvision":
                raise RuntimeError(nms)

    for name in list(sys.modules):
        if name.split(".")[0] == "torchvision":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(EnvironmentMismatchError, match=f"do not fit.*{nms}.*constraints") as caught:
        lite_medsam.build_lite_medsam()
    assert "\n" not in str(caught.value)
