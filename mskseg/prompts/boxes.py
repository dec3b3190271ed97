"""Boxes from masks, padded, jittered and filled."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mskseg.errors import InputError
from mskseg.prompts.checks import Floats, Mask, check_amount, check_boxes, checked_slice_mask

MIN_AREA_MM2 = 30.0  # below this a component is a fleck that nobody would draw a box around
_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


def label_components(
    mask: npt.ArrayLike, *, spacing_mm: tuple[float, float], min_area_mm2: float = MIN_AREA_MM2
) -> tuple[npt.NDArray[np.int32], int]:
    """Find the 8-connected components of a mask (H, W) of `min_area_mm2` or more.

    Returns a map (H, W) int32, 0 for the rest, 1 to n in the order of their first pixel by rows,
    and n.
    """
    checked = checked_slice_mask(mask)
    if not all(np.isfinite(length) and length > 0 for length in spacing_mm):
        raise InputError(f"expected spacing_mm (row, column), both above 0, got {spacing_mm}")
    components, n = ndimage.label(checked, structure=_EIGHT_CONNECTED, output=np.int32)
    area_mm2 = np.bincount(components.ravel(), minlength=n + 1) * spacing_mm[0] * spacing_mm[1]
    kept = area_mm2 >= min_area_mm2
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return number[components], int(kept.sum())


def boxes_from_mask(
    mask: npt.ArrayLike, *, spacing_mm: tuple[float, float], min_area_mm2: float = MIN_AREA_MM2
) -> Floats:
    """Draw tight boxes (N, 4) around the components of a mask; see `label_components`."""
    components, _ = label_components(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
    boxes = [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in ndimage.find_objects(components)
    ]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def pad_boxes(boxes_xyxy: npt.ArrayLike, *, pixels: float, shape: tuple[int, int]) -> Floats:
    """Widen boxes (N, 4) on every side, as far as the slice goes; InputError as `check_boxes`."""
    check_amount(pixels, "padding in pixels")
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
    """Move every side of every box by up to `pixels`, or a `relative` part of the box, at random.

    Boxes are clipped to the slice of `shape`; what came out narrower than a pixel, or inverted,
    becomes one pixel wide around the same centre. InputError unless one amount of 0 or more is
    given.
    """
    boxes = check_boxes(boxes_xyxy, shape)
    if (pixels is None) == (relative is None):
        raise InputError("expected jitter either in `pixels` or as `relative`, got both or none")
    if pixels is not None:
        check_amount(pixels, "jitter in pixels")
        reach = np.full_like(boxes, pixels)
    else:
        reach = check_amount(relative or 0.0, "relative jitter") * np.tile(
            boxes[:, 2:] - boxes[:, :2], 2
        )
    moved = _clipped(boxes + rng.uniform(-1.0, 1.0, size=boxes.shape) * reach, shape)
    return _at_least_a_pixel(moved, shape)


def fill_boxes(boxes_xyxy: npt.ArrayLike, shape: tuple[int, int]) -> Mask:
    """Fill boxes, True where a pixel's centre lies in one: the baseline that has to be beaten."""
    filled = np.zeros(shape, dtype=bool)
    for x0, y0, x1, y1 in np.ceil(check_boxes(boxes_xyxy, shape) - 0.5).astype(int):
        filled[y0:y1, x0:x1] = True
    return filled


def _clipped(boxes: Floats, shape: tuple[int, int]) -> Floats:
    height, width = shape
    return np.clip(boxes, 0, (width, height, width, height))


def _at_least_a_pixel(boxes: Floats, shape: tuple[int, int]) -> Floats:
    height, width = shape
    low, high = boxes[:, :2], boxes[:, 2:]
    centre = np.clip((low + high) / 2, 0.5, (width - 0.5, height - 0.5))
    narrow = high - low < 1
    return np.hstack([np.where(narrow, centre - 0.5, low), np.where(narrow, centre + 0.5, high)])
