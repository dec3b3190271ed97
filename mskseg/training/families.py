"""The families of scenes: occluding objects, limbs of touching look-alikes, stacks.

Coordinates as in `mskseg.training.shapes`. Which label means what is private to a family; what
counts outside are the groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mskseg.training.shapes import Draws, Painting, draw_blob, split_into_cells, warped_grid


def paint_objects(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Paint occluding blobs, rings, bands along a rim and nested parts on a clutter."""
    draws = Draws(count, generator)
    painting = Painting.blank(count, size=size, device=draws.device)
    grid = warped_grid(draws, size)
    clutter, _ = split_into_cells(
        draws, grid, cells=draws.integer(2, 6), spread=draws.uniform(0.8, 1.4)
    )
    painting.label_maps += clutter + 1  # background regions: labels 1..6, never asked for
    body = draw_blob(
        draws,
        grid,
        centre=(draws.uniform(-0.2, 0.2), draws.uniform(-0.2, 0.2)),
        radius=draws.uniform(0.7, 1.1),
        wobble=0.08,
        elongation=1.6,
    )
    painting.outside = ~body.inside & draws.chance(0.5)
    px = 2 / size
    for k in range(draws.integer(5, 13)):
        solid, band, inner = 7 + 3 * k, 8 + 3 * k, 9 + 3 * k
        blob = draw_blob(
            draws,
            grid,
            centre=(draws.uniform(-0.85, 0.85), draws.uniform(-0.85, 0.85)),
            radius=draws.log_uniform(4 * px, 90 * px).clamp(max=0.6),
            wobble=0.3,
        )
        thickness = draws.log_uniform(1.8 * px, 8 * px)
        rim = blob.shell(thickness) & (draws.chance(0.3) | blob.sector(draws, low=0.5, high=1.6))
        painting.paint(blob.inside, solid)
        painting.paint(rim & draws.chance(0.4), band)
        core = blob.rho < draws.uniform(0.3, 0.9)
        painting.paint(core & draws.chance(0.3), inner)
        painting.outside &= ~blob.inside
        # Where an inner part exists, `solid` alone is a ring: the whole is asked for more often.
        painting.add_group(3 * k, [solid, inner])
        painting.add_group(3 * k + 1, [band])
        painting.add_group(3 * k + 2, [inner], weight=0.7)
        painting.kin[:, band] = torch.where(draws.chance(0.15)[:, 0, 0], solid, band)
    return painting


