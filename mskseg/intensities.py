"""Voxel values of an image: whether they can be segmented, and how they become 8 bit."""

import numpy as np
import numpy.typing as npt

from mskseg.errors import InputError
from mskseg.volume import Array, Volume

WINDOW_PERCENTILES = (0.5, 99.5)  # robust against a few bright vessels, keeps the dark muscle
Mask = npt.NDArray[np.bool_]

_PADDED = 0.005  # of the voxels: fewer do not move the window
_FAR = 0.1  # of the range of the others: nearer padding costs few grey values


def find_padding(array: Array) -> Mask | None:
    """Find the voxels of a value that is negative, shared by many and far below all others.

    Such a value fills what was not measured. Those that interpolation made of it count; None if
    there are none.
    """
    lowest = float(array.min())
    n_lowest = np.count_nonzero(array == lowest)
    if lowest >= 0 or n_lowest < _PADDED * array.size:
        return None
    others = array[(array != lowest) & (array != 0)].astype(np.float64)
    if not others.size:
        return None
    low, high = np.percentile(others, (10, 98))
    least = lowest + _FAR * (high - low)
    # Below an image without negative values all others are interpolated; else the gap is empty.
    upper, few = (0.0, 0.2) if low >= 0 else (least, 0.05)
    between = others[others < upper]
    if upper < least or between.size > few * n_lowest:
        return None
    padded: Mask = array <= float(between.max(initial=lowest))
    return padded


def window_of(array: Array, padded: Mask | None = None) -> tuple[float, float]:
    """Find the intensities that become black and white: percentiles of the non-zero voxels.

    Take a whole volume (ni, nj, nk), so that all its slices share one window; `padded` voxels are
    left out.
    """
    measured = array != 0
    if padded is not None:
        measured &= ~padded
    voxels = array[measured if measured.any() else array != 0]
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
