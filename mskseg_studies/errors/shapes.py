"""Shapes of masks: their class, and errors of size and contour, after the words of Hoyer 2024.

Classes are thin, ring, ellipse, and bulk for all the rest. Hoyer speaks of bone that comes out too
large, with smooth edges that lose concavity, and of discs and vertebrae that come out too small,
with jagged edges. Too large or small is a signed area error; lost concavity is a solidity above the
reference's; jagged is an outline that is longer than a smooth one around the same area.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage import morphology

from mskseg.case import Case
from mskseg.evaluation.loop import labels_on, reference_mask
from mskseg.evaluation.metrics import checked_spacing, dice, relative_volume_error
from mskseg.prompts.checks import bounding_slices, checked_mask, checked_slice_mask
from mskseg_studies.charts import finish_chart, series_style
from mskseg_studies.panels import add_legend, new_panels
from mskseg_studies.tissues import largest_component, outline_mm, shape_of, signed_distance_mm

ShapeClass = Literal["thin", "ring", "ellipse", "bulk"]

ELLIPSE_FROM = 0.9
"""Dice with its own ellipse from which a mask is called one; any rectangle, as vertebral bodies
nearly are, has 0.905."""


def pixel_covariance(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance (2, 2), in mm², of the area under a mask (H, W) of two pixels or more."""
    # A pixel is no point: its own spread is a twelfth of its width squared.
    covariance: NDArray[np.float64] = np.cov((np.argwhere(mask) * spacing).T, bias=True)
    return covariance + np.diag(spacing**2) / 12


