"""k-space: several coils, smooth phase, what is sampled, and how the image is made from it.

Arrays are (K, n_u, n_v) here, slice first, since transforms run over contiguous planes. The last
axis is the phase-encoding one. Coil sensitivities are relative, with a sum of squares of 1
everywhere, and known to the reconstruction; the receive profile that they have in common is part of
the image (`acquisition.sensitivity`), as it is at a scanner.

A full scan is encoded slice by slice. An 8x scan is encoded in 3-D, as such scans are: what is left
out are pairs of a phase-encoding and a slice-encoding step.
"""

from collections.abc import Callable, Iterable

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mskseg_phantom.tissue import FloatArray

ComplexArray = NDArray[np.complex64]

N_COILS = 4
_COIL_RING = 0.62  # distance of the coils from the middle, in units of the plane's extent: assumed
ACCELERATION = 8
_CENTRAL_SHARE = 0.25  # of the acquired samples, these are the lowest frequencies
_DENSITY_POWER = 2.0  # how fast the density of the others falls towards the edge
_ITERATIONS = 5
_PRIOR_EDGE = 0.3  # where the prior has fallen to half, in units of the sampling frequency
_REGULARISATION = 0.01
_ENCODED = (0, 2)  # the axes of slice and phase encoding
_APODISATION = 0.2  # how much lower the edge of k-space is weighted, half of it: tuned to be real


def coil_maps(shape: tuple[int, int, int], n_coils: int = N_COILS) -> ComplexArray:
    """Sensitivities (n_coils, K, n_u, n_v) of coils on a ring around the body; of one coil, 1."""
    if n_coils == 1:
        return np.broadcast_to(np.complex64(1), (1, *shape))
    z, u, v = ((np.arange(n) + 0.5) / n - 0.5 for n in shape)
    maps = np.empty((n_coils, *shape), dtype=np.complex64)
    for coil, angle in enumerate(2 * np.pi * (np.arange(n_coils) + 0.5) / n_coils):
        du = u[:, None] - _COIL_RING * np.cos(angle)
        dv = v - _COIL_RING * np.sin(angle)
        plane = (0.15 + du**2 + dv**2) ** -1.5 * np.exp(1j * np.arctan2(dv, du))
        along = 1 / (0.3 + (z - (0.35 if coil % 2 else -0.35)) ** 2)
        maps[coil] = along[:, None, None] * plane
    maps /= np.sqrt((maps.real**2 + maps.imag**2).sum(axis=0))
    return maps


def soft_window(shape: tuple[int, int], kept: float) -> FloatArray:
    """Weights of k-space: its middle share `kept`, with the filter scanners use against ringing."""
    sides = []
    for n in shape:
        frequency = np.abs(np.fft.fftfreq(n)) * 2
        edge = np.clip((1.15 - frequency / kept) / 0.3, 0, 1)
        filtered = 1 - _APODISATION * (1 - np.cos(np.pi * frequency))
        sides.append(filtered * (0.5 - 0.5 * np.cos(np.pi * edge)))
    window: FloatArray = np.outer(*sides).astype(np.float32)
    return window


