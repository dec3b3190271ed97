"""Simulated prompts in batches, on the device that trains (after Kirillov 2023, section 3 and A).

`mskseg.prompts` does the same for one mask with NumPy; here it is thousands a second.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mskseg.finetuning.prompt_tokens import (
    CORNER_MAX,
    CORNER_MIN,
    NEGATIVE,
    PADDING,
    POSITIVE,
    PromptTokens,
)


def tight_boxes(masks: Tensor) -> Tensor:
    """Boxes (N, 4) float32, half-open continuous x0, y0, x1, y1, of masks (N, H, W) bool.

    An empty mask gives the whole frame.
    """
    height, width = masks.shape[1:]
    columns, rows = masks.any(1), masks.any(2)
    x0, y0 = columns.int().argmax(1), rows.int().argmax(1)
    x1 = width - columns.flip(1).int().argmax(1)
    y1 = height - rows.flip(1).int().argmax(1)
    return torch.stack([x0, y0, x1, y1], dim=1).float()


def jittered(
    boxes: Tensor, *, relative: Tensor, max_px: float, generator: torch.Generator
) -> Tensor:
    """Move every side by normal noise of `relative` (N,) of the box's length, at most `max_px`."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    noise = torch.randn(boxes.shape, generator=generator, device=boxes.device)
    shift = (noise * relative[:, None] * sides).clamp(-max_px, max_px)
    # A side moves at most a third of the way to its opposite, so that no box inverts.
    return boxes + torch.minimum(torch.maximum(shift, -sides / 3), sides / 3)


def box_tokens(boxes: Tensor) -> PromptTokens:
    """Two corner tokens for each box (N, 4).

    SAM is given inclusive pixel indices and adds half a pixel, so a half-open box is embedded half
    a pixel inside its corners: (x0 + 0.5, y0 + 0.5) and (x1 - 0.5, y1 - 0.5).
    """
    inset = boxes + torch.tensor([0.5, 0.5, -0.5, -0.5], device=boxes.device)
    labels = torch.tensor([CORNER_MIN, CORNER_MAX], device=boxes.device)
    return PromptTokens(inset.view(-1, 2, 2), labels.expand(len(boxes), 2))


def random_points(
    masks: Tensor, *, generator: torch.Generator, central: float = 0.5
) -> PromptTokens:
    """Draw a positive point in each mask (N, H, W); its tokens are the point and a padding token.

    With probability `central` a point prefers the middle of its mask, as a person would click.
    """
    point = _draw_pixel(_preferring_middles(masks, central, generator), generator)
    coords = torch.stack([point, torch.zeros_like(point)], dim=1)
    labels = torch.tensor([POSITIVE, PADDING], device=masks.device)
    return PromptTokens(coords, labels.expand(len(masks), 2))


def boxes_or_points(boxed: Tensor, boxes: PromptTokens, points: PromptTokens) -> PromptTokens:
    """Take the box of each prompt where `boxed` (N,) is true, and else its point."""
    coords = torch.where(boxed[:, None, None], boxes.coords, points.coords)
    return PromptTokens(coords, torch.where(boxed[:, None], boxes.labels, points.labels))


def error_points(masks: Tensor, predictions: Tensor, *, generator: torch.Generator) -> PromptTokens:
    """Draw a point where prediction and mask (N, H, W) differ: one token each.

    Positive where the prediction misses the object, negative where it spills over; a positive point
    in the mask where there is no error. Half of them prefer the middle of what is wrong.
    """
    wrong = masks != predictions
    wrong = torch.where(wrong.flatten(1).any(1)[:, None, None], wrong, masks)
    point = _draw_pixel(_preferring_middles(wrong, 0.5, generator), generator)
    column, row = point.long().unbind(1)
    index = torch.arange(len(masks), device=masks.device)
    labels = torch.where(masks[index, row, column], POSITIVE, NEGATIVE)
    return PromptTokens(point[:, None], labels[:, None])


def _preferring_middles(regions: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Weights (N, H, W) of the pixels: even, or with probability `share` largest in the middle."""
    inside = regions.float()
    # Share of the region nearby, at a quarter of the resolution: a blur of every pixel is slow.
    coarse = functional.avg_pool2d(inside[:, None], 4)
    nearby = functional.avg_pool2d(coarse, 5, 1, 2)
    depth = functional.interpolate(nearby, size=regions.shape[1:])[:, 0] * inside
    depth = depth / depth.amax((1, 2), keepdim=True).clamp_min(1e-6)
    prefer = torch.rand(len(regions), 1, 1, generator=generator, device=regions.device) < share
    return torch.where(prefer, depth**8, inside)


def _draw_pixel(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Centre (x, y) of a pixel drawn from (N, H, W) weights, as (N, 2) float32."""
    width = weights.shape[2]
    flat = weights.flatten(1) + 1e-12  # an empty mask still gives a pixel
    index = torch.multinomial(flat, 1, generator=generator)[:, 0]
    return torch.stack([index % width, index // width], dim=1).float() + 0.5
