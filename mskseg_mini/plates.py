"""The family of plates: blocks and thin plates that fill their box, many of them in layers.

Vertebrae, discs, the kneecap and the cartilage on a flat bone cover nine tenths of their box; the
other families fill two thirds of theirs, and a model trained on those alone shrinks what fills its
box. Coordinates as in `mskseg_mini.shapes`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mskseg_mini.shapes import Draws, Grid, Painting, draw_surroundings

BLOCKS, MOST_BLOCKS = 7, 16  # first label, below are the clutter's; each block may bear one layer


def paint_plates(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Paint blocks that lie along the frame's axes, some with a thin layer on one side."""
    draws = Draws(count, generator)
    painting, grid = draw_surroundings(draws, size=size, air=0.5)
    alike = draws.chance(0.4)[:, 0, 0]
    for k in range(draws.integer(8, MOST_BLOCKS)):
        block, layer = BLOCKS + 2 * k, BLOCKS + 2 * k + 1
        _paint_block(draws, painting, grid, labels=(block, layer), group=2 * k)
        painting.kin[:, block] = torch.where(alike, BLOCKS, block)
    return painting


def _paint_block(
    draws: Draws, painting: Painting, grid: Grid, *, labels: tuple[int, int], group: int
) -> None:
    block, layer = labels
    px = 2 / grid[0].shape[-1]
    half = (draws.log_uniform(2 * px, 50 * px), draws.log_uniform(2 * px, 50 * px))
    # Few lie askew: a tilted plate leaves corners of its box empty, as those of other families do.
    tilt = draws.uniform(-1, 1) ** 3 * 0.5
    dx = grid[0] - draws.uniform(-0.85, 0.85)
    dy = grid[1] - draws.uniform(-0.85, 0.85)
    u = (dx * tilt.cos() + dy * tilt.sin()) / half[0]
    v = (dy * tilt.cos() - dx * tilt.sin()) / half[1]
    v = v + draws.uniform(-0.12, 0.12) * u * u
    inside = _superellipse(u, v, draws.log_uniform(3, 12))
    side = torch.where(draws.chance(0.5), 1.0, -1.0)
    thickness = draws.log_uniform(1 * px, 4 * px) / half[1]  # half of it
    beside = _superellipse(u, (v - side * (1 + thickness)) / thickness, draws.log_uniform(3, 12))
    beside &= draws.chance(0.4)
    painting.paint(beside, layer)
    painting.paint(inside, block)
    painting.outside &= ~(inside | beside)
    painting.add_group(group, [block])
    painting.add_group(group + 1, [layer])


def _superellipse(u: Tensor, v: Tensor, power: Tensor) -> Tensor:
    return u.abs() ** power + v.abs() ** power < 1
