"""What surrounds the hip: outline, muscles, vessels, bladder and bowel, and the random fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom import hip
from mskseg_phantom.hip import HipSubject
from mskseg_phantom.shapes import FloatArray, PlaneGrid, RandomField, distance_to_tube
from mskseg_phantom.solids import Canvas, Index, curve_through, ellipsoid_distance, ridge
from mskseg_phantom.thigh import Tube
from mskseg_phantom.tissues import Tissue

_ALL: Index = (slice(None), slice(None))
_SKIN_MM, _FASCIA_MM = 1.6, 0.8
_GAP_MM = 5.0  # how far from its muscle a point may be and still be muscle


@dataclass(frozen=True, eq=False)
class HipPlane:
    """The points of one plane in the joint's own frame.

    Attributes
    ----------
    x, v : (n_u, n_v) float32
        Lateral and towards the head, in mm from the middle of the joint.
    z_mm : float
        To the front.
    warp : (2, n_u, n_v) float32
        Displacement of x and v that makes outlines irregular, in mm.
    streaks : (2, n_u, n_v) float32
        Two fields of thin blobs, along the two main directions of muscles.
    patches, grain, loops : (n_u, n_v) float32
        Random fields, from large to small.
    """

    x: FloatArray
    v: FloatArray
    z_mm: float
    warp: FloatArray
    streaks: FloatArray
    patches: FloatArray
    grain: FloatArray
    loops: FloatArray


class HipFields:
    """The random fields of one subject, over a region of `half_mm` on either side of its middle."""

    def __init__(self, rng: np.random.Generator, half_mm: tuple[float, float, float]) -> None:
        self._warp = [RandomField(rng, half_mm, pitch_mm=(15.0, 18.0)) for _ in range(2)]
        self._streaks = [
            RandomField(rng, half_mm, pitch_mm=(1.9, 8.0), stretch=10.0, angle=angle)
            for angle in (-0.75, -1.5)
        ]
        self._patches = RandomField(rng, half_mm, pitch_mm=(8.0, 12.0))
        self._grain = RandomField(rng, half_mm, pitch_mm=(2.0, 4.0))
        self._loops = RandomField(rng, half_mm, pitch_mm=(12.0, 16.0))

    def plane(
        self, grid: PlaneGrid, own: tuple[FloatArray, FloatArray], z: tuple[float, float]
    ) -> HipPlane:
        """Evaluate all fields on one plane, at z of the stack; the second z is from the joint."""
        warp = np.stack([np.float32(1.1) * field.plane(grid, z[0]) for field in self._warp])
        streaks = np.stack([field.plane(grid, z[0]) for field in self._streaks])
        rest = (self._patches, self._grain, self._loops)
        return HipPlane(*own, z[1], warp, streaks, *(field.plane(grid, z[0]) for field in rest))


class HipSoft:
    """The soft tissue of one subject."""

    def __init__(self, person: HipSubject, rng: np.random.Generator) -> None:
        self._person = person
        self._tubes = tuple(hip.MUSCLES.values())
        self._steep = rng.integers(0, 2, len(self._tubes))
        self._outline = rng.normal(0, 2.0, 5)
        self._crotch = float(rng.uniform(-78, -62))
        self._bladder = rng.uniform(0.7, 1.15, 3)

    def draw_outside(self, canvas: Canvas, plane: HipPlane) -> FloatArray:
        """Draw skin and subcutaneous fat; return the depth below the fascia, (n_u, n_v)."""
        p, k = self._person, self._person.size
        marks = (-112.0, -60.0, -18.0, 40.0, 108.0)
        row = plane.v[:1]
        edge = curve_through(marks, np.array((84, 88, 90, 84, 66)) * k + self._outline)(row)
        fat = p.fat_mm * curve_through(marks, (0.95, 0.95, 0.8, 1.1, 1.35))(row)
        round_off = np.float32(26 * (plane.z_mm / 80) ** 2)
        fascia = edge - round_off - plane.x + 0.7 * plane.warp[0]
        depth = fascia + fat
        midline = np.float32(-87 * k)
        cleft = (
            np.abs(plane.x - midline)
            + 1.2 * plane.warp[0]
            - 0.30 * np.clip(self._crotch - plane.v, 0, None)
        )
        cleft = np.where(plane.v < self._crotch, cleft, 1e3)
        depth = np.minimum(depth, cleft)
        fascia = np.minimum(fascia, cleft - 0.35 * p.fat_mm)
        layer = np.sin(depth * np.float32(np.pi / 7) + plane.patches)
        near = 0.05 + 0.25 * np.clip(1.5 - depth / 20, 0, 1)
        fibres = 0.05 + 0.04 * plane.grain + near * ridge(layer, 0.16)
        canvas.paint(_ALL, depth > 0, Tissue.SKIN)
        fibres = np.clip(fibres, 0, 1).astype(np.float32)
        canvas.paint(_ALL, depth > _SKIN_MM, Tissue.FAT, admixture=fibres)
        line = (fascia > 0) & (fascia < _FASCIA_MM) & (depth > 3)
        canvas.paint(_ALL, line, Tissue.FIBROUS)
        inside: FloatArray = np.minimum(fascia, depth - 3)
        return inside

    def draw_pelvic_organs(self, canvas: Canvas, plane: HipPlane) -> None:
        """Draw bowel in its fat, and the bladder; urine stands as fluid of joints."""
        k = np.float32(self._person.size)
        x, v = plane.x / k, plane.v / k
        wall = np.float32(-46) + 0.30 * np.clip(v - 30, 0, None)
        floor = -18 + 0.45 * (wall - x) + 4 * plane.patches + 0.2 * abs(plane.z_mm)
        inside = (x < wall + 2 * plane.patches) & (v > floor)
        fat = 0.1 + 0.07 * plane.grain + 0.9 * ridge(plane.loops + 0.35 * plane.patches, 0.42)
        fat += np.clip(1 - (wall - x) / 10, 0, 1) * 0.8
        fat = np.clip(fat, 0, 1).astype(np.float32)
        canvas.paint(_ALL, inside, Tissue.BOWEL, admixture=fat)
        gas = inside & (plane.loops > 1.6) & (x < wall - 10)
        canvas.paint(_ALL, gas, Tissue.AIR)
        wide, tall, deep = (float(x) for x in self._bladder)
        front = np.full((1, 1), plane.z_mm, np.float32) / k
        points = x + 0.8 * plane.warp[0], v + 0.8 * plane.warp[1], front
        bladder = ellipsoid_distance(points, (-88, 10, 16), (34 * wide, 22 * tall, 26 * deep))
        canvas.paint(_ALL, bladder < 0, Tissue.MUSCLE)
        canvas.paint(_ALL, bladder < -3, Tissue.SYNOVIAL)

    def draw_muscles(self, canvas: Canvas, plane: HipPlane, fascia: FloatArray) -> None:
        """Draw muscles, the fat between them, and the great vessels and nerve."""
        worn = np.float32(self._person.muscle_fat)
        nearest, first, second = self._lobes(plane)
        septum = np.float32(0.5 + 0.9 * worn) * np.clip(1 + 0.7 * plane.patches, 0.15, 3)
        reach = np.float32(_GAP_MM) - 2.5 * worn
        flesh = (second - first > 2 * septum) & (first < reach) & (fascia > _FASCIA_MM + 0.4)
        near = (first < reach + 3) & (fascia > _FASCIA_MM) & ~flesh
        between = np.clip(0.2 + 0.08 * plane.grain, 0, 1).astype(np.float32)
        canvas.paint(_ALL, near, Tissue.FAT, admixture=between)
        streak = np.where(self._steep[nearest] == 0, plane.streaks[0], plane.streaks[1])
        allowed = np.clip((plane.patches - (0.9 - 1.6 * worn)) * np.float32(1.3), 0, 1)
        fat = 0.02 + 0.05 * worn + 0.022 * plane.grain + 0.65 * ridge(streak, 0.24) * allowed
        fat = np.clip(fat, 0, 0.85).astype(np.float32)
        canvas.paint(_ALL, flesh, Tissue.MUSCLE, admixture=fat)
        bend = 3 * np.sin(plane.v[:1] / 38 + 0.1 * self._crotch).astype(np.float32)
        course = plane.x + 2.2 * plane.warp[0] + bend, plane.v
        for tube, tissue in (
            (hip.NERVE, Tissue.NERVE),
            (hip.ARTERY, Tissue.ARTERY),
            (hip.VEIN, Tissue.VEIN),
        ):
            distance = self._tube(tube, course, plane.z_mm) + 0.5 * plane.patches
            canvas.paint(_ALL, distance < 1.8, Tissue.FAT, admixture=0.1)
            canvas.paint(_ALL, distance < 0, tissue)

    def _tube(
        self,
        tube: Tube,
        points: tuple[FloatArray, FloatArray],
        z_mm: float,
        *,
        shift: FloatArray | None = None,
        bulk: float = 0.0,
    ) -> FloatArray:
        k = self._person.size
        s = float(np.clip(z_mm / (k * hip.PLAN_DEPTH_MM), -1.1, 1.1)) / 2 + 0.5
        centres, radius = tube.at(s)
        centres = (centres if shift is None else centres + shift) * np.float32(k)
        return distance_to_tube(*points, centres, k * (radius + bulk))

    def _lobes(self, plane: HipPlane) -> tuple[NDArray[np.uint8], FloatArray, FloatArray]:
        """Find the nearest muscle, its distance and the next one's, from every other point."""
        p = self._person
        shape = plane.x.shape
        step = 2 if shape[0] % 2 == shape[1] % 2 == 0 and shape[0] > 300 else 1
        points = tuple(
            np.ascontiguousarray((at + w)[::step, ::step])
            for at, w in zip((plane.x, plane.v), 1.6 * plane.warp, strict=True)
        )
        first, second = (np.full(points[0].shape, 99, np.float32) for _ in range(2))
        nearest = np.zeros(first.shape, np.uint8)
        for i, tube in enumerate(self._tubes):
            distance = self._tube(
                tube, (points[0], points[1]), plane.z_mm, shift=p.shift[i], bulk=float(p.bulk[i])
            )
            nearest[distance < first] = i
            second = np.minimum(second, np.maximum(first, distance))
            first = np.minimum(first, distance)
        if step == 1:
            return nearest, first, second
        return np.repeat(np.repeat(nearest, 2, 0), 2, 1), _doubled(first), _doubled(second)


def _doubled(coarse: FloatArray) -> FloatArray:
    """Fill in the points between every other point of both axes."""
    fine = coarse
    for axis in (0, 1):
        after = np.concatenate([np.delete(fine, 0, axis), fine.take([-1], axis)], axis)
        pairs = np.stack([fine, (fine + after) / 2], axis + 1)
        fine = pairs.reshape([2 * n if i == axis else n for i, n in enumerate(fine.shape)])
    return fine
