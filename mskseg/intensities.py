"""Voxel values of an image: whether they can be segmented, and how they become 8 bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mskseg.errors import InputError
from mskseg.volume import Array, Volume

WINDOW_PERCENTILES = (0.5, 99.5)  # robust against a few bright vessels, keeps the dark muscle


def window_of(array: Array) -> tuple[float, float]:
    """Find the intensities that become black and white: percentiles of the non-zero voxels.

    Take a whole volume (ni, nj, nk), so that all its slices share one window.
    """
    voxels = array[array != 0]
    if voxels.dtype == bool:
        voxels = voxels.view(np.uint8)  # percentiles interpolate, which truth values cannot
    low, high = np.percentile(voxels, WINDOW_PERCENTILES, overwrite_input=True)
    if low == high:  # an image of one non-zero value still shows against its background
        low = min(low, array.min())
    return float(low), float(high)


def to_8_bit(array: Array, window: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Clip an array to a window and scale it to 0 to 255, in the array's shape."""
    low, high = window
    scaled = np.clip(array, np.float32(low), np.float32(high))
    scaled -= scaled.dtype.type(low)
    scaled *= 255.0 / (high - low) if high > low else 0.0
    shown: npt.NDArray[np.uint8] = np.rint(scaled, out=scaled).astype(np.uint8)
    return shown


def check_image(image: Volume, *, what: str) -> None:
    """Refuse an image with a voxel that is NaN or infinite, or without any that is not zero."""
    if image.array.dtype.kind == "f":
        broken = image.array.size - int(np.count_nonzero(np.isfinite(image.array)))
        if broken:
            raise InputError(
                f"the {what} has {broken} NaN or infinite voxels of {image.array.size}; "
                "replace them, for example by 0, before segmenting"
            )
    if not image.array.any():
        raise InputError(f"the {what} is zero in every voxel; give an image with content")
