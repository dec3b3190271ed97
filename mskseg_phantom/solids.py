"""Solids of the joints and the spine: windows of a plane, distances, smooth unions, curves.

Coordinates are arrays that broadcast against each other, so a structure costs no more than the
window of the plane it lies in. All distances are signed, negative inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from mskseg_phantom.shapes import FloatArray, PlaneGrid

Point = tuple[float, float, float]
Curve = Callable[[FloatArray], FloatArray]
Index: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Canvas:
    """What is drawn of a plane so far, see `anatomy.PlaneContent`; each array is (n_u, n_v)."""

    tissue: NDArray[np.uint8]
    label: NDArray[np.uint8]
    admixture: FloatArray

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Canvas:
        """Make a plane of air."""
        return cls(
            np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
        )

    def paint(
        self,
        index: Index,
        where: NDArray[np.bool_],
        tissue: int,
        *,
        label: int = 0,
        admixture: FloatArray | float = 0.0,
    ) -> None:
        """Put a tissue where `where` is true, over what was there; arrays as large as `index`."""
        self.tissue[index][where] = tissue
        self.label[index][where] = label
        if isinstance(admixture, np.ndarray):
            self.admixture[index][where] = np.broadcast_to(admixture, where.shape)[where]
        else:
            self.admixture[index][where] = admixture


def window(grid: PlaneGrid, centre: tuple[float, float], half_mm: tuple[float, float]) -> Index:
    """Slices of the part of a plane that lies within `half_mm` of `centre`; may be empty."""
    sides = []
    for axis, middle, half in zip((grid.u_mm, grid.v_mm), centre, half_mm, strict=True):
        first, last = np.searchsorted(axis, (middle - half, middle + half))
        sides.append(slice(int(first), int(last)))
    return sides[0], sides[1]


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
    distance: FloatArray = np.hypot(dp - share * along_p, dq - share * along_q)
    return distance


def capsule_distance(
    points: tuple[FloatArray, FloatArray, FloatArray],
    start: Point,
    end: Point,
    radii: tuple[float, float],
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


def ellipsoid_distance(
    points: tuple[FloatArray, FloatArray, FloatArray], centre: Point, half_axes: Point
) -> FloatArray:
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
    near = np.clip(np.float32(width_mm) - np.abs(first - second), 0, None)
    rounded: FloatArray = np.minimum(first, second) - near * near / np.float32(4 * width_mm)
    return rounded


def curve_through(positions_mm: Sequence[float], values: Sequence[float] | NDArray[Any]) -> Curve:
    """Make a smooth function through points, without overshoot, level beyond its ends.

    Parameters
    ----------
    positions_mm : sequence of float
        Strictly increasing.
    values : sequence of float
        At the positions.
    """
    spline = PchipInterpolator(positions_mm, values)
    low, high = positions_mm[0], positions_mm[-1]

    def curve(at_mm: FloatArray) -> FloatArray:
        value: FloatArray = spline(np.clip(at_mm, low, high)).astype(np.float32)
        return value

    return curve


def ridge(field: FloatArray, width: float) -> FloatArray:
    """1 where a smooth field crosses zero, falling off to both sides: thin curved lines."""
    line: FloatArray = np.exp(-((field / np.float32(width)) ** 2))
    return line
