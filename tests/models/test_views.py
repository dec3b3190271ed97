"""What `model_view` shows is what the encoder is given."""

from __future__ import annotations

import numpy as np
import pytest

import mskseg
from mskseg.errors import InputError
from mskseg.models.views import model_view


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


TALL = np.tile(np.arange(60, dtype=np.uint8)[:, None] * 4, (1, 30))


def test_sam_pads_on_the_right_and_keeps_the_proportions(segmenter):
    view = model_view(TALL, segmenter=segmenter, kind="sam")
    assert view.shape == (256, 256)
    assert not view[:, 128:].any()
    assert view[:, :128].std() > 0.5


def test_medsam_fills_the_frame_from_zero_to_one(segmenter):
    view = model_view(TALL, segmenter=segmenter, kind="medsam")
    assert (view.min(), view.max()) == pytest.approx((0, 1), abs=1e-6)
    assert np.ptp(view[128]) == pytest.approx(0, abs=1e-6)  # rows are constant, the whole way


def test_an_unknown_kind_is_refused(segmenter):
    with pytest.raises(InputError, match="unknown kind 'dino'; choose one of"):
        model_view(TALL, segmenter=segmenter, kind="dino")