def paint_limb(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Paint bodies in air: a rim, inside it touching look-alikes, thin septa and ringed rods."""
    draws = Draws(count, generator)
    painting = Painting.blank(count, size=size, device=draws.device)
    grid = warped_grid(draws, size)
    pair = draws.chance(
        0.4
    )  # two bodies side by side, the second a mirror image with other details
    gap = draws.uniform(0.46, 0.54)
    mirrored = torch.where(pair, gap - grid[0].abs(), grid[0])
    local = (mirrored, grid[1])
    side = pair & (grid[0] > 0)
    radius = torch.where(pair, draws.uniform(0.3, 0.44), draws.uniform(0.4, 0.9))
    centre = (draws.uniform(-0.05, 0.05), draws.uniform(-0.15, 0.15))
    body = draw_blob(draws, local, centre=centre, radius=radius, elongation=1.5, wobble=0.1)
    rim = draws.log_uniform(0.02, 0.3)
    fascia = body.rho * (1 + 0.1 * draws.uniform(0, 1) * body.cosine) < 1 - rim
    cells = draws.integer(5, 16)
    shifted = (local[0] - centre[0], local[1] - centre[1])
    cell, depth = split_into_cells(draws, shifted, cells=cells, spread=radius * (1 - rim))
    rim_label, first = 1, 2
    painting.outside = ~body.inside
    painting.paint(body.inside, rim_label)
    muscle = cell + first + cells * side
    px = 2 / size
    filled = fascia & (depth > draws.uniform(-0.5, 2.2) * px)  # else the rim's label: fat between
    painting.label_maps = torch.where(filled, muscle, painting.label_maps)
    width = draws.log_uniform(0.4 * px, 2.5 * px)
    painting.septum = torch.exp(-((depth / width) ** 2)) * fascia
    painting.add_group(0, [rim_label], weight=0.5)
    for k in range(2 * cells):
        painting.add_group(1 + k, [first + k])
    lookalike = draws.chance(0.85)[:, 0]
    muscles = painting.kin[:, first : first + 2 * cells]
    painting.kin[:, first : first + 2 * cells] = torch.where(lookalike, first, muscles)
    rods = {"first": first + 2 * cells, "group": 1 + 2 * cells}
    _paint_rods(draws, painting, local, side=side, reach=radius, **rods)
    painting.septum *= painting.label_maps < first + 2 * cells
    return painting


def _paint_rods(
    draws: Draws,
    painting: Painting,
    grid: tuple[Tensor, Tensor],
    *,
    first: int,
    group: int,
    side: Tensor,
    reach: Tensor,
) -> None:
    for k in range(draws.integer(1, 3)):
        cortex, marrow = first + 4 * k, first + 4 * k + 2  # one more of each for the second body
        rod = draw_blob(
            draws,
            grid,
            centre=(draws.uniform(-0.6, 0.6) * reach, draws.uniform(-0.6, 0.6) * reach),
            radius=draws.log_uniform(0.04, 0.35) * reach,
            elongation=1.6,
        )
        core = rod.rho < draws.uniform(0.55, 1.05)
        inside = rod.inside & ~painting.outside
        for other in range(2):
            here = inside & (side == bool(other))
            painting.paint(here, cortex + other)
            painting.paint(here & core, marrow + other)
            index = group + 6 * k + 3 * other
            painting.add_group(index, [cortex + other, marrow + other], weight=2.0)
            painting.add_group(index + 1, [marrow + other])
            painting.add_group(index + 2, [cortex + other], weight=0.3)
        painting.kin[:, cortex + 1], painting.kin[:, marrow + 1] = cortex, marrow


def paint_stack(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Paint a bent column of blocks with thin plates between, a tube beside it, clutter around."""
    draws = Draws(count, generator)
    painting = Painting.blank(count, size=size, device=draws.device)
    grid = warped_grid(draws, size)
    clutter, depth = split_into_cells(
        draws, grid, cells=draws.integer(3, 8), spread=draws.uniform(0.8, 1.3)
    )
    painting.label_maps += clutter + 1
    painting.septum = torch.exp(-((depth / draws.uniform(0.002, 0.02)) ** 2)) * draws.chance(0.5)
    tilt = draws.uniform(-0.6, 0.6) + math.pi / 2 * draws.chance(0.15)
    x = grid[0] * tilt.cos() + grid[1] * tilt.sin() - draws.uniform(-0.4, 0.4)
    y = grid[1] * tilt.cos() - grid[0] * tilt.sin()
    x = x - draws.uniform(-0.3, 0.3) * (y + draws.uniform(-0.5, 0.5)) ** 2
    period = draws.uniform(0.2, 0.75)
    s = (y + draws.uniform(0, 1) * period) / period
    index = torch.floor(s) % 12
    phase, share = s - torch.floor(s), draws.uniform(0.6, 0.85)
    half = period * draws.uniform(0.35, 0.75)
    v = (phase / share - 0.5) * 2  # -1..1 along a block
    waist = 1 - draws.uniform(0, 0.2) * (1 - v * v)
    u = x / (half * waist)
    power = torch.where(draws.chance(0.7), 8.0, 4.0)
    block = (u.abs() ** power + v.abs() ** power) < 1
    w = ((phase - share) / (1 - share) - 0.5) * 2
    slack = draws.uniform(0.9, 1.35)
    plate = (x.abs() / (half * draws.uniform(0.85, 1.1))) ** 4 + (w / slack).abs() ** 4 < 1
    plate = plate & (phase > share)
    blocks, plates, tube, core = 9, 21, 33, 34
    painting.label_maps = torch.where(plate, (plates + index).long(), painting.label_maps)
    painting.label_maps = torch.where(block, (blocks + index).long(), painting.label_maps)
    offset, breadth = draws.uniform(1.05, 1.4) * half, draws.uniform(0.05, 0.18)
    across = x - offset
    painting.paint((across > 0) & (across < breadth), tube)
    painting.paint(((across - breadth / 2).abs() < breadth * 0.25) & draws.chance(0.6), core)
    for k in range(24):
        painting.add_group(k, [blocks + k])
    painting.add_group(24, [tube, core], weight=0.5)
    painting.add_group(25, [core], weight=0.5)
    painting.kin[:, blocks:plates] = blocks
    painting.kin[:, plates:tube] = plates
    for k in range(draws.integer(2, 6)):  # parts that hang behind the column
        radius = draws.log_uniform(0.04, 0.25)
        part = draw_blob(
            draws,
            grid,
            centre=(draws.uniform(-0.9, 0.9), draws.uniform(-0.9, 0.9)),
            radius=radius,
        )
        painting.paint(part.inside & ~block & ~plate, 35 + k)
        painting.add_group(26 + k, [35 + k])
    painting.septum *= painting.label_maps < blocks
    return painting


FAMILIES: dict[str, Callable[..., Painting]] = {
    "objects": paint_objects,
    "limb": paint_limb,
    "stack": paint_stack,
}
