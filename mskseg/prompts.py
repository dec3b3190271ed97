"""Boxes and points for a promptable model: from masks, jittered, simulated clicks.

Everything is in pixels of the slice: boxes ``(x0, y0, x1, y1)`` half-open in continuous
coordinates, points ``(x, y)`` with pixel centres at .5 (see `mskseg.data.volume`). Components are
8-connected: a muscle that hangs together over a corner is one muscle and gets one box.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mskseg.errors import InputError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MIN_AREA_MM2 = 30.0  # below this a component is a fleck that nobody would draw a box around
_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


def label_components(
    mask: npt.ArrayLike, *, spacing_mm: tuple[float, float], min_area_mm2: float = MIN_AREA_MM2
) -> tuple[npt.NDArray[np.int32], int]:
    """Number the 8-connected components of a mask that are large enough.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)
        Pixel size in mm.
    min_area_mm2 : float
        Components of a smaller area get no number; their pixels are 0.

    Returns
    -------
    component_map : (H, W) int32
        0 for background, 1 to n for the components, in the order of their first pixel by rows.
    n : int

    Raises
    ------
    InputError
        If the mask is not 2-D or the spacing not positive.
    """
    checked = _checked_mask(mask)
    if not all(np.isfinite(length) and length > 0 for length in spacing_mm):
        raise InputError(f"spacing_mm is (row, column), both above 0, got {spacing_mm}")
    found, n_found = ndimage.label(checked, structure=_EIGHT_CONNECTED, output=np.int32)
    area_mm2 = np.bincount(found.ravel(), minlength=n_found + 1) * spacing_mm[0] * spacing_mm[1]
    kept = area_mm2 >= min_area_mm2
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return number[found], int(kept.sum())


def boxes_from_mask(
    mask: npt.ArrayLike, *, spacing_mm: tuple[float, float], min_area_mm2: float = MIN_AREA_MM2
) -> Floats:
    """Tight boxes around the components of a mask that are large enough.

    Parameters
    ----------
    mask, spacing_mm, min_area_mm2
        As `label_components`.

    Returns
    -------
    boxes_xyxy : (N, 4) float64
        In the order of the components; (0, 4) if none is large enough.
    """
    components, _ = label_components(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
    boxes = [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in ndimage.find_objects(components)
    ]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def pad_boxes(boxes_xyxy: npt.ArrayLike, *, pixels: float, shape: tuple[int, int]) -> Floats:
    """Widen boxes on every side, as far as the slice goes.

    Parameters
    ----------
    boxes_xyxy : (N, 4) or (4,) float
    pixels : float
        0 or more.
    shape : (H, W)
        Of the slice.

    Returns
    -------
    boxes_xyxy : (N, 4) float64

    Raises
    ------
    InputError
        If a box is not one of the slice (see `check_boxes`), or the padding is negative.
    """
    _check_amount(pixels, "padding in pixels")
    boxes = check_boxes(boxes_xyxy, shape)
    return _clipped(boxes + np.array([-pixels, -pixels, pixels, pixels]), shape)


def jitter_boxes(
    boxes_xyxy: npt.ArrayLike,
    *,
    shape: tuple[int, int],
    rng: np.random.Generator,
    pixels: float | None = None,
    relative: float | None = None,
) -> Floats:
    """Move every side of every box on its own by a uniform random amount.

    Boxes are clipped to the slice. A box that came out narrower than a pixel, or inverted, becomes
    one pixel wide around the same centre.

    Parameters
    ----------
    boxes_xyxy : (N, 4) or (4,) float
    shape : (H, W)
        Of the slice.
    rng : numpy Generator
        Four numbers are drawn per box, whatever the amount.
    pixels : float, optional
        Sides move by up to this many pixels, in or out.
    relative : float, optional
        Sides move by up to this part of the box's width (left, right) or height (top, bottom).

    Returns
    -------
    boxes_xyxy : (N, 4) float64

    Raises
    ------
    InputError
        If a box is not one of the slice, or not exactly one amount of 0 or more is given.
    """
    boxes = check_boxes(boxes_xyxy, shape)
    if (pixels is None) == (relative is None):
        raise InputError("give jitter either in `pixels` or as `relative`, not both or none")
    if pixels is not None:
        _check_amount(pixels, "jitter in pixels")
        reach = np.full_like(boxes, pixels)
    else:
        relative = _check_amount(relative, "relative jitter")
        reach = relative * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = _clipped(boxes + rng.uniform(-1.0, 1.0, size=boxes.shape) * reach, shape)
    return _at_least_a_pixel(moved, shape)


def next_slice_boxes(
    mask: npt.ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    margin_px: float,
    min_area_mm2: float = MIN_AREA_MM2,
) -> Floats:
    """Boxes for a slice from the mask of its neighbour: tight boxes, widened by a margin.

    Parameters
    ----------
    mask : (H, W) bool
        Of the neighbouring slice: its reference, or what was predicted there.
    spacing_mm, min_area_mm2
        As `label_components`.
    margin_px : float
        How far the structure may move from one slice to the next, in pixels.

    Returns
    -------
    boxes_xyxy : (N, 4) float64
        (0, 4) if the mask has no component that is large enough.
    """
    boxes = boxes_from_mask(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
    height, width = np.shape(mask)
    return pad_boxes(boxes, pixels=margin_px, shape=(height, width))


def fill_boxes(boxes_xyxy: npt.ArrayLike, shape: tuple[int, int]) -> Mask:
    """Fill the boxes: the baseline that any model prompted by them has to beat.

    Parameters
    ----------
    boxes_xyxy : (N, 4) or (4,) float
    shape : (H, W)
        Of the slice.

    Returns
    -------
    (H, W) bool
        True where the centre of the pixel lies in a box.

    Raises
    ------
    InputError
        If a box is not one of the slice (see `check_boxes`).
    """
    filled = np.zeros(shape, dtype=bool)
    for x0, y0, x1, y1 in np.ceil(check_boxes(boxes_xyxy, shape) - 0.5).astype(int):
        filled[y0:y1, x0:x1] = True
    return filled


def central_point(mask: npt.ArrayLike, *, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Centre of the pixel that lies deepest inside a mask.

    Beyond the border of the slice counts as outside. Of equally deep pixels the one nearest to the
    mask's centre of mass is taken, then the first by rows.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)
        Pixel size; only its ratio matters.

    Returns
    -------
    point : (2,) float64
        x, y.

    Raises
    ------
    InputError
        If the mask is empty or not 2-D.
    """
    rows, columns, _ = _deepest(_checked_mask(mask, empty_is_fine=False), spacing_mm)
    return np.array([columns + 0.5, rows + 0.5])


