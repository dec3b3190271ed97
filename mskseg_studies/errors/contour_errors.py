"""Errors of size and contour that the studies name: too large, too small, filled, jagged.

Hoyer 2024 speaks of bone that comes out too large, with smooth edges that lose concavity, and of
discs and vertebrae that come out too small, with jagged edges. Too large or small is a signed area
error; lost concavity is a solidity above the reference's; jaggedness is roughness.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage import morphology

from mskseg.display.style import finish_chart, series_style
from mskseg.evaluation.metrics import relative_volume_error
from mskseg.evaluation.surfaces import checked_spacing, outline_mm
from mskseg.evaluation.tissues import largest_component
from mskseg.prompts.checks import checked_slice_mask
from mskseg_studies.errors.panels import add_legend, new_panels

SMOOTH_MM = 2.0
"""Standard deviation of the blur that `roughness` compares an outline with."""

WIPED_OUT = 2.0
"""Largest `roughness`. An outline that the blur shortens more belongs to a sheet too thin for it:
it was wiped out in part, not smoothed."""


def solidity(mask: ArrayLike) -> float:
    """Part of its convex hull that the largest component of a mask (H, W) fills.

    1 for what has no concavity, up to pixel steps; NaN for an empty mask.
    """
    component = largest_component(checked_slice_mask(mask))
    if not component.any():
        return float("nan")
    hull: Any = morphology.convex_hull_image  # scikit-image does not say its types
    return float(component.sum() / hull(component).sum())


def roughness(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Length of the outline of a mask's largest component over its length after a blur.

    Near 1 for a smooth outline, above for a jagged one; below 1 does not happen to shapes that are
    much wider than the blur. NaN for an empty mask (H, W), and for one that the blur wipes out,
    altogether or so far that the number would be above `WIPED_OUT`.
    """
    component = np.pad(largest_component(checked_slice_mask(mask)).astype(float), 1)
    spacing = checked_spacing(spacing_mm, ndim=2)
    margin = [(int(np.ceil(4 * SMOOTH_MM / mm)),) * 2 for mm in spacing]
    wide = np.pad(component, margin)
    # The least blur at which the steps of pixels no longer count as jagged.
    slight = ndimage.gaussian_filter(wide, 0.5 * float(spacing.mean()) / spacing)
    strong = ndimage.gaussian_filter(wide, SMOOTH_MM / spacing)
    length, smooth_length = (
        outline_mm(blurred, spacing_mm=spacing_mm) for blurred in (slight, strong)
    )
    kept = smooth_length > 0 and length <= WIPED_OUT * smooth_length
    return length / smooth_length if kept else float("nan")


def contour_errors(
    reference: ArrayLike, prediction: ArrayLike, *, spacing_mm: tuple[float, float]
) -> dict[str, float]:
    """Compare size and contour of a prediction (H, W) with those of the reference.

    Gives `area_error` (signed, part of the reference's area), `solidity_gain` and `roughness_gain`
    (prediction less reference; NaN where either is empty).
    """
    return {
        "area_error": relative_volume_error(reference, prediction),
        "solidity_gain": solidity(prediction) - solidity(reference),
        "roughness_gain": roughness(prediction, spacing_mm=spacing_mm)
        - roughness(reference, spacing_mm=spacing_mm),
    }


_CUT = 1.5  # a sheet that leaks is ten times too large, and would press all else together
_CONTOUR_ERRORS = {
    "area_error": "area error (part of the reference)",
    "solidity_gain": "solidity gained (concavity lost)",
    "roughness_gain": "roughness gained",
}


def contour_error_panels(table: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Draw signed area error, lost concavity and jaggedness for each kind of tissue (`group`).

    Of a table of `score_cases` with `ErrorMeasures`. Dots are medians over slices, bars the middle
    half. The area's axis is cut at `_CUT`; medians beyond are written at its edge.
    """
    kinds, models = (list(dict.fromkeys(table[column])) for column in ("group", "segmenter"))
    figure, panels = new_panels(3, columns=3, size=(3.5, 0.8 + 0.34 * len(kinds)), sharey=True)
    offsets = np.linspace(-0.25, 0.25, len(models)) if len(models) > 1 else [0.0]
    for ax, (column, label) in zip(panels, _CONTOUR_ERRORS.items(), strict=True):
        for number, (model, offset) in enumerate(zip(models, offsets, strict=True)):
            of_model = table[table["segmenter"] == model].groupby("group", sort=False)[column]
            low, middle, high = (of_model.quantile(q).reindex(kinds) for q in (0.25, 0.5, 0.75))
            at, style = np.arange(len(kinds)) + offset, series_style(number, line=False)
            ax.hlines(at, low, high, color=style["color"], linewidth=2)
            ax.plot(middle, at, markersize=6, linestyle="none", label=model, **style)
            for value, place in zip(middle, at, strict=True):
                if column == "area_error" and value > _CUT:
                    ax.text(_CUT, place, f"{value:.1f} ", ha="right", va="bottom", fontsize=8)
        ax.axvline(0, color="0.4", linewidth=0.8)
        ax.set_xlabel(label)
        finish_chart(ax, legend=None)
    panels[0].set_yticks(range(len(kinds)), kinds)
    panels[0].set(ylim=(len(kinds) - 0.5, -0.5), xlim=(None, min(_CUT, panels[0].get_xlim()[1])))
    add_legend(figure, panels[0], title)
    return panels
