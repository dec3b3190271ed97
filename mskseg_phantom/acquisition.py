"""Acquisition: from signal to the image a scanner stores.

Shading and phase, several coils, a finite k-space, complex noise, reconstruction, magnitude, and
the vendor's intensity scale. The noise of a voxel does not depend on the resolution: a finer scan
is taken to be averaged for longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg_phantom.anatomy import centred_axis
from mskseg_phantom.kspace import (
    N_COILS,
    ComplexArray,
    Readout,
    coil_maps,
    eighth_of_steps,
    fully_sampled,
    soft_window,
    undersampled,
)
from mskseg_phantom.shapes import FloatArray, PlaneGrid, RandomField
from mskseg_phantom.signal import FieldStrength, SignalArray


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


# Noise and kept of site A bring SNR, edge width and spectrum of the opposed-phase thigh near those
# of the real scan (tests/data/phantom/test_realism.py); everything else is assumed.
SITES: Mapping[str, Site] = MappingProxyType(
    {
        "site A (3 T)": Site("site A (3 T)", "3T", 0.028, 0.15, 170.0, 0.90, 210.0),
        "site B (1.5 T)": Site("site B (1.5 T)", "1.5T", 0.055, 0.08, 300.0, 0.72, 640.0),
    }
)

_PHASE_RAD = 0.6  # standard deviation of the smooth phase: assumed


def check_site(name: str) -> Site:
    """Return the site called `name`, or raise InputError."""
    if name not in SITES:
        raise InputError(f"unknown phantom site {name!r}; expected one of {', '.join(SITES)}")
    return SITES[name]


def acquire(
    signal: SignalArray,
    *,
    site: Site,
    extent_mm: tuple[float, float, float],
    body_rng: np.random.Generator,
    noise_rng: np.random.Generator,
    noise: float = 1.0,
    eighth: bool = False,
    n_coils: int = N_COILS,
) -> NDArray[np.int16]:
    """Simulate the scan of a signal.

    Parameters
    ----------
    signal : (ni, nj, nk) float32 or complex64
        See `voxel_signal`; nj is the phase-encoding axis.
    site : Site
        The scanner.
    extent_mm : (float, float, float)
        Size of the grid.
    body_rng, noise_rng : numpy.random.Generator
        Of shading and phase, which belong to subject and coil, and of the noise, new in every scan.
    noise : float
        In units of the site's; see `sequences.Sequence`.
    eighth : bool
        Acquire an eighth of the encoding steps and reconstruct as `kspace.undersampled` says.
    n_coils : int
        1 is the virtual coil that a known set of coils adds up to: quicker, all but the same.

    Returns
    -------
    (ni, nj, nk) int16
        Magnitude; noise is Rayleigh distributed where there is no signal.
    """
    field = receive_field(signal.shape, site=site, extent_mm=extent_mm, rng=body_rng)
    magnitude = measure_magnitude(
        signal, field, site=site, rng=noise_rng, noise=noise, eighth=eighth, n_coils=n_coils
    )
    return stored(magnitude, site)


def measure_magnitude(
    signal: SignalArray,
    field: ComplexArray,
    *,
    site: Site,
    rng: np.random.Generator,
    noise: float = 1.0,
    eighth: bool = False,
    n_coils: int = N_COILS,
) -> FloatArray:
    """Measure k-space, reconstruct, take the magnitude; (ni, nj, nk) float32, before scaling.

    Parameters as in `acquire`; `field` is that of `receive_field`.
    """
    image = np.ascontiguousarray(np.moveaxis(signal * field, 2, 0))
    n_slices, n_u, n_v = image.shape
    maps = coil_maps((n_slices, n_u, n_v), n_coils)
    window = soft_window((n_u, n_v), site.kept)
    strength = noise * site.noise
    if eighth:
        readout = Readout(window, eighth_of_steps(n_slices, n_v, rng))
        result = undersampled(image, maps, readout, noise=strength, rng=rng)
    else:
        result = fully_sampled(image, maps, window=window, noise=strength, rng=rng)
    magnitude: FloatArray = np.moveaxis(np.abs(result), 0, 2)
    return magnitude


def stored(magnitude: FloatArray, site: Site) -> NDArray[np.int16]:
    """Give a magnitude the integers that this site's scanner stores."""
    scaled = np.rint(magnitude * np.float32(site.scale))
    voxels: NDArray[np.int16] = np.clip(scaled, 0, 32767).astype(np.int16)
    return voxels


def receive_field(
    shape: tuple[int, ...],
    *,
    site: Site,
    extent_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> ComplexArray:
    """Give the smooth complex field a signal is seen through, (ni, nj, nk) complex64.

    Its magnitude is `sensitivity`; its phase, from field and coil, varies by about a radian over
    the body.
    """
    strength = sensitivity(shape, site=site, extent_mm=extent_mm, rng=rng)
    ni, nj, nk = shape
    half = (extent_mm[0] / 2, extent_mm[1] / 2, extent_mm[2] / 2)
    smooth = RandomField(rng, half, pitch_mm=(70.0, 90.0))
    slope = rng.normal(0, 1.0, 2)
    grid = PlaneGrid(centred_axis(ni, extent_mm[0]), centred_axis(nj, extent_mm[1]))
    u, v = grid.points_mm
    ramp = (u * slope[0] / half[0] + v * slope[1] / half[1]).astype(np.float32)
    field = np.empty((nk, ni, nj), dtype=np.complex64)
    for k, z in enumerate(centred_axis(nk, extent_mm[2])):
        phase = np.float32(_PHASE_RAD) * smooth.plane(grid, float(z)) + ramp
        field[k].real, field[k].imag = np.cos(phase), np.sin(phase)
        field[k] *= strength[:, :, k]
    return np.moveaxis(field, 0, 2)


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
    profile = np.clip(from_axis + towards, -1.0, 0.8).astype(np.float32)
    strength = np.empty((nk, ni, nj), dtype=np.float32)
    for k, z in enumerate(centred_axis(nk, extent_mm[2])):
        strength[k] = np.exp(np.float32(site.shading) * shading.plane(grid, float(z)) + profile)
    return np.moveaxis(strength, 0, 2)