def random_points(mask: npt.ArrayLike, n: int, *, rng: np.random.Generator) -> Floats:
    """Centres of n random pixels of a mask, each pixel once while there are enough.

    Parameters
    ----------
    mask : (H, W) bool
    n : int
        1 or more; if the mask has fewer pixels they are drawn with repetition.
    rng : numpy Generator

    Returns
    -------
    point_coords : (n, 2) float64
        x, y.

    Raises
    ------
    InputError
        If the mask is empty or not 2-D, or n is below 1.
    """
    if n < 1:
        raise InputError(f"expected one point or more, got n = {n}")
    pixels = np.argwhere(_checked_mask(mask, empty_is_fine=False))
    chosen = rng.choice(len(pixels), size=n, replace=n > len(pixels))
    return pixels[chosen, ::-1] + 0.5


def error_point(
    reference: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    rng: np.random.Generator | None = None,
) -> tuple[Floats, int]:
    """Simulate the click with which a reader corrects a prediction.

    Parameters
    ----------
    reference, prediction : (H, W) bool
    rng : numpy Generator, optional
        If given, any pixel of the error region, as SAM was trained; if not, the pixel deepest
        inside what was missed or what was added, as a careful reader clicks.

    Returns
    -------
    point : (2,) float64
        x, y.
    label : int
        1 if the reference holds the point (it was missed), 0 if not (it was added).

    Raises
    ------
    InputError
        If the shapes differ, or there is no error to correct.
    """
    truth, guess = _checked_mask(reference), _checked_mask(prediction)
    if truth.shape != guess.shape:
        raise InputError(f"reference {truth.shape} and prediction {guess.shape} differ in shape")
    if np.array_equal(truth, guess):
        raise InputError("the prediction equals the reference, there is no error to click on")
    if rng is not None:
        x, y = random_points(truth ^ guess, 1, rng=rng)[0]
        return np.array([x, y]), int(truth[int(y), int(x)])
    regions = {1: truth & ~guess, 0: guess & ~truth}
    deepest = {k: _deepest(region, (1.0, 1.0)) for k, region in regions.items() if region.any()}
    label = max(deepest, key=lambda k: deepest[k][2])
    row, column, _ = deepest[label]
    return np.array([column + 0.5, row + 0.5]), label


