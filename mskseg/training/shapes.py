"""Paint random label maps: families of shapes for `mskseg.training.scenes`.

All coordinates are centred on the frame and in units of half its side: x and y run from -1 to 1.
Every function works on a batch; (B,) tensors are drawn for each scene anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MAX_LABELS = 64
MAX_GROUPS = 64


@dataclass
class Painting:
    """Label maps under construction.

    Attributes
    ----------
    label_maps : (B, S, S) int64
        0 is background.
    groups : (B, G, L) bool
        Which labels form which object.
    weights : (B, G) float32
        How often each object is asked for, before its visible size is known.
    kin : (B, L) int64
        Labels with the same number look alike (same mean intensity and texture).
    septum : (B, S, S) float32
        0..1, how much of a pixel belongs to a thin wall between touching neighbours.
    outside : (B, S, S) bool
        Pixels outside the body: air.
    """

    label_maps: Tensor
    groups: Tensor
    weights: Tensor
    kin: Tensor
    septum: Tensor
    outside: Tensor

    @classmethod
    def blank(cls, count: int, *, size: int, device: torch.device) -> Painting:
        """An empty painting of `count` scenes."""
        frame = (count, size, size)
        return cls(
            label_maps=torch.zeros(frame, dtype=torch.int64, device=device),
            groups=torch.zeros((count, MAX_GROUPS, MAX_LABELS), dtype=torch.bool, device=device),
            weights=torch.zeros((count, MAX_GROUPS), device=device),
            kin=torch.arange(MAX_LABELS, device=device).repeat(count, 1),
            septum=torch.zeros(frame, device=device),
            outside=torch.zeros(frame, dtype=torch.bool, device=device),
        )

    @classmethod
    def joined(cls, paintings: list[Painting]) -> Painting:
        """One painting with the scenes of all."""
        fields = cls.__dataclass_fields__
        return cls(**{f: torch.cat([getattr(p, f) for p in paintings]) for f in fields})

    def paint(self, region: Tensor, label: int) -> None:
        """Put `label` on `region` (B, S, S) bool, over what is there."""
        self.label_maps.masked_fill_(region, label)

    def add_group(self, index: int, labels: list[int], *, weight: float | Tensor = 1.0) -> None:
        """Let `labels` together be object `index` of every scene."""
        self.groups[:, index, labels] = True
        self.weights[:, index] = weight


class Dice:
    """Random numbers for a batch of scenes, all from one generator."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator
        self.device = generator.device

    def uniform(self, low: float, high: float) -> Tensor:
        """(B, 1, 1) from a uniform distribution."""
        draw = torch.rand(self.count, 1, 1, generator=self.generator, device=self.device)
        return low + (high - low) * draw

    def log_uniform(self, low: float, high: float) -> Tensor:
        """(B, 1, 1) whose logarithm is uniform: small values are as likely as large ones."""
        return self.uniform(math.log(low), math.log(high)).exp()

    def chance(self, probability: float) -> Tensor:
        """(B, 1, 1) bool, true with `probability`."""
        return self.uniform(0, 1) < probability

    def integer(self, low: int, high: int) -> int:
        """One whole number in low..high (inclusive) for the whole batch."""
        draw = torch.randint(
            low, high + 1, (1,), generator=self.generator, device=self.device
        )
        return int(draw)

    def smooth_field(self, size: int, *, cells: int) -> Tensor:
        """(B, S, S) smooth noise of unit variance at the nodes, `cells` bumps along a side."""
        shape = (self.count, 1, cells + 3, cells + 3)
        coarse = torch.randn(shape, generator=self.generator, device=self.device)
        fine = functional.interpolate(
            coarse, size=(size, size), mode="bicubic", align_corners=True
        )
        return fine[:, 0]


