"""Building blocks of every anatomy: a plane to draw on, smooth random fields, tubes.

Everything is a function of position in millimetres, so one subject can be drawn at any resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_SPLINE_STD = (151 / 315) ** 0.5  # of a cubic B-spline with white-noise coefficients, per axis


@dataclass(frozen=True, eq=False)
class PlaneGrid:
    """The points of one plane, as two axes.

    Attributes
    ----------
    u_mm : (n_u,) float32
        Positions along the first axis of the plane.
    v_mm : (n_v,) float32
        Positions along the second axis.
    """

    u_mm: FloatArray
    v_mm: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of points along both axes, (n_u, n_v)."""
        return self.u_mm.size, self.v_mm.size

    @cached_property
    def points_mm(self) -> tuple[FloatArray, FloatArray]:
        """Both coordinates of every point, each (n_u, n_v)."""
        u, v = np.meshgrid(self.u_mm, self.v_mm, indexing="ij")
        return u, v


def spline_weights(positions: FloatArray, n_knots: int) -> FloatArray:
    """Cubic B-spline weights of `n_knots` knots (0, 1, 2, ...) at each position.

    Parameters
    ----------
    positions : (n,) float32
        In units of the knot distance; beyond the outermost knots the field falls to zero.

    Returns
    -------
    (n, n_knots) float32
    """
    distance = np.abs(positions[:, None] - np.arange(n_knots, dtype=np.float32))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


class RandomField:
    """A smooth random function of position with mean 0 and standard deviation 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    half_mm : (3,) float
        The field lives on [-half, half] along u, v and z.
    pitch_mm : (float, float)
        Distance of the spline's knots in plane and along z: about the size of its blobs.
    stretch : float
        Above 1, blobs become streaks that many times longer than wide.
    angle : float
        Direction of the streaks in radians, from u towards v.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        half_mm: tuple[float, float, float],
        *,
        pitch_mm: tuple[float, float],
        stretch: float = 1.0,
        angle: float = 0.0,
    ) -> None:
        self._half = np.asarray(half_mm, dtype=np.float32)
        self._pitch = np.asarray((pitch_mm[0], pitch_mm[0], pitch_mm[1]), dtype=np.float32)
        n_knots = np.ceil(2 * self._half / self._pitch).astype(int) + 3
        knots = rng.standard_normal((n_knots[2], n_knots[0], n_knots[1]), dtype=np.float32)
        self._knots = _streaked(knots, stretch, angle) if stretch > 1 else knots
        self._weights: tuple[PlaneGrid, FloatArray, FloatArray] | None = None

    def plane(self, grid: PlaneGrid, z_mm: float) -> FloatArray:
        """Values on one plane, (n_u, n_v) float32."""
        if self._weights is None or self._weights[0] is not grid:
            self._weights = (grid, self._along(grid.u_mm, 0), self._along(grid.v_mm, 1))
        _, u_weights, v_weights = self._weights
        z_weights = self._along(np.asarray([z_mm], dtype=np.float32), 2)[0]
        near = np.flatnonzero(z_weights)
        layer = np.tensordot(z_weights[near], self._knots[near], axes=1)
        values: FloatArray = u_weights @ layer @ v_weights.T
        return values / np.float32(_SPLINE_STD**3)

    def _along(self, positions_mm: FloatArray, axis: int) -> FloatArray:
        n_knots = (self._knots.shape[1], self._knots.shape[2], self._knots.shape[0])[axis]
        return spline_weights((positions_mm + self._half[axis]) / self._pitch[axis] + 1, n_knots)


def _streaked(knots: FloatArray, stretch: float, angle: float) -> FloatArray:
    """Blur white noise along one direction of the plane, keeping its standard deviation."""
    fu = np.fft.fftfreq(knots.shape[1])[:, None]
    fv = np.fft.rfftfreq(knots.shape[2])[None, :]
    along = fu * np.cos(angle) + fv * np.sin(angle)
    response = np.exp(-((np.pi * stretch / 2 * along) ** 2))
    spectrum = np.fft.rfft2(knots, axes=(1, 2)) * response
    blurred = np.fft.irfft2(spectrum, s=knots.shape[1:], axes=(1, 2))
    return (blurred / blurred.std()).astype(np.float32)


def distance_to_tube(
    u_mm: FloatArray, v_mm: FloatArray, centres_mm: FloatArray, radius_mm: float
) -> FloatArray:
    """Signed distance of points to a tube around a polyline, negative inside.

    Parameters
    ----------
    u_mm, v_mm : (n,) float32
        The points.
    centres_mm : (m, 2) float32
        The polyline; one point makes a disc.
    radius_mm : float
        May be negative: the tube is empty, and far from everything by that much.

    Returns
    -------
    (n,) float32
    """
    squared: FloatArray | None = None
    ends = centres_mm[1:] if len(centres_mm) > 1 else centres_mm
    for start, end in zip(centres_mm, ends, strict=False):
        candidate = _squared_distance(u_mm, v_mm, start, end)
        squared = candidate if squared is None else np.minimum(squared, candidate, out=squared)
    if squared is None:
        raise ValueError("a tube needs at least one centre")
    return np.sqrt(squared, out=squared) - np.float32(radius_mm)


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
    du *= du
    dv *= dv
    du += dv
    return du
