"""Shape classes after the words of Hoyer 2024: thin, ring, ellipse, and bulk for all the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mskseg.case import Case
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.surfaces import checked_spacing
from mskseg.evaluation.tissues import shape_of
from mskseg.prompts.checks import bounding_slices, checked_mask

ShapeClass = Literal["thin", "ring", "ellipse", "bulk"]

ELLIPSE_FROM = 0.9
"""Dice with its own ellipse from which a mask is called one; any rectangle, as vertebral bodies
nearly are, has 0.905."""


def ellipse_dice(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Dice of a mask with the ellipse that has its area's centre and second moments.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)

    Returns
    -------
    float
        1 for an ellipse, up to pixel steps; NaN for a mask of fewer than two pixels.

    Raises
    ------
    InputError
        If it is no mask of a slice, or the spacing does not fit.
    """
    inside = checked_mask(mask, what="the mask")
    spacing = checked_spacing(spacing_mm, ndim=2)
    drawn = inside[bounding_slices(inside)]
    if drawn.sum() < 2:
        return float("nan")
    room = drawn.shape  # an ellipse of the same moments can reach beyond the mask
    wide = np.pad(drawn, [(n, n) for n in room])
    places = np.argwhere(wide) * spacing
    # A pixel is no point: its own spread is a twelfth of its width squared.
    covariance = np.cov(places.T, bias=True) + np.diag(spacing**2) / 12
    offsets = np.indices(wide.shape).reshape(2, -1).T * spacing - places.mean(axis=0)
    distance = np.einsum("ni,ij,nj->n", offsets, np.linalg.inv(covariance), offsets)
    return dice(wide, (distance < 4).reshape(wide.shape))  # 4: area inside is uniform


def shape_class(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> ShapeClass:
    """Name the shape of a mask.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)

    Returns
    -------
    {"thin", "ring", "ellipse", "bulk"}
        Thin and ring as in `mskseg.evaluation.tissues.shape_of`; of the others those with an
        `ellipse_dice` of `ELLIPSE_FROM` or more are ellipses.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    shape = shape_of(mask, spacing_mm=spacing_mm)
    if shape != "compact":
        return shape
    return "ellipse" if ellipse_dice(mask, spacing_mm=spacing_mm) >= ELLIPSE_FROM else "bulk"


def shape_classes(cases: Iterable[Case], *, slice_step: int = 1) -> pd.DataFrame:
    """Name the shape of each tissue: the class of most of its area.

    Parameters
    ----------
    cases : iterable of Case
        With references.
    slice_step : int
        Of the slices with a label take the first and then every n-th.

    Returns
    -------
    pandas.DataFrame
        A row for each `dataset` and `tissue`: `shape_class` and `share`, the part of the area that
        is of this class.
    """
    rows = [
        (case.dataset, case.tissue(label), shape_class(mask, spacing_mm=one.spacing_mm), mask.sum())
        for case in cases
        for one in case.slices(labelled_only=True, step=slice_step)
        for label, mask in _masks(np.asarray(one.label_map))
    ]
    seen = pd.DataFrame(rows, columns=["dataset", "tissue", "shape_class", "area"])
    keys = ["dataset", "tissue"]
    areas = seen.groupby([*keys, "shape_class"], sort=False)["area"].sum()
    shares = (areas / areas.groupby(keys, sort=False).transform("sum")).rename("share")
    ordered = shares.reset_index().sort_values("share", ascending=False, kind="stable")
    named = ordered.drop_duplicates(keys).set_index(keys)
    return named.loc[list(dict.fromkeys(shares.droplevel("shape_class").index))].reset_index()


def _masks(label_map: np.ndarray) -> list[tuple[int, np.ndarray]]:
    found = []
    for label in np.unique(label_map[label_map > 0]).tolist():
        mask = label_map == label
        found.append((int(label), np.pad(mask[bounding_slices(mask)], 1)))
    return found
