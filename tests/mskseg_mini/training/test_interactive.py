"""What an interactive step is made of: images, windows, and the loss of three masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mskseg.finetuning.prompt_tokens import embed_tokens
from mskseg_mini.architecture import build_sam_mini
from mskseg_mini.scenes import random_scenes
from mskseg_mini.training.interactive import (
    MAX_SHIFT_PX,
    TrainingTargets,
    Window,
    box_region,
    box_tokens,
    draw_targets,
    encoder_input,
    mask_and_iou_loss,
    regional_cross_entropy,
    shrink_masks,
    tight_boxes,
)


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return build_sam_mini()


def drawn(box_share: float, seed: int = 0) -> TrainingTargets:
    generator = torch.Generator().manual_seed(seed)
    scenes = random_scenes(4, generator=generator, size=128)
    return draw_targets(scenes, per_scene=6, box_share=box_share, low_res=64, generator=generator)


def test_images_are_standardised_and_zero_in_their_padding(sam):
    scenes = random_scenes(6, generator=torch.Generator().manual_seed(1), size=96, padded_share=1.0)
    images = encoder_input(sam, scenes)
    padding = scenes.padding[:, None].expand_as(images)
    assert (images[padding] == 0).all()
    expected = (scenes.images[:, None] - sam.pixel_mean) / sam.pixel_std
    assert torch.equal(images[~padding], expected[~padding])


def test_a_window_sees_the_places_that_the_whole_frame_has(sam):
    window = Window(column=5, row=9)
    whole = sam.prompt_encoder.get_dense_pe()
    cut = window.cut(whole, 16)
    assert torch.equal(cut[0, :, 0, 0], whole[0, :, 9, 5])
    assert torch.equal(cut[0, :, 15, 15], whole[0, :, 24, 20])
    boxes = torch.tensor([[10.0, 20.0, 60.0, 50.0]])
    moved = boxes + 8 * torch.tensor([5.0, 9.0, 5.0, 9.0])
    here = embed_tokens(sam.prompt_encoder, window.to_frame(box_tokens(boxes)))
    there = embed_tokens(sam.prompt_encoder, box_tokens(moved))
    torch.testing.assert_close(here, there)


def test_boxes_are_as_sloppy_as_sams_and_stay_in_the_frame():
    targets = drawn(box_share=1.0)
    corners = targets.tokens.coords.flatten(1) + torch.tensor([-0.5, -0.5, 0.5, 0.5])
    off = (corners - tight_boxes(targets.masks)).abs()
    assert 0 < off.max() <= MAX_SHIFT_PX + 1e-4
    assert corners.min() >= 0
    assert corners.max() <= 128


def test_points_lie_in_their_objects_and_targets_are_the_covered_shares():
    targets = drawn(box_share=0.0)
    x, y = targets.tokens.coords[:, 0].long().T
    assert targets.masks[torch.arange(len(x)), y, x].all()
    areas = targets.masks.flatten(1).sum(1)
    torch.testing.assert_close(targets.target.flatten(1).sum(1) * 4, areas.float())


def test_the_best_of_three_masks_counts_for_a_point_and_the_first_mask_for_a_box():
    targets = drawn(box_share=1.0)[0:2]
    right = torch.where(targets.target > 0.5, 20.0, -20.0)
    logits = torch.stack([-right, -right, right, -right], dim=1)
    ambiguous = torch.tensor([True, False])
    loss, best = mask_and_iou_loss(logits, torch.zeros(2, 4), targets, ambiguous=ambiguous)
    assert best.tolist() == [2, 0]
    point, box = (
        mask_and_iou_loss(
            logits[i : i + 1],
            torch.zeros(1, 4),
            targets[i : i + 1],
            ambiguous=ambiguous[i : i + 1],
        )[0]
        for i in range(2)
    )
    assert float(point) < float(box)  # the point's mask is right, the box's is wrong
    assert float(loss) == pytest.approx(float(point + box) / 2, rel=1e-5)


def test_the_predicted_iou_costs_nothing_where_it_is_right():
    targets = drawn(box_share=1.0)[0:1]
    empty = replace(targets, masks=torch.zeros_like(targets.masks))
    logits = torch.full((1, 4, 64, 64), -20.0)
    none = torch.zeros(1, dtype=torch.bool)
    wrong, right = (
        float(mask_and_iou_loss(logits, torch.full((1, 4), iou), empty, ambiguous=none)[0])
        for iou in (0.0, 1.0)
    )
    assert wrong - right == pytest.approx(1.0, abs=1e-5)  # both empty: IoU 1


def test_shrinking_a_mask_keeps_its_edges_in_place():
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[:, 2:5, 3:8] = True
    expected = torch.zeros(4, 4)
    expected[1, 1], expected[1, 2:] = 0.5, 1.0
    expected[2, 1], expected[2, 2:] = 0.25, 0.5
    assert torch.equal(shrink_masks(masks, 4)[0], expected)


def test_shrinking_commutes_with_flipping():
    masks = torch.rand(2, 16, 16) > 0.5
    flipped = shrink_masks(masks.flip(2), 8)
    assert torch.equal(flipped, shrink_masks(masks, 8).flip(2))


def test_cross_entropy_forgets_pixels_of_weight_zero():
    logits = torch.randn(1, 6, 6)
    target = (torch.rand(1, 6, 6) > 0.5).float()
    weight = torch.zeros(1, 6, 6)
    weight[:, :3] = 1
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, :3], target[:, :3])
    assert regional_cross_entropy(logits, target, weight)[0] == pytest.approx(float(expected))


def test_box_region_grows_the_box_on_all_sides_alike():
    region = box_region(torch.tensor([[24.0, 12.0, 40.0, 52.0]]), 32, scale=0.5)[0] == 1
    assert torch.equal(region, region.flip(1))  # the box is centred in the 64-pixel frame
    assert torch.equal(region, region.flip(0))
    columns = region.any(0).nonzero()
    margin = 16 / 3 + 4
    assert float(columns.min()) * 2 + 1 > 24 - margin > float(columns.min()) * 2 - 1
