"""Smooth random functions of position, evaluated on planes: what makes a drawing irregular.

Everything is a function of position in millimetres, so one subject can be drawn at any resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from mskseg_phantom.tissue import FloatArray

_SPLINE_STD = (151 / 315) ** 0.5  # of a cubic B-spline with white-noise coefficients, per axis


@dataclass(frozen=True, eq=False)
class PlaneGrid:
    """The points of one plane, as positions along its two axes, (n_u,) and (n_v,) float32."""

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


def spline_weights(positions: FloatArray, n_knots: int) -> sparse.csr_array:
    """Weights (n, n_knots) of a cubic B-spline's knots 0, 1, 2, ... at (n,) positions.

    Positions are kept between 1 and n_knots - 2; four weights of each are not 0, and they sum to 1.
    A product with a sparse matrix adds in the order of the knots, the same to the last bit for any
    number of threads, which a dense one does not.
    """
    inside = np.clip(positions, 1, n_knots - 2)
    first = np.clip(np.floor(inside).astype(np.intp) - 1, 0, n_knots - 4)
    knots = first[:, None] + np.arange(4)
    distance = np.abs(inside[:, None] - knots).astype(np.float32)
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    weights = np.where(distance < 1, near, far).astype(np.float32)
    rows = np.arange(0, weights.size + 1, 4)
    return sparse.csr_array((weights.ravel(), knots.ravel(), rows), shape=(len(inside), n_knots))


class RandomField:
    """A smooth random function of position with mean 0 and standard deviation 1.

    It covers a stack of `extent_mm` (u, v, z) around its middle. `pitch_mm` is the distance of the
    spline's knots in plane and along z, about the size of its blobs; with a `stretch` above 1 they
    become streaks that many times longer than wide, along `angle` (radians, from u towards v).
    """

    def __init__(
        self,
        rng: np.random.Generator,
        extent_mm: tuple[float, float, float],
        *,
        pitch_mm: tuple[float, float],
        stretch: float = 1.0,
        angle: float = 0.0,
    ) -> None:
        self._half = np.asarray(extent_mm, dtype=np.float32) / 2
        self._pitch = np.asarray((pitch_mm[0], pitch_mm[0], pitch_mm[1]), dtype=np.float32)
        n_knots = np.ceil(2 * self._half / self._pitch).astype(int) + 3
        knots = rng.standard_normal(tuple(n_knots), dtype=np.float32)
        knots = _streaked(knots, stretch, angle) if stretch > 1 else knots
        self._knots = np.ascontiguousarray(knots.T)  # (z, v, u)
        self._axes: tuple[PlaneGrid, sparse.csr_array, sparse.csr_array] | None = None

    def plane(self, grid: PlaneGrid, z_mm: float) -> FloatArray:
        """Values on one plane, (n_u, n_v) float32."""
        if self._axes is None or self._axes[0] is not grid:
            self._axes = (grid, self._along(grid.u_mm, 0), self._along(grid.v_mm, 1))
        _, along_u, along_v = self._axes
        along_z = self._along(np.array([z_mm], np.float32), 2)
        n_z, *side = self._knots.shape
        layer = (along_z @ self._knots.reshape(n_z, -1)).reshape(side)
        values: FloatArray = along_u @ (along_v @ layer).T
        values /= np.float32(_SPLINE_STD**3)
        return values

    def _along(self, positions_mm: FloatArray, axis: int) -> sparse.csr_array:
        positions = (positions_mm + self._half[axis]) / self._pitch[axis] + 1
        return spline_weights(positions, self._knots.shape[2 - axis])


def _streaked(knots: FloatArray, stretch: float, angle: float) -> FloatArray:
    """Blur white noise along one direction of the plane, keeping its standard deviation."""
    fu = np.fft.fftfreq(knots.shape[0])[:, None, None]
    fv = np.fft.rfftfreq(knots.shape[1])[:, None]
    along = fu * np.cos(angle) + fv * np.sin(angle)
    response = np.exp(-((np.pi * stretch / 2 * along) ** 2))
    spectrum = np.fft.rfft2(knots, axes=(0, 1)) * response
    blurred = np.fft.irfft2(spectrum, s=knots.shape[:2], axes=(0, 1))
    unit: FloatArray = (blurred / blurred.std()).astype(np.float32)
    return unit


def random_fields(
    rng: np.random.Generator,
    extent_mm: tuple[float, float, float],
    looks: Mapping[str, tuple[float, ...]],
) -> dict[str, RandomField]:
    """Draw fields by name: of each the pitch in plane and along z, of streaks stretch and angle."""
    fields = {}
    for name, (in_plane, along_z, *streaks) in looks.items():
        stretch, angle = streaks or (1.0, 0.0)
        pitch = (in_plane, along_z)
        fields[name] = RandomField(rng, extent_mm, pitch_mm=pitch, stretch=stretch, angle=angle)
    return fields


def on_plane(
    fields: Mapping[str, RandomField], grid: PlaneGrid, z_mm: float
) -> dict[str, FloatArray]:
    """Values of fields on one plane, each (n_u, n_v) float32 with mean 0 and spread 1."""
    return {name: field.plane(grid, z_mm) for name, field in fields.items()}


def ridge(field: FloatArray, width: float) -> FloatArray:
    """1 where a smooth field crosses zero, falling off to both sides: thin curved lines."""
    line: FloatArray = np.exp(-((field / np.float32(width)) ** 2))
    return line


def muscle_fat(
    diffuse: FloatArray,
    streaks: FloatArray,
    patches: FloatArray,
    *,
    start: float,
    gain: float,
    peak: float,
    width: float,
) -> FloatArray:
    """Fat fraction of muscle: diffuse, and streaks along the muscle where `patches` > `start`."""
    allowed = np.clip((patches - np.float32(start)) * np.float32(gain), 0, 1)
    fat: FloatArray = diffuse + np.float32(peak) * ridge(streaks, width) * allowed
    return fat
