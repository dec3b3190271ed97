"""Losses on mask logits at the decoder's resolution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def shrink_masks(masks: Tensor, size: int) -> Tensor:
    """Masks (N, H, W) bool as the covered share (N, size, size) float32 of each coarse pixel.

    Area averaging keeps pixel edges where they are; sampling would shift the mask by half a pixel.
    """
    return functional.adaptive_avg_pool2d(masks.float()[:, None], size)[:, 0]


def soft_dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice of sigmoid(logits) and target, each (..., h, w) -> (...).

    One pixel is added to both sides of the ratio, so that empty against empty costs nothing.
    """
    probability = logits.sigmoid()
    overlap = (probability * target).sum((-2, -1))
    total = probability.sum((-2, -1)) + target.sum((-2, -1))
    return 1 - (2 * overlap + 1) / (total + 1)


def dice_and_entropy(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, focal: bool = False
) -> Tensor:
    """Unweighted soft Dice (squared) + cross-entropy, each (N, h, w) -> (N,).

    As MedSAM's published training script computes it, over all pixels.

    Parameters
    ----------
    logits, target : (N, h, w) float
        The target is 0 or 1, or the share of a pixel that the mask covers.
    weight : (N, h, w) or (h, w) float, optional
        How much each pixel counts, in both terms; 0 leaves it out.
    focal : bool
        Lin et al. 2017 in place of the cross-entropy: its terms times (1 - p)^2, p being the
        probability of what is right, so that pixels that are right already count little.
    """
    weight = torch.ones_like(logits[0]) if weight is None else weight
    probability = logits.sigmoid()
    overlap = (weight * probability * target).sum((-2, -1))
    total = (weight * (probability.square() + target.square())).sum((-2, -1))
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if focal:
        right = probability * target + (1 - probability) * (1 - target)
        terms = terms * (1 - right).square()
    entropy = (weight * terms).sum((-2, -1)) / weight.sum((-2, -1))
    return 1 - (2 * overlap + 1e-5) / (total + 1e-5) + entropy


def regional_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor, *, positive_weight: float = 1.0
) -> Tensor:
    """Cross-entropy averaged with `weight` over (..., h, w) -> (...).

    Parameters
    ----------
    weight : (..., h, w)
        1 near the object and small far away, where most pixels are and nothing is to be learned.
    positive_weight : float
        How much more a missed object pixel costs than a spilled one.
    """
    factor = torch.tensor(positive_weight, device=logits.device)
    loss = functional.binary_cross_entropy_with_logits(
        logits, target.expand_as(logits), pos_weight=factor, reduction="none"
    )
    return (loss * weight).sum((-2, -1)) / weight.sum((-2, -1))


def box_region(boxes_xyxy: Tensor, size: int, *, scale: float, outside: float = 0.05) -> Tensor:
    """Weights (N, size, size): 1 in boxes grown by a third of their sides and 4 pixels.

    Parameters
    ----------
    boxes_xyxy : (N, 4)
        In pixels of the frame.
    scale : float
        Coarse pixels per frame pixel.
    outside : float
        Weight elsewhere.
    """
    centres = (torch.arange(size, device=boxes_xyxy.device) + 0.5) / scale
    margin = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 3 + 4
    low, high = boxes_xyxy[:, :2] - margin, boxes_xyxy[:, 2:] + margin
    near_x = (centres > low[:, :1]) & (centres < high[:, :1])
    near_y = (centres > low[:, 1:]) & (centres < high[:, 1:])
    return torch.where(near_y[:, :, None] & near_x[:, None, :], 1.0, outside)


def mask_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """IoU of masks (N, H, W) bool with logits (N, M, h, w), enlarged as SAM does: (N, M) float32.

    At the frame's resolution, since half of what a band of two pixels covers is lost at the
    decoder's. Two empty masks give 1.
    """
    size = masks.shape[-2:]
    prediction = functional.interpolate(logits.detach(), size, mode="bilinear") > 0
    union = (prediction | masks[:, None]).sum((-2, -1))
    overlap = (prediction & masks[:, None]).sum((-2, -1))
    return torch.where(union > 0, overlap / union.clamp_min(1), 1.0)
