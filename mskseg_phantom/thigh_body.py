"""A thigh at every point: skin, fat ring and fascia around muscles, femur, vessels and nerve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg.volume import Plane
from mskseg_phantom import thigh
from mskseg_phantom.anatomy import PlaneContent
from mskseg_phantom.shapes import FloatArray, PlaneGrid, distance_to_tube
from mskseg_phantom.signal import Tissue
from mskseg_phantom.thigh_texture import PointTexture, ThighTexture

EXTENT_MM = (256.0, 256.0, 144.0)
SHAPE = (256, 256, 24)
"""Voxels of the default rendering: 1 x 1 x 6 mm."""

PLANE: Plane = "axial"
_LEG_OFFSET_MM = 95.0  # the middle of a thigh lies this far from the body's midline
_SKIN_MM = 1.6
_FASCIA_MM = 0.5
_ROUNDING_MM = 1.1  # how round the corners are where more than two structures meet
_VASTI = (2, 3, 4)  # partly fused: their septa are thinner than those between other muscles
_VESSELS = (
    (thigh.ARTERY, Tissue.ARTERY),
    (thigh.VEIN, Tissue.VEIN),
    (thigh.DEEP_ARTERY, Tissue.ARTERY),
    (thigh.NERVE, Tissue.NERVE),
)


@dataclass(frozen=True, eq=False)
class _Lobes:
    """At every point the nearest lobe, its distance, and how near the second and third are."""

    nearest: NDArray[np.uint8]
    second: NDArray[np.uint8]
    distance_mm: FloatArray
    crowd: FloatArray


@dataclass(frozen=True, eq=False)
class _Section:
    """The points inside the fascia at one height, in the thigh's own frame."""

    u: FloatArray
    v: FloatArray
    straight: tuple[FloatArray, FloatArray]  # u, v before warping: bone does not wobble
    fascia_mm: FloatArray
    s: float
    axes_mm: tuple[float, float]


