"""The parts of the pretraining's losses."""

from __future__ import annotations

import pytest
import torch

from mskseg_mini.training import losses


def test_shrinking_a_mask_keeps_its_edges_in_place():
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[:, 2:5, 3:8] = True
    expected = torch.zeros(4, 4)
    expected[1, 1], expected[1, 2:] = 0.5, 1.0
    expected[2, 1], expected[2, 2:] = 0.25, 0.5
    assert torch.equal(losses.shrink_masks(masks, 4)[0], expected)


def test_shrinking_commutes_with_flipping():
    masks = torch.rand(2, 16, 16) > 0.5
    flipped = losses.shrink_masks(masks.flip(2), 8)
    assert torch.equal(flipped, losses.shrink_masks(masks, 8).flip(2))


def test_cross_entropy_forgets_pixels_of_weight_zero():
    logits = torch.randn(1, 6, 6)
    target = (torch.rand(1, 6, 6) > 0.5).float()
    weight = torch.zeros(1, 6, 6)
    weight[:, :3] = 1
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, :3], target[:, :3])
    assert losses.regional_cross_entropy(logits, target, weight)[0] == pytest.approx(
        float(expected)
    )


def test_box_region_grows_the_box_on_all_sides_alike():
    region = losses.box_region(torch.tensor([[24.0, 12.0, 40.0, 52.0]]), 32, scale=0.5)[0] == 1
    assert torch.equal(region, region.flip(1))  # the box is centred in the 64-pixel frame
    assert torch.equal(region, region.flip(0))
    columns = region.any(0).nonzero()
    margin = 16 / 3 + 4
    assert float(columns.min()) * 2 + 1 > 24 - margin > float(columns.min()) * 2 - 1