def eighth_of_steps(n_slices: int, n_lines: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the encoding steps of an 8x scan, (n_slices, 1, n_lines): the lowest, random others."""
    radius = np.hypot(np.fft.fftfreq(n_slices)[:, None], np.fft.fftfreq(n_lines)).ravel() * 2
    count = radius.size // ACCELERATION
    acquired = np.zeros(radius.size, dtype=bool)
    acquired[np.argsort(radius, kind="stable")[: int(_CENTRAL_SHARE * count)]] = True
    density = np.where(acquired, 0.0, np.clip(1.05 - radius, 1e-6, None) ** _DENSITY_POWER)
    others = count - int(acquired.sum())
    acquired[rng.choice(radius.size, others, replace=False, p=density / density.sum())] = True
    return acquired.reshape(n_slices, 1, n_lines)


def fully_sampled(
    image: ComplexArray,
    maps: ComplexArray,
    *,
    window: FloatArray,
    noise: float,
    rng: np.random.Generator,
) -> ComplexArray:
    """Measure an image (K, n_u, n_v) with coils (C, K, n_u, n_v); combine by least squares."""
    strength = noise / np.sqrt(np.mean(window**2))  # the window takes some noise away again
    combined = np.zeros_like(image)
    for sensitivity in maps:
        # A plane at a time stays in the processor's cache.
        for plane, seen, total in zip(image, sensitivity, combined, strict=True):
            measured = scipy.fft.fft2(plane * seen, norm="ortho", overwrite_x=True)
            measured += _noise(measured.shape, strength, rng)
            measured *= window
            total += seen.conj() * scipy.fft.ifft2(measured, norm="ortho", overwrite_x=True)
    return combined


def undersampled(
    image: ComplexArray,
    maps: ComplexArray,
    *,
    window: FloatArray,
    acquired: NDArray[np.bool_],
    noise: float,
    rng: np.random.Generator,
) -> ComplexArray:
    """Measure some encoding steps only and reconstruct: SENSE with a smoothness prior.

    Minimises ``|M F C S z - measured|^2 + lambda |z|^2`` by five steps of conjugate gradients and
    gives ``S z``: C are the sensitivities, F the transform along slice and phase encoding, M the
    steps acquired, and S damps high frequencies, as images have less of them. What steps and coils
    do not tell stays blurred, and some aliasing stays as faint streaks: the look of a plain
    regularised reconstruction, not of a trained one.

    `acquired`, (K, 1, n_v) bool, says which pairs of a slice-encoding and a phase-encoding step are
    measured, zero frequency first; `noise` is that of a full scan; the rest as in `fully_sampled`.
    """
    strength = noise / np.sqrt(np.mean(window**2))
    weight = window * acquired
    measured = []
    for sensitivity in maps:
        samples = scipy.fft.fftn(image * sensitivity, norm="ortho")
        samples += _noise(samples.shape, strength, rng)
        samples *= weight
        measured.append(scipy.fft.ifft(samples, axis=1, norm="ortho", overwrite_x=True))
    # Half as high at the prior's edge; thick slices differ more from each other than pixels do.
    slices = np.fft.fftfreq(image.shape[0])[:, None, None] / (2.5 * _PRIOR_EDGE)
    lines = np.fft.fftfreq(image.shape[2]) / _PRIOR_EDGE
    prior = (1 / (1 + slices**2 + lines**2)).astype(np.float32)

    def smooth(z: ComplexArray) -> ComplexArray:
        return _inverse(scipy.fft.fftn(z, axes=_ENCODED, norm="ortho") * prior)

    def adjoint(samples: Iterable[ComplexArray]) -> ComplexArray:
        total = np.zeros_like(image)
        for sample, sensitivity in zip(samples, maps, strict=True):
            total += sensitivity.conj() * _inverse(sample)
        return smooth(total)

    def normal(z: ComplexArray) -> ComplexArray:
        smoothed = smooth(z)
        coils = (smoothed * sensitivity for sensitivity in maps)
        samples = (scipy.fft.fftn(c, axes=_ENCODED, norm="ortho") * acquired for c in coils)
        return adjoint(samples) + np.float32(_REGULARISATION) * z

    return smooth(_conjugate_gradients(normal, adjoint(measured)))


def _conjugate_gradients(
    normal: Callable[[ComplexArray], ComplexArray], right_side: ComplexArray
) -> ComplexArray:
    residue, z = right_side, np.zeros_like(right_side)
    direction, power = residue.copy(), _power(residue)
    for _ in range(_ITERATIONS):
        bent = normal(direction)
        curvature = float((direction.conj() * bent).real.sum(dtype=np.float64))
        step = np.float32(power / max(curvature, 1e-30))
        z += step * direction
        residue = residue - step * bent
        before, power = power, _power(residue)
        direction = residue + np.float32(power / max(before, 1e-30)) * direction
    return z


def _inverse(spectrum: ComplexArray) -> ComplexArray:
    image: ComplexArray = scipy.fft.ifftn(spectrum, axes=_ENCODED, norm="ortho", overwrite_x=True)
    return image


def _power(array: ComplexArray) -> float:
    return float((array.real**2 + array.imag**2).sum(dtype=np.float64))


def _noise(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> ComplexArray:
    pairs = rng.standard_normal((*shape, 2), dtype=np.float32)
    pairs *= np.float32(strength)
    return pairs.view(np.complex64)[..., 0]