def ellipse_dice(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Dice of a mask (H, W) with the ellipse of its second moments; NaN under two pixels."""
    inside = checked_mask(mask, what="the mask")
    spacing = checked_spacing(spacing_mm, ndim=2)
    drawn = inside[bounding_slices(inside)]
    if drawn.sum() < 2:
        return float("nan")
    # An ellipse of the same moments can reach beyond the mask.
    wide = np.pad(drawn, [(n, n) for n in drawn.shape])
    centre = (np.argwhere(wide) * spacing).mean(axis=0)
    offsets = np.indices(wide.shape).reshape(2, -1).T * spacing - centre
    inverse = np.linalg.inv(pixel_covariance(wide, spacing))
    distance = np.einsum("ni,ij,nj->n", offsets, inverse, offsets)
    return dice(wide, (distance < 4).reshape(wide.shape))  # a uniform ellipse ends at 2 sd


def shape_class(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> ShapeClass:
    """Name the shape of a mask (H, W) that is not empty; thin and ring as in `shape_of`."""
    shape = shape_of(mask, spacing_mm=spacing_mm)
    if shape != "compact":
        return shape
    return "ellipse" if ellipse_dice(mask, spacing_mm=spacing_mm) >= ELLIPSE_FROM else "bulk"


def shape_classes(cases: Iterable[Case], *, slice_step: int = 1) -> pd.DataFrame:
    """Name the shape of each tissue: the class of most of its area.

    Of the slices with a label the first is taken and then every n-th. A row for each `dataset` and
    `tissue` with its `shape_class`.
    """
    rows = []
    for case in cases:
        for case_slice in case.slices(labelled_only=True, step=slice_step):
            for label in sorted(labels_on(case_slice)):
                mask = reference_mask(case_slice, label)
                drawn = np.pad(mask[bounding_slices(mask)], 1)
                shape = shape_class(drawn, spacing_mm=case_slice.spacing_mm)
                rows.append((case.dataset, case.tissue(label), shape, mask.sum()))
    table = pd.DataFrame(rows, columns=["dataset", "tissue", "shape_class", "area"])
    keys = ["dataset", "tissue"]
    areas = table.groupby([*keys, "shape_class"], sort=False)["area"].sum()
    largest = areas.loc[areas.groupby(keys, sort=False).idxmax()]
    return largest.reset_index()[[*keys, "shape_class"]]


SMOOTH_MM = 2.0
"""Standard deviation of the blur that `jaggedness` compares an outline with."""

_STEPS_PX = 0.75  # of a blur; less, and the steps of pixels count as jagged
_SHEET = 0.35  # of a blurred sheet 2 mm wide; of what is much wider 0.5


def solidity(mask: ArrayLike) -> float:
    """Part of its convex hull that a mask's largest component fills; 1 without a concavity."""
    component = largest_component(checked_slice_mask(mask))
    if not component.any():
        return float("nan")
    hull: Any = morphology.convex_hull_image  # scikit-image does not say its types
    return float(component.sum() / hull(component).sum())


def jaggedness(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Length of the outline of a mask's largest component over that of a smooth one of its area."""
    # The smooth one is a contour of the mask after a blur, at the level that holds the same area: a
    # disc of any size has 1, a flat or pointed shape a little more.
    component = largest_component(checked_slice_mask(mask))
    spacing = checked_spacing(spacing_mm, ndim=2)
    if not component.any():
        return float("nan")
    margin = [(int(np.ceil(4 * SMOOTH_MM / mm)),) * 2 for mm in spacing]
    wide = np.pad(component[bounding_slices(component)].astype(float), margin)
    slight = ndimage.gaussian_filter(wide, _STEPS_PX * float(spacing.mean()) / spacing)
    strong = ndimage.gaussian_filter(wide, SMOOTH_MM / spacing)
    level = _level_of_area(strong, int(component.sum()))
    if level < _SHEET:  # so thin (2 mm) that the blur dissolves it
        return float("nan")
    length, smooth_length = (
        outline_mm(blurred, spacing_mm=spacing_mm) for blurred in (slight, strong + 0.5 - level)
    )
    return length / smooth_length


def resized(
    mask: ArrayLike, n_pixels: int, *, spacing_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """Grow or shrink a mask (H, W) evenly on all sides to a number of pixels, on a wider canvas."""
    inside, spacing = checked_slice_mask(mask), checked_spacing(spacing_mm, ndim=2)
    # Grown evenly, a shape reaches no farther than the radius of a disc of its new area.
    reach_mm = np.sqrt(n_pixels * spacing.prod() / np.pi)
    wide = np.pad(inside, [(int(np.ceil(reach_mm / mm)) + 1,) * 2 for mm in spacing])
    # Pixels at equal distances would be taken row by row: the slight blur sets them apart.
    distance = ndimage.gaussian_filter(signed_distance_mm(wide, spacing), 0.3)
    grown: NDArray[np.bool_] = distance > _level_of_area(distance, n_pixels)
    return grown


def _level_of_area(values: NDArray[np.float64], n_pixels: int) -> float:
    """Level above which lie so many pixels."""
    ordered = np.partition(values.ravel(), [-n_pixels - 1, -n_pixels])
    return float(ordered[-n_pixels - 1 : ordered.size - n_pixels + 1].mean())


def contour_errors(
    reference: ArrayLike, prediction: ArrayLike, *, spacing_mm: tuple[float, float]
) -> dict[str, float]:
    """Compare size and contour of a prediction (H, W) with those of the reference.

    Gives `area_error` (signed, part of the reference's area), `solidity_gain` (prediction less
    reference) and `jaggedness_gain`: prediction less the reference, grown or shrunk to the
    prediction's own size, so that being too small alone is not jagged. NaN where either is empty.
    """
    drawn, found = (largest_component(checked_slice_mask(m)) for m in (reference, prediction))
    jagged = float("nan")
    if drawn.any() and found.any():
        same_size = resized(drawn, int(found.sum()), spacing_mm=spacing_mm)
        jagged = jaggedness(found, spacing_mm=spacing_mm)
        jagged -= jaggedness(same_size, spacing_mm=spacing_mm)
    return {
        "area_error": relative_volume_error(reference, prediction),
        "solidity_gain": solidity(prediction) - solidity(reference),
        "jaggedness_gain": jagged,
    }


_CUT = 1.5  # a sheet that leaks is ten times too large, and would press all else together
_CONTOUR_ERRORS = {
    "area_error": "area error (part of the reference)",
    "solidity_gain": "solidity gained (concavity lost)",
    "jaggedness_gain": "jaggedness gained",
}


def contour_error_panels(table: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Draw signed area error, lost concavity and jaggedness for each `data` and kind of tissue.

    Of a table of `score_people` with `ErrorMeasures`. Dots are medians over slices, bars the middle
    half. The area's axis is cut at `_CUT`; medians beyond are written outside it.
    """
    whose = "\n" + table["data"] if table["data"].nunique() > 1 else ""
    named = table.assign(kind=table["group"] + whose)
    kinds, models = (list(dict.fromkeys(named[column])) for column in ("kind", "segmenter"))
    figure, panels = new_panels(
        3, columns=3, size=(3.5, 0.8 + (0.5 if len(whose) else 0.34) * len(kinds)), sharey=True
    )
    offsets = np.linspace(-0.25, 0.25, len(models)) if len(models) > 1 else [0.0]
    for ax, (column, label) in zip(panels, _CONTOUR_ERRORS.items(), strict=True):
        for number, (model, offset) in enumerate(zip(models, offsets, strict=True)):
            of_model = named[named["segmenter"] == model].groupby("kind", sort=False)[column]
            low, middle, high = (of_model.quantile(q).reindex(kinds) for q in (0.25, 0.5, 0.75))
            at, style = np.arange(len(kinds)) + offset, series_style(number, line=False)
            ax.hlines(at, low, high, color=style["color"], linewidth=2)
            ax.plot(middle, at, markersize=6, linestyle="none", label=model, **style)
            for value, place in zip(middle, at, strict=True):
                if column == "area_error" and value > _CUT:
                    look = {"ha": "left", "va": "center", "fontsize": 8, "color": style["color"]}
                    ax.text(_CUT, place, f" {value:.1f}", **look)
        ax.axvline(0, color="0.4", linewidth=0.8)
        ax.set_xlabel(label)
        finish_chart(ax, legend=None)
    panels[0].set_yticks(range(len(kinds)), kinds, fontsize=9)
    panels[0].set(ylim=(len(kinds) - 0.5, -0.5), xlim=(None, min(_CUT, panels[0].get_xlim()[1])))
    add_legend(figure, panels[0], title)
    return panels
