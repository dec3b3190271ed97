"""What the pretraining's losses are made of, at the decoder's resolution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def shrink_masks(masks: Tensor, size: int) -> Tensor:
    """Masks (N, H, W) bool as the covered share (N, size, size) float32 of each coarse pixel.

    Area averaging keeps pixel edges where they are; sampling would shift the mask by half a pixel.
    """
    return functional.adaptive_avg_pool2d(masks.float()[:, None], size)[:, 0]


def regional_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor, *, positive_weight: float = 1.0
) -> Tensor:
    """Cross-entropy averaged with `weight` over (..., h, w) -> (...).

    The weight is 1 near the object and small far away, where most pixels are and nothing is to be
    learned; `positive_weight` says how much more a missed object pixel costs than a spilled one.
    """
    factor = torch.tensor(positive_weight, device=logits.device)
    loss = functional.binary_cross_entropy_with_logits(
        logits, target.expand_as(logits), pos_weight=factor, reduction="none"
    )
    return (loss * weight).sum((-2, -1)) / weight.sum((-2, -1))


def box_region(boxes_xyxy: Tensor, size: int, *, scale: float, outside: float = 0.05) -> Tensor:
    """Weights (N, size, size): 1 in boxes grown by a third of their sides and 4 pixels.

    Boxes (N, 4) are in pixels of the frame, which are `scale` coarse pixels each; elsewhere the
    weight is `outside`.
    """
    centres = (torch.arange(size, device=boxes_xyxy.device) + 0.5) / scale
    margin = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 3 + 4
    low, high = boxes_xyxy[:, :2] - margin, boxes_xyxy[:, 2:] + margin
    near_x = (centres > low[:, :1]) & (centres < high[:, :1])
    near_y = (centres > low[:, 1:]) & (centres < high[:, 1:])
    return torch.where(near_y[:, :, None] & near_x[:, None, :], 1.0, outside)
