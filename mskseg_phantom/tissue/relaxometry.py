"""Relaxometry: a map of T2 from the echoes of a multi-echo scan."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.tissue.tissues import FloatArray

FLOOR = 3.0  # echoes of fewer standard deviations of the noise are left out of the fit
FIRST_FLOOR = 10.0  # voxels whose first echo has fewer of them get no T2
LONGEST_MS = 300.0  # longer T2 is stored as this; echoes up to 80 ms do not tell it any better
_PART = 16384  # voxels fitted at once
MAP_UNIT_MS = 0.1  # a T2 map stores integers of this unit


def noise_level(magnitude: FloatArray) -> float:
    """Estimate the noise of each channel, from the air in the corners of each slice.

    Rayleigh noise has a mean of sqrt(pi / 2) standard deviations; of the four corners, 1/16 of the
    plane's width each, the darkest counts, so that a body that reaches into the others is harmless.
    """
    n = max(min(magnitude.shape[:2]) // 16, 2)
    corners = [
        magnitude[a, b] for a in (slice(n), slice(-n, None)) for b in (slice(n), slice(-n, None))
    ]
    return float(min(corner.mean(dtype=np.float64) for corner in corners) / np.sqrt(np.pi / 2))


def fit_t2(echoes: FloatArray, te_ms: Sequence[float], *, noise: float) -> FloatArray:
    """Fit one exponential to each voxel, in closed form.

    A line through the logarithm of the echoes, twice: first with the squared magnitude as weight,
    which is how the noise of a logarithm wants it, then with the square that the first line
    predicts, which does not prefer echoes that noise happened to raise. Echoes (the second time,
    predicted ones) under `FLOOR` are left out; above it the logarithm of a Rician magnitude is
    unbiased to 0.2 %, so nothing is subtracted.

    `echoes` are the magnitudes, (n_echoes, ...) float32, at the echo times `te_ms`; `noise` is the
    standard deviation in each channel, see `noise_level`. Returns T2 in ms, (...) float32, at most
    `LONGEST_MS`; 0 where fewer than three echoes reach above the floor, or the first does not reach
    above `FIRST_FLOOR`.
    """
    floor = np.float32((FLOOR * noise) ** 2)
    flat = echoes.reshape(len(echoes), -1)
    enough = (flat**2 > floor).sum(axis=0) >= 3
    clear = np.flatnonzero(enough & (flat[0] > FIRST_FLOOR * noise))
    t2 = np.zeros(flat.shape[1], dtype=np.float32)
    at_ms = np.asarray(te_ms, np.float32)
    # In parts that stay in the processor's cache; shorter ones NumPy may add in another order.
    for part in np.array_split(clear, max(clear.size // _PART, 1)):
        magnitude = flat[:, part]
        log = np.log(np.maximum(magnitude, np.float32(1e-6)))
        start, rate = _line(log, at_ms, np.where(magnitude**2 > floor, magnitude**2, np.float32(0)))
        predicted = np.exp(2 * (start - rate * at_ms[:, None]))
        _, rate = _line(log, at_ms, np.where(predicted > floor, predicted, np.float32(0)))
        t2[part] = 1 / np.maximum(rate, np.float32(1 / LONGEST_MS))
    return t2.reshape(echoes.shape[1:])


def _line(log: FloatArray, te_ms: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted least squares for every voxel at once: value at echo time 0, rate of decay."""
    total = np.maximum(weight.sum(axis=0), np.float32(1e-20))
    mean_te = (weight * te_ms[:, None]).sum(axis=0) / total
    mean_log = (weight * log).sum(axis=0) / total
    lever = weight * (te_ms[:, None] - mean_te)
    spread = np.maximum((lever * (te_ms[:, None] - mean_te)).sum(axis=0), np.float32(1e-20))
    rate = -(lever * (log - mean_log)).sum(axis=0) / spread
    return mean_log + rate * mean_te, rate


def as_stored(t2_ms: FloatArray) -> NDArray[np.int16]:
    """Give a map of T2 in ms as integers of `MAP_UNIT_MS`."""
    voxels: NDArray[np.int16] = np.rint(t2_ms / np.float32(MAP_UNIT_MS)).astype(np.int16)
    return voxels
