from __future__ import annotations

import torch

from mskseg.finetuning.prompt_tokens import PromptTokens
from mskseg.prompts import boxes_from_mask
from mskseg_mini.training.interactive import (
    error_points,
    jittered,
    random_points,
    tight_boxes,
)


def rectangle(x0: int, y0: int, x1: int, y1: int, size: int = 32) -> torch.Tensor:
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, y0:y1, x0:x1] = True
    return mask


def only_token(tokens: PromptTokens) -> tuple[torch.Tensor, torch.Tensor]:
    assert tokens.labels.shape == (1, 1)
    return tokens.coords[0, 0], tokens.labels[0, 0]


def test_tight_boxes_agree_with_the_boxes_users_get():
    mask = rectangle(3, 5, 20, 11)
    (expected,) = boxes_from_mask(mask[0].numpy(), spacing_mm=(1.0, 1.0))
    assert tight_boxes(mask)[0].tolist() == [3, 5, 20, 11] == expected.tolist()


def test_jitter_stays_within_its_bound_and_never_inverts():
    boxes = torch.tensor([[10.0, 10.0, 14.0, 200.0]]).repeat(500, 1)
    generator = torch.Generator().manual_seed(0)
    moved = jittered(boxes, relative=torch.full((500,), 0.5), max_px=7, generator=generator)
    assert (moved[:, 2:] > moved[:, :2]).all()
    assert (moved - boxes).abs().max() <= 7
    assert (moved[:, 1] - boxes[:, 1]).std() > 2


def test_random_points_are_pixel_centres_inside_the_mask():
    mask = rectangle(3, 5, 9, 8).repeat(50, 1, 1)
    tokens = random_points(mask, generator=torch.Generator().manual_seed(0))
    x, y = tokens.coords[:, 0].T
    assert ((x > 3) & (x < 9) & (y > 5) & (y < 8)).all()
    assert torch.equal(x % 1, torch.full_like(x, 0.5))
    assert tokens.labels.tolist() == [[1, -1]] * 50


def test_error_points_are_positive_on_misses_and_negative_on_spills():
    generator = torch.Generator().manual_seed(0)
    reference, prediction = rectangle(4, 4, 12, 12), rectangle(4, 4, 8, 12)
    point, label = only_token(error_points(reference, prediction, generator=generator))
    assert label == 1
    assert 8 < point[0] < 12
    point, label = only_token(error_points(prediction, reference, generator=generator))
    assert label == 0
    assert 8 < point[0] < 12


def test_a_perfect_prediction_is_answered_with_a_point_inside():
    mask = rectangle(4, 4, 8, 8)
    generator = torch.Generator().manual_seed(0)
    point, label = only_token(error_points(mask, mask, generator=generator))
    assert label == 1
    assert point.min() > 4
    assert point.max() < 8
