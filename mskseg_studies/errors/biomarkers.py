"""From masks to the numbers that a clinician reads, and how far two ways of getting them agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mskseg.errors import InputError
from mskseg.evaluation.surfaces import checked_spacing
from mskseg.prompts.checks import checked_mask


def height_mm(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Height of a flat body such as a disc: its area over its length.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)

    Returns
    -------
    float
        In mm; the length is that of a rectangle with the mask's spread along its long axis. Exact
        for a rectangle. NaN for a mask of fewer than two pixels.

    Raises
    ------
    InputError
        If it is no mask of a slice, or the spacing does not fit.
    """
    inside = checked_mask(mask, what="the mask")
    spacing = checked_spacing(spacing_mm, ndim=2)
    places = np.argwhere(inside) * spacing
    if len(places) < 2:
        return float("nan")
    # A pixel is no point: its own spread is a twelfth of its width squared.
    covariance = np.cov(places.T, bias=True) + np.diag(spacing**2) / 12
    length = float(np.sqrt(12 * np.linalg.eigvalsh(covariance)[-1]))
    return float(len(places) * np.prod(spacing) / length)


def mean_inside(values: ArrayLike, mask: ArrayLike) -> float:
    """Mean of a map, such as T2 or fat fraction, inside a mask; voxels without a value left out.

    Parameters
    ----------
    values : (...) float
        NaN where the map has no value.
    mask : (...) bool
        Of the same shape.

    Returns
    -------
    float
        NaN if no voxel of the mask has a value.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    numbers, inside = np.asarray(values, dtype=np.float64), checked_mask(mask, what="the mask")
    if numbers.shape != inside.shape:
        raise InputError(
            f"a map of shape {numbers.shape} and a mask of {inside.shape} came, expected the same "
            "shape; take both from one grid"
        )
    known = numbers[inside & np.isfinite(numbers)]
    return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True)
class Agreement:
    """How far two ways of measuring agree, after Bland and Altman (1986).

    Attributes
    ----------
    bias : float
        Mean difference, second less first.
    low, high : float
        Limits of agreement: bias -+ 1.96 standard deviations of the difference; NaN with one pair.
    n : int
        Pairs in which both have a value.
    n_missing : int
        Pairs left out because one has none.
    """

    bias: float
    low: float
    high: float
    n: int
    n_missing: int


def agreement(first: ArrayLike, second: ArrayLike) -> Agreement:
    """Compare two measurements of the same things.

    Parameters
    ----------
    first, second : (N,) float
        Such as a biomarker from the reference and from a prediction; NaN where missing.

    Returns
    -------
    Agreement

    Raises
    ------
    InputError
        If the shapes differ, or no pair is complete.
    """
    pair = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    if pair[0].shape != pair[1].shape or pair[0].ndim != 1:
        raise InputError(f"{pair[0].shape} and {pair[1].shape} values came; give pairs, (N,) each")
    difference = pair[1] - pair[0]
    known = difference[np.isfinite(difference)]
    if not known.size:
        raise InputError(f"of {difference.size} pairs none is complete; nothing can be compared")
    bias = float(known.mean())
    reach = 1.96 * float(known.std(ddof=1)) if known.size > 1 else float("nan")
    return Agreement(bias, bias - reach, bias + reach, known.size, difference.size - known.size)


def agreement_table(
    pairs: pd.DataFrame, *, by: list[str], reference: str, prediction: str
) -> pd.DataFrame:
    """Give `agreement` for each group of a table: `by`, then the fields of `Agreement`."""
    rows = [
        dict(zip(by, key, strict=True)) | vars(agreement(group[reference], group[prediction]))
        for key, group in pairs.groupby(by, sort=False)
    ]
    return pd.DataFrame(rows)
