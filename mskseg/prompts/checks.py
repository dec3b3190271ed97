"""Validate boxes, points and masks against a slice."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mskseg.errors import InputError
from mskseg.input_files import reason_of

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def check_boxes(boxes_xyxy: npt.ArrayLike, shape: tuple[int, int]) -> Floats:
    """Validate boxes (N, 4) or (4,) against a slice of `shape` (H, W), else InputError."""
    boxes = check_numbers(boxes_xyxy, "boxes")
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim > 2 or boxes.shape[-1:] != (4,):
        raise InputError(f"expected boxes of shape (N, 4), x0, y0, x1, y1, got {boxes.shape}")
    boxes = boxes.reshape(-1, 4)
    height, width = shape
    for box in boxes:
        if box[0] >= box[2] or box[1] >= box[3]:
            raise InputError(
                f"the box {_shown(box)} is inverted or has no area; give x0 < x1 and y0 < y1"
            )
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
            raise InputError(
                f"the box {_shown(box)} reaches outside the slice of {width} columns and {height} "
                f"rows; keep x within 0 to {width} and y within 0 to {height}"
            )
    return boxes


def check_points(point_coords: npt.ArrayLike, shape: tuple[int, int]) -> Floats:
    """Validate points (..., 2), x and y, against a slice of `shape` (H, W), else InputError."""
    points = check_numbers(point_coords, "points")
    if points.shape[-1:] != (2,):
        raise InputError(f"expected points of shape (..., 2), x, y, got {points.shape}")
    height, width = shape
    outside = ((points < 0) | (points > (width, height))).any(axis=-1)
    if outside.any():
        raise InputError(
            f"the point {_shown(points[outside][0])} lies outside the slice of {width} columns and "
            f"{height} rows; keep x within 0 to {width} and y within 0 to {height}"
        )
    return points


def plain_array(values: Any, what: str = "values") -> npt.NDArray[Any]:
    """Make an array, of a tensor too: with a gradient, on a GPU, or of bfloat16."""
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = values.float() if "bfloat16" in str(values.dtype) else values
        return np.asarray(values)
    except Exception as error:  # numpy and torch raise whatever their conversions lead to
        raise _no_numbers(values, what, reason_of(error)) from error


def _no_numbers(values: Any, what: str, reason: str) -> InputError:
    got = " ".join(repr(values).split())[:200]
    return InputError(f"expected {what} as numbers in rows of equal length, got {got} ({reason})")


def check_numbers(values: npt.ArrayLike, what: str) -> Floats:
    """Return numbers of any shape as float64; InputError if one is not finite or rows differ."""
    given = plain_array(values, what)
    if given.dtype.kind not in "buif":
        raise _no_numbers(values, what, f"of type {given.dtype}")
    array = given.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(
            f"expected {what} as finite numbers, got {int((~np.isfinite(array)).sum())} NaN or "
            "infinite"
        )
    return array


def _shown(values: Floats) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def checked_mask(array: npt.ArrayLike, *, what: str = "the mask") -> Mask:
    """Return booleans, or numbers 0 and 1, as bool; InputError for labels, which would merge."""
    values = plain_array(array)
    if values.dtype == np.bool_:
        return values
    mask: Mask = values != 0
    if not np.array_equal(mask, values):
        raise InputError(
            f"{what} holds values other than 0 and 1, expected a mask; "
            "take one label with `label_map == label`"
        )
    return mask


def checked_slice_mask(
    mask: npt.ArrayLike, *, what: str = "the mask", empty_is_fine: bool = True
) -> Mask:
    """Return the mask of a slice as (H, W) bool; InputError where it is none or empty."""
    array = checked_mask(mask, what=what)
    if array.ndim != 2:
        raise InputError(f"expected {what} of a slice, of shape (H, W), got {array.shape}")
    if not empty_is_fine and not array.any():
        raise InputError(f"{what} is empty, expected a pixel or more to place a point on")
    return array


def check_amount(amount: float, what: str) -> float:
    """Return the amount, or raise InputError if it is negative or not finite."""
    if not np.isfinite(amount) or amount < 0:
        raise InputError(f"expected {what} as a finite number of 0 or more, got {amount}")
    return float(amount)


def bounding_slices(mask: Mask) -> tuple[slice, ...]:
    """Return the bounding box of a mask, a slice per axis, of length 0 where it is empty."""
    bounds = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        used = np.flatnonzero(mask.any(axis=others))
        bounds.append(slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 0))
    return tuple(bounds)
