"""The three parts, and what prompts become: against `segment_anything` itself."""

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
    prompt_tokens,
)

SHAPE = (100, 200)


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
    assert table["dense_part_varies"].to_dict() == {
        "point": False,
        "box": False,
        "both": False,
        "mask": True,
    }


def test_no_prompt_is_refused(segmenter):
    with pytest.raises(InputError, match="expected a prompt, got none"):
        prompt_tokens(segmenter, SHAPE, Prompt())
