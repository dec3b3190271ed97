from __future__ import annotations

import pytest
import torch

from mskseg.finetuning import losses


def test_dice_loss_is_zero_for_certain_and_right_and_near_one_for_certain_and_wrong():
    target = torch.zeros(10, 10)
    target[:5] = 1
    certain = torch.where(target > 0.5, 50.0, -50.0)
    assert losses.soft_dice_loss(certain, target) == pytest.approx(0, abs=1e-6)
    assert losses.soft_dice_loss(-certain, target) > 0.98
    empty = torch.zeros(10, 10)
    assert losses.soft_dice_loss(torch.full((10, 10), -50.0), empty) == pytest.approx(0, abs=1e-6)


def test_dice_loss_of_half_overlapping_squares_is_one_half():
    first, second = torch.zeros(40, 40), torch.zeros(40, 40)
    first[10:30, 0:20] = 1
    second[10:30, 10:30] = 1
    logits = torch.where(first > 0, 50.0, -50.0)
    assert losses.soft_dice_loss(logits, second) == pytest.approx(0.5, abs=1e-3)


def test_mask_iou_of_two_empty_masks_is_one_and_of_half_overlap_a_third():
    empty = torch.full((1, 2, 4, 4), -1.0)
    assert losses.mask_iou(empty, torch.zeros(1, 8, 8, dtype=torch.bool)).tolist() == [[1, 1]]
    logits, masks = torch.full((1, 1, 1, 6), -1.0), torch.zeros(1, 1, 6, dtype=torch.bool)
    logits[..., :4], masks[..., 2:] = 1, True
    assert losses.mask_iou(logits, masks).item() == pytest.approx(1 / 3)


def test_an_empty_prediction_of_a_thin_band_between_two_coarse_pixels_has_iou_zero():
    """Each coarse pixel is half covered, so that a mask at their resolution would be empty."""
    band = torch.zeros(1, 16, 16, dtype=torch.bool)
    band[:, :, 7:9] = True
    assert losses.mask_iou(torch.full((1, 1, 8, 8), -1.0), band).item() == 0
    around = torch.full((1, 1, 8, 8), -8.0)
    around[..., 3:5] = 1.0
    assert losses.mask_iou(around, band).item() > 0.4


def test_mask_iou_enlarges_as_the_segmenter_does():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, generator=generator)
    masks = torch.rand(2, 32, 32, generator=generator) > 0.5
    large = torch.nn.functional.interpolate(logits, (32, 32), mode="bilinear", align_corners=False)
    for i in range(2):
        for j in range(3):
            both, either = (large[i, j] > 0) & masks[i], (large[i, j] > 0) | masks[i]
            found = losses.mask_iou(logits, masks)[i, j].item()
            assert found == pytest.approx(float(both.sum() / either.sum()))


def test_dice_and_entropy_agrees_with_monai_but_for_its_mean_over_the_batch():
    from monai.losses import DiceCELoss

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 20, 30, generator=generator)
    target = (torch.rand(3, 20, 30, generator=generator) > 0.7).float()
    theirs = DiceCELoss(sigmoid=True, squared_pred=True)(logits[:, None], target[:, None])
    ours = losses.dice_and_entropy(logits, target)
    assert ours.shape == (3,)
    assert float(ours.mean()) == pytest.approx(float(theirs), abs=1e-5)


def test_dice_and_entropy_leaves_out_where_the_weight_is_zero():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 8, 12, generator=generator)
    target = (torch.rand(2, 8, 12, generator=generator) > 0.5).float()
    weight = torch.ones(8, 12)
    weight[:, 9:] = 0
    cropped = losses.dice_and_entropy(logits[..., :9], target[..., :9])
    torch.testing.assert_close(losses.dice_and_entropy(logits, target, weight=weight), cropped)
