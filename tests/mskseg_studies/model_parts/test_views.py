"""What `model_view` shows is what the encoder is given."""

from __future__ import annotations

import numpy as np
import pytest

import mskseg
from mskseg.errors import InputError
from mskseg_studies.model_parts.views import embedding_colours, embedding_likeness, model_view


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


def test_likeness_is_highest_where_the_point_is(segmenter):
    image = np.zeros((60, 120), dtype=np.uint8)
    image[10:50, 20:50] = 200
    embedding = segmenter.embed(image)
    likeness = embedding_likeness(embedding, (35.0, 30.0), segmenter=segmenter)
    assert likeness.shape == (16, 32)  # the padding below the slice is left out
    assert np.unravel_index(likeness.argmax(), likeness.shape) == (8, 9)
    assert likeness.max() == pytest.approx(1, abs=1e-5)


def test_colours_cover_the_slice_and_differ_where_the_image_does(segmenter):
    image = np.zeros((60, 120), dtype=np.uint8)
    image[10:50, 20:50] = 200
    colours = embedding_colours(segmenter.embed(image), segmenter=segmenter)
    assert colours.shape == (16, 32, 3)
    assert 0 <= colours.min() <= colours.max() <= 1
    assert np.abs(colours[8, 9] - colours[8, 25]).max() > 0.1


def test_a_point_outside_the_slice_has_no_cell(segmenter):
    embedding = segmenter.embed(np.zeros((60, 120), dtype=np.uint8))
    with pytest.raises(InputError, match="outside"):
        embedding_likeness(embedding, (10.0, 80.0), segmenter=segmenter)