class ThighBody:
    """One subject's thigh, as a function of position in millimetres.

    Parameters
    ----------
    subject : ThighSubject
        Its parameters.
    rng : numpy.random.Generator
        Draws the texture and the irregularity of its outlines.
    """

    extent_mm = EXTENT_MM

    def __init__(self, subject: thigh.ThighSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        half = (EXTENT_MM[0] / 2, EXTENT_MM[1] / 2, EXTENT_MM[2] / 2)
        self._texture = ThighTexture(subject, rng, half)
        self._lobe_label = np.array([tube.label for tube in thigh.PLAN], dtype=np.uint8)
        fused = np.isin(self._lobe_label, _VASTI)
        both = fused[:, None] & fused[None, :]
        self._septum_factor = np.where(both, 0.45, 1.0).astype(np.float32)

    @property
    def tissues(self) -> Mapping[int, str]:
        """Tissue name of each label."""
        return thigh.TISSUES

    def affine(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Map voxels (u, v, z), which run along RAS, to mm; x = 0 is the body's midline."""
        spacing = np.array(EXTENT_MM) / shape
        affine = np.diag((*spacing, 1.0))
        affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
        affine[0, 3] += _LEG_OFFSET_MM if self.subject.side == "right" else -_LEG_OFFSET_MM
        return affine

    def plane(self, grid: PlaneGrid, z_mm: float) -> PlaneContent:
        """Say what lies at the points of `grid` at height `z_mm` (0 is mid-thigh)."""
        s = z_mm / EXTENT_MM[2] + 0.5
        u, v = self._own_frame(grid, z_mm)
        axes = self._fascia_axes(s)
        depth = self._depth(u, v, axes)
        fascia = depth - self._fat_thickness(u, v, s) + self._texture.fascia_wave_mm(grid, z_mm)
        content = self._shell(depth, fascia)
        content.admixture[...] = self._texture.fibres(depth, grid, z_mm)
        inside = (fascia > _FASCIA_MM) & (depth > _SKIN_MM)
        warped_u, warped_v = self._texture.warped(u, v, grid, z_mm)
        section = _Section(
            warped_u[inside], warped_v[inside], (u[inside], v[inside]), fascia[inside], s, axes
        )
        self._fill(content, inside, section, self._texture.at(inside, grid, z_mm))
        return content

    def _own_frame(self, grid: PlaneGrid, z_mm: float) -> tuple[FloatArray, FloatArray]:
        """Points in the thigh's own frame: u lateral, v anterior, from the middle of the limb."""
        p = self.subject
        x, y = grid.points_mm
        u = x - np.float32(p.centre_mm[0] + p.tilt[0] * z_mm)
        v = y - np.float32(p.centre_mm[1] + p.tilt[1] * z_mm)
        if p.side == "left":
            u = -u
        cos, sin = np.float32(np.cos(p.pose_rad)), np.float32(np.sin(p.pose_rad))
        return cos * u + sin * v, cos * v - sin * u

    def _fascia_axes(self, s: float) -> tuple[float, float]:
        """Half-axes of the fascia in mm at height s; the depth tapers less than the width."""
        taper = self.subject.taper * (s - 0.5)
        lateral, front = self.subject.half_axes_mm
        return lateral * (1 + taper), front * (1 + 0.6 * taper)

    def _depth(self, u: FloatArray, v: FloatArray, axes: tuple[float, float]) -> FloatArray:
        """Depth below the surface of the skin in mm, negative outside."""
        a, b = (np.float32(axis + self.subject.fat_mm) for axis in axes)
        r = np.hypot(u, v) + np.float32(1e-3)
        c, s = u / r, v / r
        second, third = self.subject.outline
        wave = 1 + second[0] * (c * c - s * s) + second[1] * 2 * c * s
        wave += third[0] * c * (4 * c * c - 3) + third[1] * s * (3 - 4 * s * s)
        depth: FloatArray = wave / np.hypot(c / a, s / b) - r
        return depth

    def _fat_thickness(self, u: FloatArray, v: FloatArray, s: float) -> FloatArray:
        """Thickness of the subcutaneous fat in mm towards each point, more behind and medially."""
        r = np.hypot(u, v) + np.float32(1e-3)
        behind, medial = -v / r, -u / r
        share = 1 + np.float32(0.22 + 0.25 * s) * behind + np.float32(0.15) * medial
        share -= np.float32(0.35 * s) * behind * medial
        thickness: FloatArray = np.float32(self.subject.fat_mm) * share
        return thickness

    def _shell(self, depth: FloatArray, fascia: FloatArray) -> PlaneContent:
        """Everything outside the muscles' compartment."""
        tissue = np.zeros(depth.shape, dtype=np.uint8)
        label = np.zeros(depth.shape, dtype=np.uint8)
        tissue[depth > 0] = Tissue.SKIN
        below = depth > _SKIN_MM
        tissue[below], label[below] = Tissue.FAT, thigh.SUBCUTANEOUS_LABEL
        below &= fascia > 0
        tissue[below], label[below] = Tissue.FIBROUS, 0
        return PlaneContent(tissue, label, np.zeros(depth.shape, dtype=np.float32))

    def _fill(
        self,
        content: PlaneContent,
        inside: NDArray[np.bool_],
        section: _Section,
        texture: PointTexture,
    ) -> None:
        """Put muscles, vessels and femur into the compartment; what is left between them is fat."""
        cortex, marrow = self._femur(section)
        vessels = [(_distance(tube, section), kind) for tube, kind in _VESSELS]
        lobes = self._lobes(section)
        obstacles = [section.fascia_mm - _FASCIA_MM, cortex + 0.3, *(d - 0.6 for d, _ in vessels)]
        flesh = self._is_flesh(lobes, obstacles, texture.septum)
        tissue = np.where(flesh, np.uint8(Tissue.MUSCLE), np.uint8(Tissue.FAT))
        label = np.where(flesh, self._lobe_label[lobes.nearest], np.uint8(0))
        for distance, kind in vessels:
            tissue[distance < 0], label[distance < 0] = kind, 0
        tissue[cortex < 0], label[cortex < 0] = Tissue.CORTEX, thigh.CORTEX_LABEL
        tissue[marrow < 0], label[marrow < 0] = Tissue.MARROW, thigh.MARROW_LABEL
        fat = self._texture.muscle_fat(texture, lobes.nearest)
        content.tissue[inside], content.label[inside] = tissue, label
        fibres = np.where(tissue == Tissue.FAT, np.float32(0.12), np.float32(0))
        content.admixture[inside] = np.where(flesh, fat, fibres)

    def _is_flesh(
        self, lobes: _Lobes, obstacles: list[FloatArray], septum: FloatArray
    ) -> NDArray[np.bool_]:
        """Where muscle is: near its lobe, and not within half a septum of anything else.

        Exponentials of the distances add up, so corners between several neighbours are rounded.
        """
        crowd = lobes.crowd.copy()
        for distance in obstacles:
            crowd += np.exp(distance * np.float32(-1 / _ROUNDING_MM))
        half_septum = self.subject.septum_mm * np.clip(1 + 0.75 * septum, 0, 3)
        half_septum *= self._septum_factor[lobes.nearest, lobes.second]
        free = crowd < np.exp(half_septum * np.float32(-1 / _ROUNDING_MM))
        named = self._lobe_label[lobes.nearest] > 0
        flesh: NDArray[np.bool_] = free & named & (lobes.distance_mm < self.subject.gap_mm)
        return flesh

    def _femur(self, section: _Section) -> tuple[FloatArray, FloatArray]:
        """Signed distances to the outer surface of the cortex and to the marrow."""
        u, v = section.straight
        centres, radius = _placed(thigh.FEMUR, section)
        shaft = distance_to_tube(u, v, centres, radius)
        ridge = centres + radius * np.array((-0.1, -0.62), np.float32)  # the linea aspera, behind
        width = np.float32(1.5)
        cortex = -width * np.logaddexp(
            -shaft / width, -distance_to_tube(u, v, ridge, 0.52 * radius) / width
        )
        wall = self.subject.cortex_mm * (1 - 1.2 * (section.s - 0.6) ** 2)
        return cortex, shaft + np.float32(wall)

    def _lobes(self, section: _Section) -> _Lobes:
        shape = section.u.shape
        first, second, third = (np.full(shape, 1e3, dtype=np.float32) for _ in range(3))
        nearest, next_one = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        for lobe, tube in enumerate(thigh.PLAN):
            shift, bulk = self.subject.shift[lobe], float(self.subject.bulk[lobe])
            distance = _distance(tube, section, shift=shift, bulk=bulk)
            wins = distance < first
            next_one = np.where(wins, nearest, np.where(distance < second, lobe, next_one))
            nearest = np.where(wins, np.uint8(lobe), nearest)
            beaten = np.maximum(first, distance)
            third = np.minimum(third, np.maximum(second, beaten))
            second = np.minimum(second, beaten)
            first = np.minimum(first, distance)
        scale = np.float32(-1 / (2 * _ROUNDING_MM))
        crowd = np.exp((second - first) * scale) + np.exp((third - first) * scale)
        return _Lobes(nearest, next_one, first, crowd)


def _placed(
    tube: thigh.Tube, section: _Section, *, shift: FloatArray | None = None, bulk: float = 0.0
) -> tuple[FloatArray, float]:
    """Centres (m, 2) and radius of a tube at the height of a section, in mm."""
    centres, radius = tube.at(section.s)
    if shift is not None:
        centres = centres + shift
    axes = np.asarray(section.axes_mm, dtype=np.float32)
    return centres * axes, (radius + bulk) * sum(section.axes_mm) / 2


def _distance(
    tube: thigh.Tube, section: _Section, *, shift: FloatArray | None = None, bulk: float = 0.0
) -> FloatArray:
    centres, radius = _placed(tube, section, shift=shift, bulk=bulk)
    return distance_to_tube(section.u, section.v, centres, radius)
