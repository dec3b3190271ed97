"""A thigh at every point: fascia, muscles between septa, femur, fat ring, skin, vessels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg.data.phantom import thigh
from mskseg.data.phantom.anatomy import PlaneContent
from mskseg.data.phantom.shapes import FloatArray, PlaneGrid, RandomField, distance_to_tube
from mskseg.data.phantom.signal import Tissue

EXTENT_MM = (256.0, 256.0, 144.0)
_SKIN_MM = 1.6
_FASCIA_MM = 0.5
_ROUNDING_MM = 1.1  # radius scale of the muscles' corners
_VASTI = (2, 3, 4)  # partly fused: their septa are thinner than those between other muscles


@dataclass(frozen=True, eq=False)
class _Lobes:
    """At every point: the nearest lobe, the second nearest, and how crowded the point is."""

    nearest: NDArray[np.uint8]
    distance_mm: FloatArray
    septum_factor: FloatArray
    crowd: FloatArray


class ThighBody:
    """One subject's thigh, as a function of position in millimetres.

    Parameters
    ----------
    subject : ThighSubject
        Its parameters.
    rng : numpy.random.Generator
        Draws the texture and the irregularity of its outlines.
    """

    def __init__(self, subject: thigh.ThighSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        half = (EXTENT_MM[0] / 2, EXTENT_MM[1] / 2, EXTENT_MM[2] / 2)

        def field(in_plane: float, across: float, stretch: float = 1.0, angle: float = 0.0
                  ) -> RandomField:
            return RandomField(
                rng, half, pitch_mm=(in_plane, across), stretch=stretch, angle=angle
            )

        self._warp = (field(22, 40), field(22, 40), field(7, 16), field(7, 16))
        self._septum = field(11, 18)
        self._streaks = tuple(field(1.8, 14, 4, a) for a in rng.uniform(0, np.pi, 2))
        self._patches = field(7, 20)
        self._grain = field(2.2, 5)
        self._fibres = field(3.2, 16, 5, rng.uniform(0, np.pi))
        self._orientation = rng.integers(0, 2, len(thigh.PLAN))
        self._septum_factor = _septum_factors()
        lobe_fat = subject.muscle_fat
        self._lobe_fat = lobe_fat
        self._lobe_label = np.array([tube.label for tube in thigh.PLAN], dtype=np.uint8)
        self._textures: tuple[float, PlaneGrid, tuple[FloatArray, ...]] | None = None

    @property
    def tissues(self) -> Mapping[int, str]:
        """Tissue name of each label."""
        return thigh.TISSUES

    def plane(self, grid: PlaneGrid, z_mm: float) -> PlaneContent:
        """What lies at the points of `grid` at height `z_mm` (0 is mid-thigh)."""
        s = z_mm / EXTENT_MM[2] + 0.5
        u, v = self._own_frame(grid, z_mm)
        axes = self._fascia_axes(s)
        depth = self._depth(u, v, s, axes)
        fascia = depth - self._fat_thickness(u, v, s)
        tissue = np.zeros(grid.shape, dtype=np.uint8)
        label = np.zeros(grid.shape, dtype=np.uint8)
        tissue[depth > 0] = Tissue.SKIN
        ring = depth > _SKIN_MM
        tissue[ring], label[ring] = Tissue.FAT, thigh.SUBCUTANEOUS_LABEL
        admixture = self._fibre_share(grid, z_mm)
        inside = fascia > 0
        tissue[inside], label[inside] = Tissue.FIBROUS, 0
        compartment = fascia > _FASCIA_MM
        content = self._compartment(
            u[compartment], v[compartment], fascia[compartment], s, axes,
            tuple(t[compartment] for t in self._texture(grid, z_mm)),
        )
        tissue[compartment], label[compartment], admixture[compartment] = content
        return PlaneContent(tissue, label, admixture)

    def _own_frame(self, grid: PlaneGrid, z_mm: float) -> tuple[FloatArray, FloatArray]:
        """Points in the thigh's own frame: u lateral, v anterior, irregular as living tissue is."""
        p = self.subject
        x, y = grid.points_mm
        lateral = x if p.side == "right" else -x
        u = lateral - np.float32(p.centre_mm[0] + p.tilt[0] * z_mm)
        v = y - np.float32(p.centre_mm[1] + p.tilt[1] * z_mm)
        cos, sin = np.float32(np.cos(p.pose_rad)), np.float32(np.sin(p.pose_rad))
        u, v = cos * u + sin * v, cos * v - sin * u
        slow_u, slow_v, quick_u, quick_v = (w.plane(grid, z_mm) for w in self._warp)
        return (u + np.float32(2.6) * slow_u + np.float32(0.5) * quick_u,
                v + np.float32(2.6) * slow_v + np.float32(0.5) * quick_v)

    def _fascia_axes(self, s: float) -> tuple[float, float]:
        grown = 1 + self.subject.taper * (s - 0.5)
        a, b = self.subject.half_axes_mm
        return a * grown, b * (1 + 0.6 * self.subject.taper * (s - 0.5))

    def _depth(self, u: FloatArray, v: FloatArray, s: float, axes: tuple[float, float]
               ) -> FloatArray:
        """Depth below the skin's surface in mm, negative outside."""
        a, b = (axis + self.subject.fat_mm for axis in axes)
        r = np.hypot(u, v) + np.float32(1e-3)
        c, d = u / r, v / r
        (c2, s2), (c3, s3) = self.subject.outline
        wave = 1 + c2 * (c * c - d * d) + s2 * 2 * c * d + c3 * c * (4 * c * c - 3) + s3 * d * (
            3 - 4 * d * d)
        radius: FloatArray = wave / np.sqrt((c / np.float32(a)) ** 2 + (d / np.float32(b)) ** 2)
        return radius - r

    def _fat_thickness(self, u: FloatArray, v: FloatArray, s: float) -> FloatArray:
        r = np.hypot(u, v) + np.float32(1e-3)
        behind, medial = -v / r, -u / r
        share = 1 + np.float32(0.22 + 0.25 * s) * behind + np.float32(0.15) * medial
        share -= np.float32(0.35 * s) * behind * medial
        thickness: FloatArray = np.float32(self.subject.fat_mm) * share
        return thickness

    def _texture(self, grid: PlaneGrid, z_mm: float) -> tuple[FloatArray, ...]:
        """Septum thickness noise, streaks of both orientations, patches, grain."""
        fields = (self._septum, *self._streaks, self._patches, self._grain)
        return tuple(f.plane(grid, z_mm) for f in fields)

    def _fibre_share(self, grid: PlaneGrid, z_mm: float) -> FloatArray:
        ridge = np.exp(-((self._fibres.plane(grid, z_mm) / np.float32(0.16)) ** 2))
        return np.float32(0.04) + np.float32(0.5) * ridge

    def _compartment(
        self, u: FloatArray, v: FloatArray, fascia: FloatArray, s: float,
        axes: tuple[float, float], textures: tuple[FloatArray, ...],
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], FloatArray]:
        septum, first, second, patches, grain = textures
        unit = np.float32(0.5 * (axes[0] + axes[1]))
        cortex, marrow = self._femur(u, v, s, axes)
        vessels = [(kind, _tube(tube, s, axes, u, v)) for tube, kind in _VESSELS]
        lobes = self._lobes(u, v, s, axes)
        crowd = lobes.crowd + np.exp(-(fascia - np.float32(_FASCIA_MM)) / _ROUNDING_MM)
        crowd += np.exp(-(cortex + np.float32(0.3)) / _ROUNDING_MM)
        for _, distance in vessels:
            crowd += np.exp(-(distance - np.float32(0.6)) / _ROUNDING_MM)
        half_septum = self.subject.septum_mm * np.clip(1 + 0.55 * septum, 0.1, 3)
        half_septum *= lobes.septum_factor
        tissue = np.full(u.shape, Tissue.FAT, dtype=np.uint8)
        label = np.zeros(u.shape, dtype=np.uint8)
        own = self._lobe_label[lobes.nearest]
        flesh = (crowd < np.exp(-half_septum / _ROUNDING_MM)) & (own > 0)
        flesh &= lobes.distance_mm < self.subject.gap_mm
        tissue[flesh], label[flesh] = Tissue.MUSCLE, own[flesh]
        for kind, distance in vessels:
            tissue[distance < 0], label[distance < 0] = kind, 0
        tissue[cortex < 0], label[cortex < 0] = Tissue.CORTEX, thigh.CORTEX_LABEL
        tissue[marrow < 0], label[marrow < 0] = Tissue.MARROW, thigh.MARROW_LABEL
        streak = np.where(self._orientation[lobes.nearest] == 0, first, second)
        admixture = self._fat_share(streak, patches, grain, lobes.nearest)
        admixture = np.where(flesh, admixture, np.float32(0.12)).astype(np.float32)
        return tissue, label, admixture

    def _fat_share(self, streak: FloatArray, patches: FloatArray, grain: FloatArray,
                   nearest: NDArray[np.uint8]) -> FloatArray:
        """Fat fraction of muscle: diffuse by lobe, fine grain, and streaks where patches allow."""
        p = self.subject
        ridge = np.exp(-((streak / np.float32(0.17)) ** 2))
        allowed = np.clip((patches - np.float32(1.0 - 1.3 * p.streaks)) * np.float32(1.5), 0, 1)
        share = self._lobe_fat[nearest] * (1 + np.float32(0.35) * grain)
        share += np.float32(0.02) * grain + np.float32(0.6) * ridge * allowed
        return np.clip(share, 0, 0.85)

    def _femur(self, u: FloatArray, v: FloatArray, s: float, axes: tuple[float, float]
               ) -> tuple[FloatArray, FloatArray]:
        """Signed distances to the outer surface of the cortex and to the marrow."""
        centres, radius = _placed(thigh.FEMUR, s, axes)
        shaft = distance_to_tube(u, v, centres, radius)
        ridge = centres + np.float32((0.1 * radius, -0.62 * radius))
        linea_aspera = distance_to_tube(u, v, ridge, 0.52 * radius)
        cortex = -_smooth_maximum(-shaft, -linea_aspera, 1.5)
        wall = self.subject.cortex_mm * (1 - 1.2 * (s - 0.6) ** 2)
        return cortex, shaft + np.float32(wall)

    def _lobes(self, u: FloatArray, v: FloatArray, s: float, axes: tuple[float, float]) -> _Lobes:
        far = np.float32(1e3)
        d1, d2, d3 = (np.full(u.shape, far) for _ in range(3))
        m1, m2 = np.zeros(u.shape, np.uint8), np.zeros(u.shape, np.uint8)
        for m, tube in enumerate(thigh.PLAN):
            t = _tube(tube, s, axes, u, v, self.subject.shift[m], float(self.subject.bulk[m]))
            nearer = t < d1
            m2 = np.where(nearer, m1, np.where(t < d2, np.uint8(m), m2))
            m1 = np.where(nearer, np.uint8(m), m1)
            later = np.maximum(d1, t)
            np.minimum(d1, t, out=d1)
            d3 = np.minimum(d3, np.maximum(d2, later))
            np.minimum(d2, later, out=d2)
        scale = np.float32(-1 / (2 * _ROUNDING_MM))
        crowd = np.exp((d2 - d1) * scale) + np.exp((d3 - d1) * scale)
        return _Lobes(m1, d1, self._septum_factor[m1, m2], crowd)


