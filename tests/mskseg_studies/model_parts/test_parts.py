"""The parts of a model and the encoder in pictures; prompts against `segment_anything` itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mskseg
from mskseg.errors import InputError
from mskseg.prompts import Prompt
from mskseg_studies.model_parts.parts import (
    count_parameters,
    describe_prompts,
    embedding_colours,
    embedding_likeness,
    model_view,
    prompt_tokens,
)

SHAPE = (100, 200)
TALL = np.tile(np.arange(60, dtype=np.uint8)[:, None] * 4, (1, 30))


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


def test_the_parts_hold_all_parameters(segmenter):
    table = count_parameters(segmenter)
    assert table["parameters"].sum() == sum(p.numel() for p in segmenter.model.parameters())
    assert table["share"].sum() == pytest.approx(1)


def test_tokens_are_those_of_the_prompt_encoder(segmenter):
    sparse, dense = prompt_tokens(segmenter, SHAPE, Prompt(np.array([[20.0, 30.0, 120.0, 90.0]])))
    corners = np.array([20, 30, 120, 90]) * 256 / 200 - [0, 0, 1, 1]  # inclusive indices
    with torch.inference_mode():
        expected = segmenter.model.prompt_encoder(
            points=None, boxes=torch.tensor(corners[None], dtype=torch.float32), masks=None
        )
    np.testing.assert_allclose(sparse, expected[0].numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(dense, expected[1].numpy())


def test_points_alone_get_a_token_of_padding_and_a_mask_changes_the_dense_part(segmenter):
    point, inside = np.array([[[20.0, 30.0]]]), np.array([[1]])
    box = np.array([[1.0, 2.0, 30.0, 40.0]])
    prompts = {
        "point": Prompt(None, point, inside),
        "box": Prompt(box),
        "both": Prompt(box, point, inside),
        "mask": Prompt(None, point, inside, np.eye(128, dtype=np.float32)[None]),
    }
    table = describe_prompts(segmenter, SHAPE, prompts).set_index("prompt")
    assert table["tokens"].to_dict() == {"point": 2, "box": 2, "both": 3, "mask": 2}
    everywhere = "the same everywhere"
    parts = {"point": everywhere, "box": everywhere, "both": everywhere, "mask": "by place"}
    assert table["dense part"].to_dict() == parts


def test_no_prompt_is_refused(segmenter):
    with pytest.raises(InputError, match="expected a prompt, got none"):
        prompt_tokens(segmenter, SHAPE, Prompt())


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
