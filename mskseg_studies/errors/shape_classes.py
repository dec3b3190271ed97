"""Shape classes after the words of Hoyer 2024: thin, ring, ellipse, and bulk for all the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case
from mskseg.evaluation.loop import labels_on, reference_mask
from mskseg.evaluation.metrics import checked_spacing, dice
from mskseg.prompts.checks import bounding_slices, checked_mask
from mskseg_studies.tissues import shape_of

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