def check_boxes(boxes_xyxy: npt.ArrayLike, shape: tuple[int, int]) -> Floats:
    """Make sure that boxes are boxes of a slice.

    Parameters
    ----------
    boxes_xyxy : (N, 4) or (4,) float
    shape : (H, W)
        Of the slice.

    Returns
    -------
    boxes_xyxy : (N, 4) float64

    Raises
    ------
    InputError
        If the array has another shape, a value is NaN or infinite, a box is inverted or has no
        area, or reaches outside the slice.
    """
    boxes = _floats(boxes_xyxy, "boxes")
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim > 2 or boxes.shape[-1:] != (4,):
        raise InputError(f"boxes have the shape (N, 4) as x0, y0, x1, y1, got {boxes.shape}")
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
    """Make sure that points lie in a slice.

    Parameters
    ----------
    point_coords : (..., 2) float
        x, y.
    shape : (H, W)
        Of the slice.

    Returns
    -------
    point_coords : (..., 2) float64

    Raises
    ------
    InputError
        If the last axis is not x, y, a value is NaN or infinite, or a point lies outside.
    """
    points = _floats(point_coords, "points")
    if points.shape[-1:] != (2,):
        raise InputError(f"points have the shape (..., 2) as x, y, got {points.shape}")
    height, width = shape
    outside = ((points < 0) | (points > (width, height))).any(axis=-1)
    if outside.any():
        raise InputError(
            f"the point {_shown(points[outside][0])} lies outside the slice of {width} columns and "
            f"{height} rows; keep x within 0 to {width} and y within 0 to {height}"
        )
    return points


def _floats(values: npt.ArrayLike, what: str) -> Floats:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} are numbers in rows of equal length, got {values!r}") from error
    if not np.isfinite(array).all():
        raise InputError(
            f"{what} need finite numbers, got {int((~np.isfinite(array)).sum())} NaN or infinite"
        )
    return array


def _shown(values: Floats) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def _checked_mask(mask: npt.ArrayLike, *, empty_is_fine: bool = True) -> Mask:
    array = np.asarray(mask)
    if array.ndim != 2:
        raise InputError(f"a mask of a slice has the shape (H, W), got {array.shape}")
    if not empty_is_fine and not array.any():
        raise InputError("the mask is empty, there is no pixel to place a point on")
    return array.astype(bool, copy=False)


def _check_amount(amount: Any, what: str) -> float:
    if not np.isfinite(amount) or amount < 0:
        raise InputError(f"{what} is a finite number of 0 or more, got {amount}")
    return float(amount)


def _clipped(boxes: Floats, shape: tuple[int, int]) -> Floats:
    height, width = shape
    clipped: Floats = np.clip(boxes, 0, (width, height, width, height))
    return clipped


def _at_least_a_pixel(boxes: Floats, shape: tuple[int, int]) -> Floats:
    height, width = shape
    low, high = boxes[:, :2], boxes[:, 2:]
    centre = np.clip((low + high) / 2, 0.5, (width - 0.5, height - 0.5))
    narrow = high - low < 1
    return np.hstack(
        [np.where(narrow, centre - 0.5, low), np.where(narrow, centre + 0.5, high)]
    )


def _deepest(mask: Mask, spacing_mm: tuple[float, float]) -> tuple[int, int, float]:
    """Row, column and depth of the pixel farthest from the outside."""
    padded = np.pad(mask, 1)  # so that beyond the slice counts as outside
    depth = ndimage.distance_transform_edt(padded, sampling=spacing_mm)[1:-1, 1:-1]
    candidates = np.argwhere(depth >= depth.max() * (1 - 1e-9))
    centre = np.argwhere(mask).mean(axis=0)
    offsets = ((candidates - centre) * np.array(spacing_mm)) ** 2
    row, column = candidates[offsets.sum(axis=1).argmin()]
    return int(row), int(column), float(depth.max())
