"""The families of scenes: objects, limbs of touching look-alikes, stacks, joints, sockets, plates.

Coordinates as in `mskseg_mini.scenes.painting`. Which label means what is private to a family; what
counts outside are the groups.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mskseg_mini.scenes.joints import paint_joint, paint_socket
from mskseg_mini.scenes.painting import (
    Blob,
    Draws,
    Grid,
    Painting,
    draw_blob,
    draw_surroundings,
    split_into_cells,
    warped_grid,
)

OBJECTS = 7  # first label of the objects; below are the clutter's, which is never asked for


def paint_objects(draws: Draws) -> Painting:
    """Paint occluding blobs, rings, bands along a rim and nested parts on a clutter."""
    painting, grid = draw_surroundings(draws, air=0.5)
    for k in range(draws.integer(5, 13)):
        _paint_object(draws, painting, grid, first=OBJECTS + 3 * k, group=3 * k)
    painting.outside &= painting.label_maps < OBJECTS
    return painting


def _paint_object(draws: Draws, painting: Painting, grid: Grid, *, first: int, group: int) -> None:
    """Paint a blob, in some scenes with a band along its rim or another part inside."""
    solid, band, inner = first, first + 1, first + 2
    px = draws.px
    centre, radius = draws.position(0.85), draws.log_uniform(4 * px, 90 * px).clamp(max=0.6)
    blob = draw_blob(draws, grid, centre=centre, radius=radius, wobble=0.3)
    thickness = draws.log_uniform(1.8 * px, 8 * px)
    rim = blob.shell(thickness) & (draws.chance(0.3) | blob.sector(draws, low=0.5, high=1.6))
    painting.paint(blob.inside | _arms(draws, grid, blob), solid)
    painting.paint(rim & draws.chance(0.4), band)
    core = blob.rho < draws.uniform(0.3, 0.9)
    painting.paint(core & draws.chance(0.3), inner)
    # Where an inner part exists, `solid` alone is a ring: the whole is asked for more often.
    painting.add_group(group, [solid, inner])
    painting.add_group(group + 1, [band])
    painting.add_group(group + 2, [inner], weight=0.7)
    painting.kin[:, band] = torch.where(draws.chance(0.15)[:, 0, 0], solid, band)


def _arms(draws: Draws, grid: Grid, blob: Blob) -> Tensor:
    """Two arms that bend out of some blobs, so that not every object is convex: (B, S, S) bool."""
    region = torch.zeros_like(blob.inside)
    for _ in range(2):
        angle, bend = draws.uniform(0, 2 * math.pi), draws.uniform(-0.6, 0.6)
        dx, dy = (grid[0] - blob.centre[0]) / blob.radius, (grid[1] - blob.centre[1]) / blob.radius
        along = dx * angle.cos() + dy * angle.sin()
        across = dy * angle.cos() - dx * angle.sin() - bend * along * along
        breadth = draws.uniform(0.15, 0.5) * (1.4 - 0.3 * along).clamp(0.3, 1.4)
        arm = (along > 0) & (along < draws.uniform(1.2, 3.0)) & (across.abs() < breadth)
        region |= arm & draws.chance(0.3)
    return region


def paint_limb(draws: Draws) -> Painting:
    """Paint bodies in air: a rim, inside it touching look-alikes, thin septa and ringed rods."""
    painting, grid = Painting.blank(draws), warped_grid(draws)
    pair = draws.chance(0.4)  # two bodies side by side, one the mirror image of the other
    gap = draws.uniform(0.46, 0.54)
    local = (torch.where(pair, gap - grid[0].abs(), grid[0]), grid[1])
    side = pair & (grid[0] > 0)
    radius = torch.where(pair, draws.uniform(0.3, 0.44), draws.uniform(0.4, 0.9))
    centre = (draws.uniform(-0.05, 0.05), draws.uniform(-0.15, 0.15))
    body = draw_blob(draws, local, centre=centre, radius=radius, elongation=1.5, wobble=0.1)
    rim = draws.log_uniform(0.02, 0.3)
    thicker = 1 + 0.1 * draws.uniform(0, 1) * body.cosine  # the rim, on one side
    fascia = body.inside & (body.rho * thicker < 1 - rim)
    painting.outside = ~body.inside
    painting.paint(body.inside, 1)
    painting.add_group(0, [1])
    shifted = (local[0] - centre[0], local[1] - centre[1])
    spread = radius * (1 - rim)
    hub = (draws.uniform(-0.35, 0.35) * spread, draws.uniform(-0.35, 0.35) * spread)
    bent = _around(shifted, hub, apply=draws.chance(0.35), reach=spread)
    cells = _paint_look_alikes(draws, painting, bent, fascia, side=side, spread=spread)
    _paint_rods(draws, painting, shifted, first=2 + 2 * cells, side=side, reach=radius, hub=hub)
    painting.septum *= painting.label_maps < 2 + 2 * cells
    return painting


def _around(grid: Grid, hub: Grid, *, apply: Tensor, reach: Tensor) -> Grid:
    """Polar coordinates about `hub`, in frame units: cells become crescents that wrap around it."""
    dx, dy = grid[0] - hub[0], grid[1] - hub[1]
    angle, distance = torch.atan2(dy, dx), (dx * dx + dy * dy).sqrt()
    bent = (angle * reach / math.pi, 2 * distance - reach)
    return torch.where(apply, bent[0], grid[0]), torch.where(apply, bent[1], grid[1])


def _paint_look_alikes(
    draws: Draws, painting: Painting, grid: Grid, fascia: Tensor, *, side: Tensor, spread: Tensor
) -> int:
    """Fill `fascia` with touching cells, labels from 2, and return their number in one body."""
    cells, first, px = draws.integer(5, 16), 2, draws.px
    cell, depth = split_into_cells(draws, grid, cells=cells, spread=spread)
    filled = fascia & (depth > draws.uniform(-0.5, 2.2) * px)  # else the rim's label: fat between
    painting.label_maps = torch.where(filled, cell + first + cells * side, painting.label_maps)
    width = draws.log_uniform(0.4 * px, 2.5 * px)
    painting.septum = torch.exp(-((depth / width) ** 2)) * fascia
    labels = slice(first, first + 2 * cells)
    for k in range(2 * cells):
        painting.add_group(1 + k, [first + k])
    alike = draws.chance(0.85)[:, 0]
    painting.kin[:, labels] = torch.where(alike, first, painting.kin[:, labels])
    return cells


def _paint_rods(
    draws: Draws,
    painting: Painting,
    grid: Grid,
    *,
    first: int,
    side: Tensor,
    reach: Tensor,
    hub: Grid,
) -> None:
    """Paint rods in shells, with labels of their own in each body, the first at `hub`."""
    for k in range(draws.integer(1, 3)):
        cortex, marrow = first + 4 * k, first + 4 * k + 2  # one more of each for the second body
        place = (draws.uniform(-0.6, 0.6) * reach, draws.uniform(-0.6, 0.6) * reach)
        centre, radius = place if k else hub, draws.log_uniform(0.04, 0.35) * reach
        rod = draw_blob(draws, grid, centre=centre, radius=radius, elongation=1.6)
        core = rod.rho < draws.uniform(0.55, 1.05)
        inside = rod.inside & ~painting.outside
        for other in range(2):
            here = inside & (side == bool(other))
            painting.paint(here, cortex + other)
            painting.paint(here & core, marrow + other)
            index = first - 1 + 6 * k + 3 * other
            painting.add_group(index, [cortex + other, marrow + other], weight=2.0)
            painting.add_group(index + 1, [marrow + other])
            painting.add_group(index + 2, [cortex + other], weight=0.3)
        painting.kin[:, cortex + 1], painting.kin[:, marrow + 1] = cortex, marrow


BLOCKS, PLATES, TUBE, CORE, PARTS = 9, 21, 33, 34, 35  # first labels of a stack


def paint_stack(draws: Draws) -> Painting:
    """Paint a bent column of blocks with thin plates between, a tube beside it, clutter around."""
    painting, grid = Painting.blank(draws), warped_grid(draws)
    cells, spread = draws.integer(3, 8), draws.uniform(0.8, 1.3)
    clutter, depth = split_into_cells(draws, grid, cells=cells, spread=spread)
    painting.label_maps += clutter + 1
    painting.septum = torch.exp(-((depth / draws.uniform(0.002, 0.02)) ** 2)) * draws.chance(0.5)
    tilt = draws.uniform(-0.6, 0.6) + math.pi / 2 * draws.chance(0.15)
    x = grid[0] * tilt.cos() + grid[1] * tilt.sin() - draws.uniform(-0.4, 0.4)
    y = grid[1] * tilt.cos() - grid[0] * tilt.sin()
    x = x - draws.uniform(-0.3, 0.3) * (y + draws.uniform(-0.5, 0.5)) ** 2
    period = draws.uniform(0.2, 0.75)
    column, half = _paint_column(draws, painting, (x, y), period=period)
    _paint_tube(draws, painting, x, half=half)
    for k in range(draws.integer(2, 6)):  # parts that lie beside or behind the column
        radius, centre = draws.log_uniform(0.04, 0.25), draws.position(0.9)
        part = draw_blob(draws, grid, centre=centre, radius=radius)
        painting.paint(part.inside & ~column, PARTS + k)
        painting.add_group(26 + k, [PARTS + k])
    painting.septum *= painting.label_maps < BLOCKS
    return painting


def _paint_column(
    draws: Draws, painting: Painting, axes: Grid, *, period: Tensor
) -> tuple[Tensor, Tensor]:
    """Paint blocks and plates along the second axis; return where they are and their half width."""
    x, y = axes
    s = (y + draws.uniform(0, 1) * period) / period
    index = torch.floor(s) % 12
    phase, share = s - torch.floor(s), draws.uniform(0.6, 0.85)
    half = period * draws.uniform(0.35, 0.75)
    v = (phase / share - 0.5) * 2  # -1..1 along a block
    waist = 1 - draws.uniform(0, 0.2) * (1 - v * v)
    power = torch.where(draws.chance(0.7), 8.0, 4.0)
    block = ((x / (half * waist)).abs() ** power + v.abs() ** power) < 1
    w = ((phase - share) / (1 - share) - 0.5) * 2  # -1..1 along a plate
    slack = draws.uniform(0.9, 1.35)
    plate = (x.abs() / (half * draws.uniform(0.85, 1.1))) ** 4 + (w / slack).abs() ** 4 < 1
    plate = plate & (phase > share)
    painting.label_maps = torch.where(plate, (PLATES + index).long(), painting.label_maps)
    painting.label_maps = torch.where(block, (BLOCKS + index).long(), painting.label_maps)
    for k in range(24):
        painting.add_group(k, [BLOCKS + k])
    painting.kin[:, BLOCKS:PLATES] = BLOCKS
    painting.kin[:, PLATES:TUBE] = PLATES
    return block | plate, half


def _paint_tube(draws: Draws, painting: Painting, x: Tensor, *, half: Tensor) -> None:
    """Paint a tube with a core along the column, just outside its half width."""
    offset, breadth = draws.uniform(1.05, 1.4) * half, draws.uniform(0.05, 0.25)
    across = x - offset
    painting.paint((across > 0) & (across < breadth), TUBE)
    painting.paint(((across - breadth / 2).abs() < breadth * 0.25) & draws.chance(0.6), CORE)
    painting.add_group(24, [TUBE, CORE])
    painting.add_group(25, [CORE], weight=0.5)


# Vertebrae, discs, the kneecap and the cartilage on a flat bone cover nine tenths of their box. The
# other families fill two thirds of theirs; a model trained on those alone shrinks what fills it.
PLATE, MOST_PLATES = 7, 16  # first label, below are the clutter's; each may bear one layer


def paint_plates(draws: Draws) -> Painting:
    """Paint blocks that lie along the frame's axes, some with a thin layer on one side."""
    painting, grid = draw_surroundings(draws, air=0.5)
    alike = draws.chance(0.4)[:, 0, 0]
    for k in range(draws.integer(8, MOST_PLATES)):
        block, layer = PLATE + 2 * k, PLATE + 2 * k + 1
        _paint_plate(draws, painting, grid, labels=(block, layer), group=2 * k)
        painting.kin[:, block] = torch.where(alike, PLATE, block)
    return painting


def _paint_plate(
    draws: Draws, painting: Painting, grid: Grid, *, labels: tuple[int, int], group: int
) -> None:
    block, layer = labels
    px = draws.px
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


FAMILIES: dict[str, Callable[[Draws], Painting]] = {
    "objects": paint_objects,
    "limb": paint_limb,
    "stack": paint_stack,
    "joint": paint_joint,
    "socket": paint_socket,
    "plates": paint_plates,
}
