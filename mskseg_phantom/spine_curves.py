"""Lines along the spine that place what surrounds it, and the random fields that roughen it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mskseg_phantom.shapes import FloatArray, PlaneGrid, RandomField
from mskseg_phantom.solids import Curve, curve_through
from mskseg_phantom.spine import SpineSubject
from mskseg_phantom.spine_bone import spinous_reach


@dataclass(frozen=True, eq=False)
class SpineTexture:
    """Random fields at the points of one plane, each (n_u, n_v), mean 0 and spread 1."""

    warp: tuple[FloatArray, FloatArray]
    streaks: FloatArray
    patches: FloatArray
    grain: FloatArray
    loops: FloatArray


class SpineFields:
    """The random fields of one subject, over a region of `half_mm` on either side of its middle."""

    def __init__(self, rng: np.random.Generator, half_mm: tuple[float, float, float]) -> None:
        self._warp = [RandomField(rng, half_mm, pitch_mm=(11.0, 14.0)) for _ in range(2)]
        self._streaks = RandomField(
            rng, half_mm, pitch_mm=(2.0, 9.0), stretch=10.0, angle=np.pi / 2 - 0.08
        )
        self._patches = RandomField(rng, half_mm, pitch_mm=(8.0, 12.0))
        self._grain = RandomField(rng, half_mm, pitch_mm=(2.3, 5.0))
        self._loops = RandomField(rng, half_mm, pitch_mm=(13.0, 18.0))

    def at(self, grid: PlaneGrid, z_mm: float) -> SpineTexture:
        """Evaluate all fields on one plane."""
        warp = [field.plane(grid, z_mm) for field in self._warp]
        rest = (self._streaks, self._patches, self._grain, self._loops)
        return SpineTexture((warp[0], warp[1]), *(field.plane(grid, z_mm) for field in rest))


class SpineCurves:
    """Lines that run along a spine: u as a function of v, in mm from the middle of L3."""

    def __init__(self, person: SpineSubject) -> None:
        self._person = person

    @cached_property
    def front(self) -> Curve:
        """The front of the bodies."""
        return self._along([1.0] * 11)

    @cached_property
    def back(self) -> Curve:
        """The back of bodies and discs, where the canal begins."""
        return self._along([-1.0] * 11)

    @cached_property
    def tips(self) -> Curve:
        """The ends of the spinous processes."""
        points = []
        for bone in self._person.vertebrae[1:8]:
            length, drop = spinous_reach(bone)
            behind = -bone.half_depth_mm - self.canal_mm(bone.name) - length - 2
            points.append(bone.to_plane(behind, drop))
        u, v = points[-1]
        sacrum = self._person.vertebra("S2")
        sacral_u, _ = sacrum.to_plane(-sacrum.half_depth_mm - 22, 0)
        points.append((min(u - 4, sacral_u), v - 45))
        points.append((min(u - 4, sacral_u) - 3, v - 90))
        return _through(points)

    def canal_mm(self, name: str) -> float:
        """Depth of the bony canal at a level."""
        return self._person.canal_mm + {"L5": 3.5, "S1": 1.0, "S2": -4.0, "S3": -5.0}.get(name, 2.5)

    def _along(self, shares: list[float]) -> Curve:
        return _through(
            bone.to_plane(share * bone.half_depth_mm, 0.0)
            for bone, share in zip(self._person.vertebrae, shares, strict=True)
        )


def _through(points: Iterable[tuple[float, float]]) -> Curve:
    ordered = sorted(points, key=lambda point: point[1])
    kept = [ordered[0]]
    for point in ordered[1:]:
        if point[1] > kept[-1][1] + 4:  # a steep sacrum must not fold the curve
            kept.append(point)
    return curve_through([v for _, v in kept], [u for u, _ in kept])
