"""Size, width, shape and contrast of tissues, which later explain a Dice.

All are taken from the reference, slice by slice in the plane of the scan.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage import measure

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean
from mskseg.evaluation.metrics import checked_spacing, dice, nearest_distances
from mskseg.evaluation.scoring import described_scan
from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg.prompts.checks import checked_slice_mask

Shape = Literal["compact", "thin", "ring"]
MaskArray = NDArray[np.bool_]

RIM_MM = 3.0
"""How far on either side of a border `contrast` looks."""

THIN_FROM = 8.0
"""From how many times its width a tissue is called thin; a square is 2 by this measure."""

_NEAR_PX = 3.0  # nearer to the border, a pixel counts as its four quarters
_DEEP = 500  # pixels farther inside are more alike: about so many of them are enough
_POINTS_A_PX = 4  # of the outline
_ONE_PX = 2 / 3  # of its side, as any square's; its outline, with corners cut, would give 0
_VALUES = ("area_mm2", "thickness_mm", "contrast", "filled_box_dice")


def thickness_mm(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Measure the width in mm of a mask (H, W): four times its pixels' mean distance to the border.

    That is the width of a strip, and two thirds of a disc; NaN for an empty mask.
    """
    inside = checked_slice_mask(mask)
    if not inside.any():
        return float("nan")
    wide, spacing = np.pad(inside, 1), checked_spacing(spacing_mm, ndim=2)
    parts = np.arange(_POINTS_A_PX)[:, None, None] / _POINTS_A_PX
    lines = [line * spacing for line in outlines(inside)]
    border = np.concatenate([line[:-1] + parts * np.diff(line, axis=0) for line in lines], axis=1)
    to_outside = ndimage.distance_transform_edt(wide, sampling=spacing)
    near = wide & (to_outside < _NEAR_PX * spacing.max())
    deep = np.argwhere(wide & ~near)
    quarters = np.array([(a, b) for a in (-0.25, 0.25) for b in (-0.25, 0.25)])
    shells = (
        (np.argwhere(near)[:, None] + quarters).reshape(-1, 2),
        deep[:: len(deep) // _DEEP + 1],
    )
    means = [
        nearest_distances(shell * spacing, border.reshape(-1, 2)).mean() if len(shell) else 0.0
        for shell in shells
    ]
    measured = float(4 * np.average(means, weights=[near.sum(), len(deep)]))
    return max(measured, _ONE_PX * float(spacing.min()))


def contrast(image: ArrayLike, mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Measure how much a tissue differs from its surroundings, in standard deviations.

    The mean within `RIM_MM` inside the border less that outside; above 0 the tissue is brighter.
    NaN if the mask is empty or fills the slice; infinite if both sides are of one value each, and
    differ.
    """
    pixels, inside = np.asarray(image, dtype=np.float64), checked_slice_mask(mask)
    if not inside.any() or inside.all():
        return float("nan")
    near = [
        pixels[side & (ndimage.distance_transform_edt(side, sampling=spacing_mm) <= RIM_MM)]
        for side in (inside, ~inside)
    ]
    if not all(values.size for values in near):
        raise InputError(f"expected pixels of {RIM_MM} mm or less, got {spacing_mm} mm")
    difference = near[0].mean() - near[1].mean()
    spread = np.sqrt((near[0].var() + near[1].var()) / 2)
    if spread == 0:
        return float(np.sign(difference) * np.inf) if difference else 0.0
    return float(difference / spread)


def shape_of(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> Shape:
    """Name the shape of the largest piece of a mask: a ring has a large hole; see `THIN_FROM`."""
    inside = checked_slice_mask(mask)
    if not inside.any():
        raise InputError("an empty mask has no shape; leave slices without the tissue out")
    largest = largest_component(inside)
    n_pixels = int(largest.sum())
    if ndimage.binary_fill_holes(largest).sum() > 1.25 * n_pixels:
        return "ring"
    width = thickness_mm(largest, spacing_mm=spacing_mm)
    length = n_pixels * spacing_mm[0] * spacing_mm[1] / width
    return "thin" if length >= THIN_FROM * width else "compact"


def largest_component(mask: MaskArray) -> MaskArray:
    """Keep the largest 8-connected component of a mask (H, W), the first of several equal ones."""
    components, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(components.ravel(), minlength=2)
    largest: MaskArray = components == np.argmax(sizes[1:]) + 1
    return largest


def signed_distance_mm(inside: MaskArray, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance to the outline, positive inside; the outline runs between the pixels' centres."""
    half = float(spacing.mean()) / 2
    within = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1]
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    signed: NDArray[np.float64] = np.where(inside, within - half, half - beyond)
    return signed


def outlines(shape: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Trace the lines around a mask, each (N, 2), in pixels of the mask with a rim of one.

    By marching squares, which cut corners by 0.6 of a pixel; pixels that touch at a corner join.
    """
    contours: Any = measure.find_contours  # scikit-image does not say its types
    lines: list[NDArray[np.float64]] = contours(
        np.pad(shape.astype(np.float64), 1), 0.5, fully_connected="high"
    )
    return lines


def outline_mm(shape: NDArray[Any], *, spacing_mm: Sequence[float]) -> float:
    """Length in mm of the line around a mask (H, W) and its holes; slanted, up to 8 % too much."""
    return float(
        sum(np.hypot(*(np.diff(line, axis=0) * spacing_mm).T).sum() for line in outlines(shape))
    )


def tissue_properties(cases: Iterable[Case], *, slice_step: int = 1) -> pd.DataFrame:
    """Measure every tissue on every slice that shows it, or every `slice_step`-th one.

    A row for each case, which needs a reference, slice and label: `scoring.SCAN`, `anatomy`,
    `tissue`, `label`, `plane`, `slice`, `area_mm2`, `thickness_mm`, `shape`, `contrast` (on the
    windowed image), `filled_box_dice` (NaN where the tissue is too small for a box) and `n_boxes`.
    """
    rows = [
        described_scan(case) | {"anatomy": case.anatomy, "tissue": case.tissue(row["label"])} | row
        for case in cases
        for case_slice in case.slices(labelled_only=True, step=slice_step)
        for row in _slice_rows(case_slice)
    ]
    if not rows:
        raise InputError("expected one case or more to measure, got none; check the selection")
    return pd.DataFrame(rows)


def tissue_means(table: pd.DataFrame, *, by: Sequence[str] = ("dataset", "tissue")) -> pd.DataFrame:
    """Average a table of `tissue_properties` by `nested_mean`; what is infinite is left out.

    Returns `by`, means, the most frequent `shape`, `n_slices` and `n_subjects`.
    """
    keys = list(by)
    finite = table.replace([np.inf, -np.inf], np.nan)
    means = nested_mean(finite, by=keys, values=_VALUES).set_index(keys)
    shapes = table.groupby(keys, sort=False, dropna=False)["shape"]
    means["shape"] = shapes.agg(lambda shape: shape.mode().iloc[0])
    means = means.rename(columns={"n_objects": "n_slices"})
    return means[[*_VALUES, "shape", "n_slices", "n_subjects"]].reset_index()


def _slice_rows(case_slice: CaseSlice) -> Iterator[dict[str, Any]]:
    label_map, spacing_mm = np.asarray(case_slice.label_map), case_slice.spacing_mm
    reach = [int(np.ceil(RIM_MM / mm)) + 1 for mm in spacing_mm]
    places = ndimage.find_objects(label_map.astype(np.intp, copy=False))
    for label in np.unique(label_map[label_map != 0]).tolist():
        part = tuple(
            slice(max(place.start - n, 0), place.stop + n)
            for place, n in zip(places[label - 1], reach, strict=True)
        )
        mask = label_map[part] == label
        boxes = boxes_from_mask(mask, spacing_mm=spacing_mm)
        filled = dice(mask, fill_boxes(boxes, mask.shape)) if len(boxes) else float("nan")
        yield {
            "label": label,
            "plane": case_slice.plane,
            "slice": case_slice.index,
            "area_mm2": float(mask.sum() * spacing_mm[0] * spacing_mm[1]),
            "thickness_mm": thickness_mm(mask, spacing_mm=spacing_mm),
            "shape": shape_of(mask, spacing_mm=spacing_mm),
            "contrast": contrast(case_slice.image[part], mask, spacing_mm=spacing_mm),
            "filled_box_dice": filled,
            "n_boxes": len(boxes),
        }