_VESSELS = (
    (thigh.ARTERY, Tissue.ARTERY),
    (thigh.VEIN, Tissue.VEIN),
    (thigh.DEEP_ARTERY, Tissue.ARTERY),
    (thigh.NERVE, Tissue.NERVE),
)


def _septum_factors() -> FloatArray:
    labels = [tube.label for tube in thigh.PLAN]
    fused = np.isin(labels, _VASTI)
    return np.where(fused[:, None] & fused[None, :], 0.45, 1.0).astype(np.float32)


def _placed(
    tube: thigh.Tube, s: float, axes: tuple[float, float], shift: FloatArray | None = None,
    bulk: float = 0.0,
) -> tuple[FloatArray, float]:
    centres, radius = tube.at(s)
    if shift is not None:
        centres = centres + shift
    return centres * np.float32(axes), (radius + bulk) * 0.5 * (axes[0] + axes[1])


def _tube(
    tube: thigh.Tube, s: float, axes: tuple[float, float], u: FloatArray, v: FloatArray,
    shift: FloatArray | None = None, bulk: float = 0.0,
) -> FloatArray:
    centres, radius = _placed(tube, s, axes, shift, bulk)
    return distance_to_tube(u, v, centres, radius)


def _smooth_maximum(first: FloatArray, second: FloatArray, width_mm: float) -> FloatArray:
    return np.float32(width_mm) * np.logaddexp(first / width_mm, second / width_mm)
