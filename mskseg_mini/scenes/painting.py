"""What random label maps are painted with: a canvas, chance, blobs and touching cells.

All coordinates are centred on the frame and in units of half its side: x and y run from -1 to 1.
Every function works on a batch; (B,) tensors are drawn for each scene anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Grid = tuple[Tensor, Tensor]  # x and y of every pixel, (B, S, S) each

MAX_LABELS = 64
MAX_GROUPS = 64


@dataclass
class Painting:
    """Label maps under construction."""

    label_maps: Tensor  # (B, S, S) int64, 0 is background
    groups: Tensor  # (B, G, L) bool, which labels form which object
    weights: Tensor  # (B, G) float32, how often to ask for each object, before its size is known
    kin: Tensor  # (B, L) int64; labels of the same number look alike (mean intensity and texture)
    septum: Tensor  # (B, S, S) float32 0..1, share of a thin wall between touching neighbours
    outside: Tensor  # (B, S, S) bool, pixels outside the body: air

    @classmethod
    def blank(cls, draws: Draws) -> Painting:
        """Start an empty painting of all scenes."""
        count, device = draws.count, draws.device
        frame = (count, draws.size, draws.size)
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
        """Join the scenes of all."""
        fields = cls.__dataclass_fields__
        return cls(**{f: torch.cat([getattr(p, f) for p in paintings]) for f in fields})

    def paint(self, region: Tensor, label: int) -> None:
        """Put `label` on `region` (B, S, S) bool, over what is there."""
        self.label_maps.masked_fill_(region, label)

    def add_group(self, index: int, labels: list[int], *, weight: float | Tensor = 1.0) -> None:
        """Let `labels` together be object `index` of every scene."""
        self.groups[:, index, labels] = True
        self.weights[:, index] = weight

    def visible_px(self) -> Tensor:
        """Count the pixels (B, G) float32 that each object shows."""
        labels = self.label_maps.flatten(1)
        counts = torch.zeros(self.groups.shape[::2], device=labels.device)
        counts.scatter_add_(1, labels, torch.ones_like(labels, dtype=counts.dtype))
        return torch.einsum("bgl,bl->bg", self.groups.to(counts.dtype), counts)


class Draws:
    """Random numbers for a batch of scenes, all from one generator."""

    def __init__(self, count: int, size: int, generator: torch.Generator) -> None:
        self.count, self.size, self.px = count, size, 2 / size  # px: a pixel in frame units
        self.generator, self.device = generator, generator.device

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

    def position(self, reach: float) -> Grid:
        """X and y (B, 1, 1), each uniform in -reach..reach."""
        return self.uniform(-reach, reach), self.uniform(-reach, reach)

    def integer(self, low: int, high: int) -> int:
        """Draw one whole number in low..high (inclusive) for the whole batch."""
        draw = torch.randint(low, high + 1, (1,), generator=self.generator, device=self.device)
        return int(draw)

    def smooth_field(self, *, cells: int) -> Tensor:
        """(B, S, S) smooth noise of unit variance at the nodes, `cells` bumps along a side."""
        shape = (self.count, 1, cells + 3, cells + 3)
        coarse = torch.randn(shape, generator=self.generator, device=self.device)
        size = (self.size, self.size)
        return functional.interpolate(coarse, size, mode="bicubic", align_corners=True)[:, 0]

    def axis(self) -> Tensor:
        """Centres of a side's pixels in frame units, (S,)."""
        return (torch.arange(self.size, device=self.device) + 0.5) / self.size * 2 - 1


def warped_grid(draws: Draws) -> Grid:
    """X and y of every pixel (B, S, S), bent by a smooth random field."""
    y, x = torch.meshgrid(draws.axis(), draws.axis(), indexing="ij")
    amount, ripple = draws.uniform(0.0, 0.08), draws.uniform(0.0, 0.012)
    dx = amount * draws.smooth_field(cells=3) + ripple * draws.smooth_field(cells=16)
    dy = amount * draws.smooth_field(cells=3) + ripple * draws.smooth_field(cells=16)
    return x + dx, y + dy


