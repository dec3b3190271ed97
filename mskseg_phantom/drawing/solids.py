"""Solids: signed distances to tubes, rods and ellipsoids, smooth unions, curves, windows.

Coordinates are arrays that broadcast against each other, so a structure costs no more than the
window of the plane it lies in. All distances are signed, negative inside.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from mskseg_phantom.tissue import FloatArray, Tissue

Point = tuple[float, float, float]
Points = tuple[FloatArray, FloatArray, FloatArray]
Curve = Callable[[FloatArray], FloatArray]
Index: TypeAlias = tuple[slice, slice]


def window(sides: tuple[FloatArray, FloatArray], points: ArrayLike, reach_mm: ArrayLike) -> Index:
    """Slices of the part of a plane within reach of the box around points, (m, 2); may be empty."""
    index, reaches = [], np.broadcast_to(reach_mm, 2)
    for at, along, reach in zip(sides, np.transpose(points), reaches, strict=True):
        hits = np.flatnonzero((at > along.min() - reach) & (at < along.max() + reach))
        index.append(slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0))
    return index[0], index[1]


def is_empty(index: Index) -> bool:
    """Say whether a window holds no point."""
    return any(side.stop <= side.start for side in index)


def segment_distance(
    p: FloatArray, q: FloatArray, start: tuple[float, float], end: tuple[float, float]
) -> FloatArray:
    """Distance of points of a plane to a segment, never negative."""
    dp, dq = p - np.float32(start[0]), q - np.float32(start[1])
    along_p, along_q = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    share = np.clip((dp * along_p + dq * along_q) / (along_p**2 + along_q**2), 0, 1)
    return np.hypot(dp - share * along_p, dq - share * along_q)


def capsule_distance(
    points: Points, start: Point, end: Point, radii: tuple[float, float]
) -> FloatArray:
    """Distance of points in space to a rod whose radius runs from the first to the second."""
    offsets = [x - np.float32(a) for x, a in zip(points, start, strict=True)]
    along = [np.float32(b - a) for a, b in zip(start, end, strict=True)]
    length = sum(float(step) ** 2 for step in along)
    share = sum(x * step for x, step in zip(offsets, along, strict=True)) / np.float32(length)
    share = np.clip(share, 0, 1)
    squared = sum((x - share * step) ** 2 for x, step in zip(offsets, along, strict=True))
    distance: FloatArray = np.sqrt(squared) - np.float32(radii[0])
    distance -= share * np.float32(radii[1] - radii[0])
    return distance


def ellipsoid_distance(points: Points, centre: Point, half_axes: Point) -> FloatArray:
    """Approximate distance to an ellipsoid along the axes, exact on its surface."""
    scaled = [
        (x - np.float32(c)) / np.float32(a)
        for x, c, a in zip(points, centre, half_axes, strict=True)
    ]
    rho = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    distance: FloatArray = (rho - 1) * np.float32(min(half_axes))
    return distance


def smooth_max(first: FloatArray, second: FloatArray, width_mm: float) -> FloatArray:
    """Maximum of two distances (what both hold), rounded where they meet."""
    near = np.clip(np.float32(width_mm) - np.abs(first - second), 0, None)
    rounded: FloatArray = np.maximum(first, second) + near * near / np.float32(4 * width_mm)
    return rounded


def smooth_min(first: FloatArray, second: FloatArray, width_mm: float) -> FloatArray:
    """Minimum of two distances (what either holds), with a fillet where they meet."""
    return -smooth_max(-first, -second, width_mm)


def curve_through(positions_mm: Sequence[float], values: Sequence[float] | NDArray[Any]) -> Curve:
    """Make a smooth function through points that rise, without overshoot, level beyond its ends."""
    spline = _spline(tuple(positions_mm), tuple(values))
    low, high = positions_mm[0], positions_mm[-1]

    def curve(at_mm: FloatArray) -> FloatArray:
        value: FloatArray = spline(np.clip(at_mm, low, high)).astype(np.float32)
        return value

    return curve


@lru_cache
def _spline(positions_mm: tuple[float, ...], values: tuple[float, ...]) -> PchipInterpolator:
    return PchipInterpolator(positions_mm, values)


class Tube(NamedTuple):
    """A structure around a polyline that moves from plane to plane.

    Given in three planes, at s = 0, 0.5 and 1; in between positions and radii follow a parabola. A
    radius below zero means: not here.
    """

    knots: FloatArray  # (3, m, 2), the polyline in each plane
    radii: FloatArray  # (3,)
    tissue: Tissue

    def at(
        self,
        s: float,
        unit_mm: tuple[float, float],
        *,
        shift: FloatArray | float = 0.0,
        bulk: float = 0.0,
    ) -> tuple[FloatArray, float]:
        """Centres (m, 2) and radius in mm at height `s`, moved and grown in those units."""
        centres = _parabola(self.knots, s) + np.float32(shift)
        radius = float(_parabola(self.radii, s)) + bulk
        return centres * np.asarray(unit_mm, np.float32), radius * sum(unit_mm) / 2

    def distance(
        self,
        points: tuple[FloatArray, FloatArray],
        s: float,
        unit_mm: tuple[float, float],
        **moved: Any,
    ) -> FloatArray:
        """Signed distance of points (u, v) in mm at height `s`; `moved` as in `at`."""
        return distance_to_tube(*points, *self.at(s, unit_mm, **moved))


def read_tubes(path: Path) -> dict[str, Tube]:
    """Read tubes by name from a CSV file, three rows each, the points in columns u1, v1, u2, ..."""
    table = pd.read_csv(path)
    return {
        str(name): Tube(
            rows.filter(regex="^[uv]").dropna(axis=1).to_numpy(np.float32).reshape(3, -1, 2),
            rows["radius"].to_numpy(np.float32),
            Tissue[rows["tissue"].iloc[0].upper()],
        )
        for name, rows in table.groupby("structure", sort=False)
    }


def _parabola(knots: FloatArray, s: float) -> FloatArray:
    """Quadratic through three values at s = 0, 0.5 and 1."""
    weights = (2 * (s - 0.5) * (s - 1), 4 * s * (1 - s), 2 * s * (s - 0.5))
    blended: FloatArray = sum(np.float32(w) * knot for w, knot in zip(weights, knots, strict=True))
    return blended


def distance_to_tube(
    u_mm: FloatArray, v_mm: FloatArray, centres_mm: FloatArray, radius_mm: float
) -> FloatArray:
    """Signed distance of points, (n,), to a tube around a polyline, (m, 2); one point is a disc."""
    ends = centres_mm[1:] if len(centres_mm) > 1 else centres_mm
    pieces = zip(centres_mm, ends, strict=False)
    squared = reduce(np.minimum, (_squared_distance(u_mm, v_mm, a, b) for a, b in pieces))
    return np.sqrt(squared) - np.float32(radius_mm)


def _squared_distance(
    u_mm: FloatArray, v_mm: FloatArray, start: FloatArray, end: FloatArray
) -> FloatArray:
    du, dv = u_mm - start[0], v_mm - start[1]
    along = end - start
    length = float(along @ along)
    if length > 0:
        share = np.clip((du * along[0] + dv * along[1]) / np.float32(length), 0, 1)
        du -= share * along[0]
        dv -= share * along[1]
    squared: FloatArray = du * du + dv * dv
    return squared


class Ranking(NamedTuple):
    """At every point the nearest of some structures, the next one, and three distances."""

    nearest: NDArray[np.uint8]
    next: NDArray[np.uint8]
    first_mm: FloatArray
    second_mm: FloatArray
    third_mm: FloatArray


def ranked(distances: Iterable[tuple[Any, FloatArray]], shape: tuple[int, ...]) -> Ranking:
    """Rank structures by their distance from each point, each within a window of the points."""
    ranking = Ranking(*np.zeros((2, *shape), np.uint8), *np.full((3, *shape), 1e3, np.float32))
    for number, (index, distance) in enumerate(distances):
        nearest, following, first, second, third = (values[index] for values in ranking)
        wins = distance < first
        np.copyto(following, np.uint8(number), where=distance < second)
        np.copyto(following, nearest, where=wins)
        np.copyto(nearest, np.uint8(number), where=wins)
        beaten = np.maximum(first, distance)
        np.minimum(third, np.maximum(second, beaten), out=third)
        np.minimum(second, beaten, out=second)
        np.minimum(first, distance, out=first)
    return ranking
