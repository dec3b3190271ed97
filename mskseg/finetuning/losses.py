"""Losses on mask logits at the decoder's resolution, and the targets that they compare with.

**Targets** are exact. The decoder gives a grid of h x w cells over the model's square frame of
S x S pixels, of which the slice takes up a part (SAM: padded) or all (MedSAM: squashed). A cell
(row r, column c) therefore covers, of the slice, the rectangle from r S/h · H/H' to
(r + 1) S/h · H/H' and the same across, where H' is the height that the slice takes up in the frame.
A target is the share of that rectangle which the mask covers: nothing shifts by half a pixel, and
thin cartilage is neither lost nor widened.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mskseg.models.preprocessing import Preprocessing


def cell_shares(
    cells: int, pixels: int, *, frame: int, taken: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give, along one axis, each pixel's share of the cells' part on the slice, and that part."""
    edges = np.arange(cells + 1) * (frame / cells) * (pixels / taken)
    low, high = edges[:-1, None], edges[1:, None]
    start = np.arange(pixels)[None]
    overlap = np.clip(np.minimum(high, start + 1) - np.maximum(low, start), 0, None)
    covered = overlap.sum(1)
    shares = overlap / np.maximum(covered, 1e-12)[:, None]
    inside = np.clip(covered / (high - low)[:, 0], 0, 1)
    return shares.astype(np.float32), inside.astype(np.float32)


def targets_in_frame(
    masks: Tensor, *, preprocessing: Preprocessing, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Give the share of each of the decoder's cells that masks (N, H, W) cover, and the slice."""
    height, width = masks.shape[1:]
    taken = preprocessing.input_size((height, width))
    down, inside_y = cell_shares(size[0], height, frame=preprocessing.image_size, taken=taken[0])
    across, inside_x = cell_shares(size[1], width, frame=preprocessing.image_size, taken=taken[1])
    rows, columns = (torch.from_numpy(shares).to(masks.device) for shares in (down, across))
    targets = rows @ (masks.float() @ columns.T)
    inside = torch.from_numpy(np.outer(inside_y, inside_x)).to(masks.device)
    return targets, inside


def soft_dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice of sigmoid(logits) and target, (..., h, w) -> (...); empty against empty costs 0."""
    probability = logits.sigmoid()
    overlap = (probability * target).sum((-2, -1))
    total = probability.sum((-2, -1)) + target.sum((-2, -1))
    return 1 - (2 * overlap + 1) / (total + 1)


def dice_and_entropy(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Unweighted soft Dice (squared) + cross-entropy, (N, h, w) -> (N,), as MedSAM's own script.

    `weight` is how much each pixel counts.
    """
    weight = torch.ones_like(logits[0]) if weight is None else weight
    probability = logits.sigmoid()
    overlap = (weight * probability * target).sum((-2, -1))
    total = (weight * (probability.square() + target.square())).sum((-2, -1))
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (weight * terms).sum((-2, -1)) / weight.sum((-2, -1))
    return 1 - (2 * overlap + 1e-5) / (total + 1e-5) + entropy


def mask_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """IoU of masks (N, H, W) with logits (N, M, h, w), enlarged as SAM does; 1 if both empty."""
    size = masks.shape[-2:]
    prediction = functional.interpolate(logits.detach(), size, mode="bilinear") > 0
    union = (prediction | masks[:, None]).sum((-2, -1))
    overlap = (prediction & masks[:, None]).sum((-2, -1))
    return torch.where(union > 0, overlap / union.clamp_min(1), 1.0)
