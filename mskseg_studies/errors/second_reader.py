"""A simulated second reader, for how much Dice two careful people can reach."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN
from mskseg.evaluation.loop import promptable_px
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.scoring import SCAN, described_scan
from mskseg.evaluation.surfaces import checked_spacing
from mskseg.prompts import MIN_AREA_MM2
from mskseg.prompts.checks import checked_mask

CORRELATION_MM = 8.0
"""How far along an outline a reader stays on the same side of it; assumed."""


def second_reading(
    mask: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    sigma_mm: float,
    rng: np.random.Generator,
    correlation_mm: float = CORRELATION_MM,
) -> NDArray[np.bool_]:
    """Move a mask's outline in and out, as a second reader might draw it.

    The signed distance to the outline gets a smooth Gaussian random field added; where the sum is
    above zero is inside.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)
    sigma_mm : float
        Standard deviation of the outline's place: how sure one can be of an edge, such as half a
        pixel, or the width of the blur in the image.
    rng : numpy Generator
    correlation_mm : float
        Distance along the outline over which the two readers disagree in the same direction.

    Returns
    -------
    (H, W) bool
        Equal to `mask` where `sigma_mm` is 0 or nothing is drawn.

    Raises
    ------
    InputError
        If it is no mask of a slice, or a length is out of range.
    """
    inside = checked_mask(mask, what="the mask")
    spacing = checked_spacing(spacing_mm, ndim=2)
    if not sigma_mm >= 0 or not correlation_mm > 0:
        raise InputError(
            f"sigma_mm is {sigma_mm} and correlation_mm {correlation_mm}; expected 0 or more, and "
            "more than 0, in millimetres"
        )
    if not inside.any() or sigma_mm == 0:
        return inside.copy()
    field = ndimage.gaussian_filter(
        rng.standard_normal(inside.shape), correlation_mm / spacing, mode="wrap"
    )
    moved: NDArray[np.bool_] = _signed_mm(inside, spacing) + sigma_mm * field / field.std() > 0
    return moved


def reader_ceiling(
    cases: Iterable[Case],
    *,
    sigmas_px: Sequence[float] = (0.5, 1.0),
    slice_step: int = 1,
    n_readings: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Score a simulated second reader against the reference, tissue by tissue.

    Parameters
    ----------
    cases : iterable of Case
        With references.
    sigmas_px : sequence of float
        How far the outline moves, in pixels (the mean of row and column spacing): half a pixel is
        what a grid alone leaves open, a pixel what a blurred edge does.
    slice_step : int
        Take every n-th slice, counted as `score_cases` does.
    n_readings : int
        Of each tissue of a slice; the same for all sigmas, which then differ in size alone.
    seed : int

    Returns
    -------
    pandas.DataFrame
        A row for each slice, tissue and sigma: `dataset`, `subject`, `sequence`, `tissue`,
        `slice`, `sigma_px` and `dice`, the mean over the readings. Tissues without a component of
        the minimum area of a box are left out: `score_cases` does not score them either.

    Raises
    ------
    InputError
        If no slice shows a tissue.
    """
    rows = [
        {
            **described_scan(case),
            "tissue": case.tissue(label),
            "slice": one.index,
            "sigma_px": sigma,
            "dice": _agreement(mask, one.spacing_mm, sigma, n_readings, key),
        }
        for case in cases
        for one in case.slices(step=slice_step)
        for label, mask in _large_enough(one)
        for key in [(seed, zlib.crc32(case.name.encode()), one.index, label)]
        for sigma in sigmas_px
    ]
    if not rows:
        raise InputError("no slice shows a tissue, so there is nothing to read again")
    return pd.DataFrame(rows)


def on_same_pairs(
    readings: pd.DataFrame, scores: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the pairs of slice and tissue that were both read again and scored.

    Parameters
    ----------
    readings : pandas.DataFrame
        From `reader_ceiling`.
    scores : pandas.DataFrame
        From `score_cases`, of one plan.

    Returns
    -------
    readings, scores : pandas.DataFrame
        Rows of each, so that the mean of a reader and that of a model are over the same pairs.

    Raises
    ------
    InputError
        If there is no such pair.
    """
    keys = [*SCAN, "tissue", "slice"]
    scored = scores[scores["status"].isin(IN_THE_MEAN)]
    pairs = readings[keys].merge(scored[keys]).drop_duplicates()
    if pairs.empty:
        raise InputError("no pair was both read again and scored; give the same cases and slices")
    return readings.merge(pairs, on=keys), scored.merge(pairs, on=keys)


def _large_enough(one: CaseSlice) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    label_map, spacing_mm = np.asarray(one.label_map), one.spacing_mm
    for label in np.unique(label_map[label_map > 0]).tolist():
        mask = label_map == label
        if promptable_px(mask, spacing_mm=spacing_mm, min_area_mm2=MIN_AREA_MM2):
            yield int(label), mask


def _agreement(
    mask: NDArray[np.bool_],
    spacing_mm: tuple[float, float],
    sigma_px: float,
    n_readings: int,
    key: tuple[int, ...],
) -> float:
    sigma_mm, rng = sigma_px * float(np.mean(spacing_mm)), np.random.default_rng(key)
    again = (
        second_reading(mask, spacing_mm=spacing_mm, sigma_mm=sigma_mm, rng=rng)
        for _ in range(n_readings)
    )
    return float(np.mean([dice(mask, each) for each in again]))


def _signed_mm(inside: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance to the outline, positive inside; the outline runs between the pixels' centres."""
    half = float(spacing.mean()) / 2
    within = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1]
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    signed: NDArray[np.float64] = np.where(inside, within - half, half - beyond)
    return signed
