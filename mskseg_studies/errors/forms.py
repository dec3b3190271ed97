"""The forms of error that the studies name, as numbers of two outlines.

Hoyer 2024 speaks of bone that comes out too large, with smooth edges that lose concavity, and of
discs and vertebrae that come out too small, with jagged edges. Too large or small is a signed area
error; lost concavity is a solidity above the reference's; jaggedness is roughness.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage import morphology

from mskseg.case import Case
from mskseg.evaluation.metrics import relative_volume_error
from mskseg.evaluation.prediction import LabelPrediction, PromptableSegmenter, SlicePredictor
from mskseg.evaluation.scoring import described_scan
from mskseg.evaluation.surfaces import checked_spacing, outline_mm
from mskseg.prompts import label_components
from mskseg.prompts.checks import bounding_slices, checked_mask
from mskseg.prompts.plans import OracleBox, PromptPlan

SMOOTH_MM = 2.0
"""Standard deviation of the blur that `roughness` compares an outline with."""

WIPED_OUT = 2.0
"""Largest `roughness`. An outline that the blur shortens more belongs to a sheet too thin for it:
it was wiped out in part, not smoothed."""


def solidity(mask: ArrayLike) -> float:
    """Part of its convex hull that the largest piece of a mask fills.

    Parameters
    ----------
    mask : (H, W) bool

    Returns
    -------
    float
        1 for what has no concavity, up to pixel steps; NaN for an empty mask.

    Raises
    ------
    InputError
        If it is no mask of a slice.
    """
    piece = _largest(mask)
    if not piece.any():
        return float("nan")
    hull: Any = morphology.convex_hull_image  # scikit-image does not say its types
    return float(piece.sum() / hull(piece).sum())


def roughness(
    mask: ArrayLike, *, spacing_mm: tuple[float, float], smooth_mm: float = SMOOTH_MM
) -> float:
    """Length of an outline over its length after a blur.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)
    smooth_mm : float
        Standard deviation of the Gaussian blur, after which the outline is drawn at one half.

    Returns
    -------
    float
        Near 1 for a smooth outline, above for a jagged one; below 1 does not happen to shapes that
        are much wider than the blur. NaN for an empty mask, and for one that the blur wipes out,
        altogether or so far that the number would be above `WIPED_OUT`.

    Raises
    ------
    InputError
        If it is no mask of a slice, or the spacing does not fit.
    """
    piece = np.pad(_largest(mask).astype(float), 1)
    spacing = checked_spacing(spacing_mm, ndim=2)
    margin = [(int(np.ceil(4 * smooth_mm / mm)),) * 2 for mm in spacing]
    wide = np.pad(piece, margin)
    # The least blur at which the steps of pixels no longer count as jagged.
    slight = ndimage.gaussian_filter(wide, 0.5 * float(spacing.mean()) / spacing)
    strong = ndimage.gaussian_filter(wide, smooth_mm / spacing)
    lengths = [outline_mm(each, spacing_mm=spacing_mm) for each in (slight, strong)]
    kept = lengths[1] > 0 and lengths[0] <= WIPED_OUT * lengths[1]
    return lengths[0] / lengths[1] if kept else float("nan")


def score_forms(
    segmenter: PromptableSegmenter,
    cases: Iterable[Case],
    *,
    plan: PromptPlan | None = None,
    slice_step: int = 1,
) -> pd.DataFrame:
    """Measure the forms of error of every tissue on every slice that shows it.

    Parameters
    ----------
    segmenter : PromptableSegmenter
    cases : iterable of Case
        With references.
    plan : PromptPlan, optional
        Default: oracle boxes.
    slice_step : int
        Use every n-th slice.

    Returns
    -------
    pandas.DataFrame
        One row for each case, slice and label that was prompted: the columns `rows.SCAN`,
        `tissue`, `slice`, `segmenter`, `area_error` (signed, of the reference's area),
        `solidity_gain` and `roughness_gain` (prediction less reference; NaN where either is empty).
    """
    asked = OracleBox() if plan is None else plan
    rows = [
        {
            **described_scan(case),
            "tissue": case.tissue(each.label),
            "slice": each.case_slice.index,
            "segmenter": segmenter.name,
            **_forms(each),
        }
        for case in cases
        for predictions in SlicePredictor(segmenter).predict_case(
            case, asked, slice_step=slice_step
        )
        for each in predictions.values()
        if len(each.prompt)
    ]
    return pd.DataFrame(rows)


def form_errors(
    reference: ArrayLike, prediction: ArrayLike, *, spacing_mm: tuple[float, float]
) -> dict[str, float]:
    """Measure the forms of error of one mask.

    Parameters
    ----------
    reference, prediction : (H, W) bool
    spacing_mm : (row, column)

    Returns
    -------
    dict of str to float
        `area_error`, `solidity_gain` and `roughness_gain`, as in `score_forms`.

    Raises
    ------
    InputError
        If one is no mask of a slice, or the spacing does not fit.
    """
    pair = (
        checked_mask(prediction, what="the prediction"),
        checked_mask(reference, what="the reference"),
    )
    solid = [solidity(mask) for mask in pair]
    rough = [roughness(mask, spacing_mm=spacing_mm) for mask in pair]
    return {
        "area_error": relative_volume_error(pair[1], pair[0]),
        "solidity_gain": solid[0] - solid[1],
        "roughness_gain": rough[0] - rough[1],
    }


def _forms(each: LabelPrediction) -> dict[str, float]:
    part = bounding_slices(each.reference | each.prediction)
    return form_errors(
        each.reference[part], each.prediction[part], spacing_mm=each.case_slice.spacing_mm
    )


def _largest(mask: ArrayLike) -> NDArray[np.bool_]:
    inside = checked_mask(mask, what="the mask")
    components, count = label_components(inside, min_area_mm2=0.0, spacing_mm=(1.0, 1.0))
    if count < 2:
        return inside
    largest: NDArray[np.bool_] = components == np.argmax(np.bincount(components.ravel())[1:]) + 1
    return largest