def warped_grid(dice: Dice, size: int) -> tuple[Tensor, Tensor]:
    """x and y of every pixel (B, S, S), bent by a smooth random field."""
    axis = (torch.arange(size, device=dice.device) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    amount, ripple = dice.uniform(0.0, 0.08), dice.uniform(0.0, 0.012)
    dx = amount * dice.smooth_field(size, cells=3) + ripple * dice.smooth_field(size, cells=16)
    dy = amount * dice.smooth_field(size, cells=3) + ripple * dice.smooth_field(size, cells=16)
    return x + dx, y + dy


@dataclass(frozen=True)
class Blob:
    """A rotated superellipse with a wobbling outline: `rho` is below 1 inside."""

    rho: Tensor  # (B, S, S) relative radius
    cosine: Tensor  # (B, S, S) direction from the centre in the blob's own axes
    sine: Tensor
    radius: Tensor  # (B, 1, 1) mean semi-axis

    @property
    def inside(self) -> Tensor:
        """(B, S, S) bool."""
        return self.rho < 1

    def shell(self, thickness: Tensor) -> Tensor:
        """(B, S, S) bool: the layer of `thickness` (frame units) just outside the outline."""
        return (self.rho >= 1) & (self.rho < 1 + thickness / self.radius)

    def sector(self, dice: Dice, *, low: float, high: float) -> Tensor:
        """(B, S, S) bool: a random sector of directions, `low`..`high` radians to each side."""
        angle, half = dice.uniform(0, 2 * math.pi), dice.uniform(low, high)
        return self.cosine * angle.cos() + self.sine * angle.sin() > half.cos()


def draw_blob(
    dice: Dice,
    grid: tuple[Tensor, Tensor],
    *,
    centre: tuple[Tensor, Tensor],
    radius: Tensor,
    elongation: float = 2.5,
    wobble: float = 0.15,
) -> Blob:
    """A random blob around `centre` with mean semi-axis `radius`."""
    angle = dice.uniform(0, math.pi)
    ratio = dice.log_uniform(1.0, elongation).sqrt()
    dx, dy = grid[0] - centre[0], grid[1] - centre[1]
    u = (dx * angle.cos() + dy * angle.sin()) / (radius * ratio)
    v = (dy * angle.cos() - dx * angle.sin()) / (radius / ratio)
    u2, v2 = u * u, v * v
    round_radius = (u2 + v2).sqrt().clamp_min(1e-4)
    # Three outlines: an ellipse, a rounded rectangle (fourth powers), a diamond (sum of absolutes).
    boxy = (u2 * u2 + v2 * v2).sqrt().sqrt()
    kind = dice.uniform(0, 1)
    rho = torch.where(kind < 0.6, round_radius, boxy)
    rho = torch.where(kind > 0.9, (u.abs() + v.abs()) * 0.8, rho)
    c, s = u / round_radius, v / round_radius
    c2, s2 = c * c - s * s, 2 * c * s
    waves = dice.uniform(-1, 1) * c2 + dice.uniform(-1, 1) * s2
    waves = waves + dice.uniform(-1, 1) * (c * c2 - s * s2) + dice.uniform(-1, 1) * (s * c2 + c * s2)
    waves = waves + dice.uniform(-0.6, 0.6) * (c2 * c2 - s2 * s2)
    outline = 1 + wobble * dice.uniform(0, 1) * waves
    return Blob(rho / outline.clamp_min(0.3), c, s, radius)


def split_into_cells(
    dice: Dice, grid: tuple[Tensor, Tensor], *, cells: int, spread: Tensor
) -> tuple[Tensor, Tensor]:
    """Partition the plane into `cells` touching, rounded regions (a warped weighted Voronoi map).

    Returns
    -------
    cell : (B, S, S) int64
        0 .. cells-1.
    gap : (B, S, S) float
        About the distance to the nearest border, frame units.
    """
    shape = (dice.count, cells, 1, 1)
    draw = torch.rand((4, *shape), generator=dice.generator, device=dice.device)
    golden = torch.arange(cells, device=dice.device).view(1, -1, 1, 1)
    # A sunflower lattice keeps the cells of similar size; the jitter makes them differ.
    radius = spread[:, None] * ((golden + 0.5) / cells).sqrt() * (0.75 + 0.5 * draw[0])
    angle = golden * 2.39996 + 6.2832 * draw[1, :, :1] + 0.6 * draw[1]
    sx, sy = radius * angle.cos(), radius * angle.sin()
    stretch, tilt = 1 + 0.8 * draw[2], 6.2832 * draw[3]
    best = torch.full_like(grid[0], math.inf)
    second, cell = best.clone(), torch.zeros_like(grid[0], dtype=torch.int64)
    for k in range(cells):
        dx, dy = grid[0] - sx[:, k], grid[1] - sy[:, k]
        along = dx * tilt[:, k].cos() + dy * tilt[:, k].sin()
        distance = (dx * dx + dy * dy + (stretch[:, k] ** 2 - 1) * along * along).sqrt()
        closer = distance < best
        second = torch.where(closer, best, torch.minimum(second, distance))
        cell = torch.where(closer, k, cell)
        best = torch.where(closer, distance, best)
    return cell, (second - best) * 0.5


def paint_objects(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Occluding blobs, rings, bands along a rim and nested parts on a cluttered background."""
    dice = Dice(count, generator)
    painting = Painting.blank(count, size=size, device=dice.device)
    grid = warped_grid(dice, size)
    clutter, _ = split_into_cells(dice, grid, cells=dice.integer(2, 6), spread=dice.uniform(0.8, 1.4))
    painting.label_maps += clutter + 1  # background regions: labels 1..6, never asked for
    body = draw_blob(
        dice,
        grid,
        centre=(dice.uniform(-0.2, 0.2), dice.uniform(-0.2, 0.2)),
        radius=dice.uniform(0.7, 1.1),
        wobble=0.08,
        elongation=1.6,
    )
    painting.outside = ~body.inside & dice.chance(0.5)
    px = 2 / size
    for k in range(dice.integer(5, 13)):
        solid, band, inner = 7 + 3 * k, 8 + 3 * k, 9 + 3 * k
        blob = draw_blob(
            dice,
            grid,
            centre=(dice.uniform(-0.85, 0.85), dice.uniform(-0.85, 0.85)),
            radius=dice.log_uniform(4 * px, 90 * px).clamp(max=0.6),
            wobble=0.3,
        )
        thickness = dice.log_uniform(1.8 * px, 8 * px)
        rim = blob.shell(thickness) & (dice.chance(0.3) | blob.sector(dice, low=0.5, high=1.6))
        painting.paint(blob.inside, solid)
        painting.paint(rim & dice.chance(0.4), band)
        core = blob.rho < dice.uniform(0.3, 0.9)
        painting.paint(core & dice.chance(0.3), inner)
        painting.outside &= ~blob.inside
        # Where an inner part exists, `solid` alone is a ring: the whole is asked for more often.
        painting.add_group(3 * k, [solid, inner])
        painting.add_group(3 * k + 1, [band])
        painting.add_group(3 * k + 2, [inner], weight=0.7)
        painting.kin[:, band] = torch.where(dice.chance(0.15)[:, 0, 0], solid, band)
    return painting


def paint_limb(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """Bodies in air with a rim, filled with touching look-alikes, thin septa and ringed rods."""
    dice = Dice(count, generator)
    painting = Painting.blank(count, size=size, device=dice.device)
    grid = warped_grid(dice, size)
    pair = dice.chance(0.4)  # two bodies side by side, the second a mirror image with other details
    gap = dice.uniform(0.46, 0.54)
    mirrored = torch.where(pair, gap - grid[0].abs(), grid[0])
    local = (mirrored, grid[1])
    side = pair & (grid[0] > 0)
    radius = torch.where(pair, dice.uniform(0.3, 0.44), dice.uniform(0.4, 0.9))
    centre = (dice.uniform(-0.05, 0.05), dice.uniform(-0.15, 0.15))
    body = draw_blob(dice, local, centre=centre, radius=radius, elongation=1.5, wobble=0.1)
    rim = dice.log_uniform(0.02, 0.3)
    fascia = body.rho * (1 + 0.1 * dice.uniform(0, 1) * body.cosine) < 1 - rim
    cells = dice.integer(5, 16)
    shifted = (local[0] - centre[0], local[1] - centre[1])
    cell, depth = split_into_cells(dice, shifted, cells=cells, spread=radius * (1 - rim))
    rim_label, first = 1, 2
    painting.outside = ~body.inside
    painting.paint(body.inside, rim_label)
    muscle = cell + first + cells * side
    px = 2 / size
    filled = fascia & (depth > dice.uniform(-0.5, 2.2) * px)  # else the rim's label: fat between
    painting.label_maps = torch.where(filled, muscle, painting.label_maps)
    width = dice.log_uniform(0.4 * px, 2.5 * px)
    painting.septum = torch.exp(-((depth / width) ** 2)) * fascia
    painting.add_group(0, [rim_label], weight=0.5)
    for k in range(2 * cells):
        painting.add_group(1 + k, [first + k])
    lookalike = dice.chance(0.85)[:, 0]
    muscles = painting.kin[:, first : first + 2 * cells]
    painting.kin[:, first : first + 2 * cells] = torch.where(lookalike, first, muscles)
    _paint_rods(dice, painting, local, first=first + 2 * cells, group=1 + 2 * cells, reach=radius)
    painting.septum *= painting.label_maps < first + 2 * cells
    return painting


def _paint_rods(
    dice: Dice,
    painting: Painting,
    grid: tuple[Tensor, Tensor],
    *,
    first: int,
    group: int,
    reach: Tensor,
) -> None:
    for k in range(dice.integer(1, 4)):
        cortex, marrow = first + 2 * k, first + 2 * k + 1
        rod = draw_blob(
            dice,
            grid,
            centre=(dice.uniform(-0.6, 0.6) * reach, dice.uniform(-0.6, 0.6) * reach),
            radius=dice.log_uniform(0.04, 0.35) * reach,
            elongation=1.6,
        )
        core = rod.rho < dice.uniform(0.55, 1.05)
        painting.paint(rod.inside & ~painting.outside, cortex)
        painting.paint(core & rod.inside & ~painting.outside, marrow)
        painting.add_group(group + 3 * k, [cortex, marrow], weight=2.0)
        painting.add_group(group + 3 * k + 1, [marrow])
        painting.add_group(group + 3 * k + 2, [cortex], weight=0.3)


def paint_stack(count: int, *, size: int, generator: torch.Generator) -> Painting:
    """A bent column of repeated blocks with thin plates between, a tube beside it, clutter around."""
    dice = Dice(count, generator)
    painting = Painting.blank(count, size=size, device=dice.device)
    grid = warped_grid(dice, size)
    clutter, depth = split_into_cells(
        dice, grid, cells=dice.integer(3, 8), spread=dice.uniform(0.8, 1.3)
    )
    painting.label_maps += clutter + 1
    painting.septum = torch.exp(-((depth / dice.uniform(0.002, 0.02)) ** 2)) * dice.chance(0.5)
    tilt = dice.uniform(-0.6, 0.6) + math.pi / 2 * dice.chance(0.15)
    x = grid[0] * tilt.cos() + grid[1] * tilt.sin() - dice.uniform(-0.4, 0.4)
    y = grid[1] * tilt.cos() - grid[0] * tilt.sin()
    x = x - dice.uniform(-0.3, 0.3) * (y + dice.uniform(-0.5, 0.5)) ** 2
    period = dice.uniform(0.2, 0.75)
    s = (y + dice.uniform(0, 1) * period) / period
    index = torch.floor(s) % 12
    phase, share = s - torch.floor(s), dice.uniform(0.6, 0.85)
    half = period * dice.uniform(0.35, 0.75)
    v = (phase / share - 0.5) * 2  # -1..1 along a block
    waist = 1 - dice.uniform(0, 0.2) * (1 - v * v)
    u = x / (half * waist)
    power = torch.where(dice.chance(0.7), 8.0, 4.0)
    block = (u.abs() ** power + v.abs() ** power) < 1
    w = ((phase - share) / (1 - share) - 0.5) * 2
    slack = dice.uniform(0.9, 1.35)
    plate = (x.abs() / (half * dice.uniform(0.85, 1.1))) ** 4 + (w / slack).abs() ** 4 < 1
    plate = plate & (phase > share)
    blocks, plates, tube, core = 9, 21, 33, 34
    painting.label_maps = torch.where(plate, (plates + index).long(), painting.label_maps)
    painting.label_maps = torch.where(block, (blocks + index).long(), painting.label_maps)
    offset, breadth = dice.uniform(1.05, 1.4) * half, dice.uniform(0.05, 0.18)
    across = x - offset
    painting.paint((across > 0) & (across < breadth), tube)
    painting.paint(((across - breadth / 2).abs() < breadth * 0.25) & dice.chance(0.6), core)
    for k in range(24):
        painting.add_group(k, [blocks + k])
    painting.add_group(24, [tube, core], weight=0.5)
    painting.add_group(25, [core], weight=0.5)
    painting.kin[:, blocks:plates] = blocks
    painting.kin[:, plates:tube] = plates
    for k in range(dice.integer(2, 6)):  # parts that hang behind the column
        radius = dice.log_uniform(0.04, 0.25)
        part = draw_blob(
            dice,
            grid,
            centre=(dice.uniform(-0.9, 0.9), dice.uniform(-0.9, 0.9)),
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