@dataclass(frozen=True)
class Blob:
    """A rotated superellipse with a wobbling outline: `rho` is below 1 inside."""

    rho: Tensor  # (B, S, S) relative radius
    cosine: Tensor  # (B, S, S) direction from the centre in the blob's own axes
    sine: Tensor
    radius: Tensor  # (B, 1, 1) mean semi-axis
    centre: Grid  # (B, 1, 1) each

    @property
    def inside(self) -> Tensor:
        """(B, S, S) bool."""
        return self.rho < 1

    def shell(self, thickness: Tensor) -> Tensor:
        """(B, S, S) bool: the layer of `thickness` (frame units) just outside the outline."""
        return (self.rho >= 1) & (self.rho < 1 + thickness / self.radius)

    def sector(self, draws: Draws, *, low: float, high: float) -> Tensor:
        """(B, S, S) bool: a random sector of directions, `low`..`high` radians to each side."""
        angle, half = draws.uniform(0, 2 * math.pi), draws.uniform(low, high)
        return self.cosine * angle.cos() + self.sine * angle.sin() > half.cos()


def draw_blob(
    draws: Draws,
    grid: Grid,
    *,
    centre: Grid,
    radius: Tensor,
    elongation: float = 2.5,
    wobble: float = 0.15,
) -> Blob:
    """Draw a random blob around `centre` with mean semi-axis `radius`."""
    angle = draws.uniform(0, math.pi)
    ratio = draws.log_uniform(1.0, elongation).sqrt()
    dx, dy = grid[0] - centre[0], grid[1] - centre[1]
    u = (dx * angle.cos() + dy * angle.sin()) / (radius * ratio)
    v = (dy * angle.cos() - dx * angle.sin()) / (radius / ratio)
    u2, v2 = u * u, v * v
    round_radius = (u2 + v2).sqrt().clamp_min(1e-4)
    # Three outlines: an ellipse, a rounded rectangle (fourth powers), a diamond (sum of absolutes).
    boxy = (u2 * u2 + v2 * v2).sqrt().sqrt()
    kind = draws.uniform(0, 1)
    rho = torch.where(kind < 0.6, round_radius, boxy)
    rho = torch.where(kind > 0.9, (u.abs() + v.abs()) * 0.8, rho)
    c, s = u / round_radius, v / round_radius
    c2, s2 = c * c - s * s, 2 * c * s
    waves = draws.uniform(-1, 1) * c2 + draws.uniform(-1, 1) * s2
    for harmonic in (c * c2 - s * s2, s * c2 + c * s2):
        waves = waves + draws.uniform(-1, 1) * harmonic
    waves = waves + draws.uniform(-0.6, 0.6) * (c2 * c2 - s2 * s2)
    outline = 1 + wobble * draws.uniform(0, 1) * waves
    return Blob(rho / outline.clamp_min(0.3), c, s, radius, centre)


def draw_surroundings(draws: Draws, *, air: float) -> tuple[Painting, Grid]:
    """Start scenes, in bent coordinates, with a clutter (labels 1..6) in a body, maybe in air."""
    painting, grid = Painting.blank(draws), warped_grid(draws)
    cells, spread = draws.integer(2, 6), draws.uniform(0.8, 1.4)
    clutter, _ = split_into_cells(draws, grid, cells=cells, spread=spread)
    painting.label_maps += clutter + 1
    centre = draws.position(0.2)
    body = draw_blob(draws, grid, centre=centre, radius=draws.uniform(0.7, 1.2), wobble=0.08)
    painting.outside = ~body.inside & draws.chance(air)
    return painting, grid


def split_into_cells(
    draws: Draws, grid: Grid, *, cells: int, spread: Tensor
) -> tuple[Tensor, Tensor]:
    """Split the plane into touching regions (a warped Voronoi map): which, and how deep in it."""
    shape = (draws.count, cells, 1, 1)
    draw = torch.rand((4, *shape), generator=draws.generator, device=draws.device)
    golden = torch.arange(cells, device=draws.device).view(1, -1, 1, 1)
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
