"""Acquisition: from signal to the image a scanner stores.

Coil shading, a finite k-space, complex noise, magnitude, and the vendor's intensity scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mskseg.data.phantom.anatomy import centred_axis
from mskseg.data.phantom.shapes import FloatArray, PlaneGrid, RandomField
from mskseg.data.phantom.signal import FieldStrength
from mskseg.errors import InputError


@dataclass(frozen=True)
class Site:
    """Where a scan was made.

    Attributes
    ----------
    name : str
        Shown in tables.
    field : str
        ``1.5T`` or ``3T``.
    noise : float
        Standard deviation of the noise in each of the two channels; muscle has signal 1.
    shading : float
        Standard deviation of the logarithm of the smooth sensitivity.
    coil_mm : float
        Depth over which a surface coil's sensitivity falls by a factor e; inf for a body coil.
    kept : float
        Share of k-space acquired along each in-plane axis; the rest is filled with zeros.
    scale : float
        Stored value of a voxel with signal 1.
    """

    name: str
    field: FieldStrength
    noise: float
    shading: float
    coil_mm: float
    kept: float
    scale: float


# noise: signal-to-noise ratios of about 28 and 15 in muscle; all values assumed.
SITES: Mapping[str, Site] = MappingProxyType(
    {
        "site A (3 T)": Site("site A (3 T)", "3T", 0.035, 0.15, 170.0, 0.80, 210.0),
        "site B (1.5 T)": Site("site B (1.5 T)", "1.5T", 0.060, 0.08, 300.0, 0.66, 640.0),
    }
)


def check_site(name: str) -> Site:
    """Return the site called `name`, or raise InputError."""
    if name not in SITES:
        raise InputError(f"unknown phantom site {name!r}; expected one of {', '.join(SITES)}")
    return SITES[name]


def acquire(
    signal: FloatArray,
    *,
    site: Site,
    extent_mm: tuple[float, float, float],
    body_rng: np.random.Generator,
    noise_rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Simulate the scan of a signal.

    Parameters
    ----------
    signal : (ni, nj, nk) float32
        Signed signal, see `voxel_signal`.
    site : Site
        The scanner.
    extent_mm : (float, float, float)
        Size of the grid.
    body_rng, noise_rng : numpy.random.Generator
        Of the shading, which belongs to subject and coil, and of the noise, new in every scan.

    Returns
    -------
    (ni, nj, nk) int16
        Magnitude; noise is Rayleigh distributed where there is no signal.
    """
    shaded = signal * sensitivity(signal.shape, site=site, extent_mm=extent_mm, rng=body_rng)
    window = _k_space_window(signal.shape[:2], site.kept)
    sigma = site.noise / np.sqrt(np.mean(window**2))  # the window takes some noise away again
    noise = noise_rng.standard_normal((2, *signal.shape), dtype=np.float32) * np.float32(sigma)
    measured = np.fft.fft2(shaded + noise[0] + 1j * noise[1], axes=(0, 1)) * window[..., None]
    magnitude = np.abs(np.fft.ifft2(measured, axes=(0, 1)))
    return np.clip(np.rint(magnitude * site.scale), 0, 32767).astype(np.int16)


def sensitivity(
    shape: tuple[int, ...],
    *,
    site: Site,
    extent_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> FloatArray:
    """Give the smooth sensitivity of coil and transmit field, about 1 in the middle."""
    ni, nj, nk = shape
    half = (extent_mm[0] / 2, extent_mm[1] / 2, extent_mm[2] / 2)
    shading = RandomField(rng, half, pitch_mm=(60.0, 90.0))
    strongest = rng.uniform(0, 2 * np.pi)
    grid = PlaneGrid(centred_axis(ni, extent_mm[0]), centred_axis(nj, extent_mm[1]))
    x, y = grid.points_mm
    from_axis = (np.hypot(x, y) - 55) / np.float32(site.coil_mm)
    towards = (x * np.cos(strongest) + y * np.sin(strongest)) / np.float32(2.5 * site.coil_mm)
    log = np.stack(
        [site.shading * shading.plane(grid, float(z)) for z in centred_axis(nk, extent_mm[2])],
        axis=2,
    )
    log += np.clip(from_axis + towards, -1.0, 0.8)[..., None].astype(np.float32)
    return np.exp(log).astype(np.float32)


def _k_space_window(shape: tuple[int, ...], kept: float) -> FloatArray:
    """Weights that keep the middle of k-space, with the soft edge scanners use against ringing."""
    sides = []
    for n in shape:
        frequency = np.abs(np.fft.fftfreq(n)) * 2 / kept
        ramp = np.clip((1.15 - frequency) / 0.3, 0, 1)
        sides.append(0.5 - 0.5 * np.cos(np.pi * ramp))
    window: FloatArray = np.outer(*sides).astype(np.float32)
    return window
