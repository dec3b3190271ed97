"""A slice before and after tuning, beside each other. Returns a Figure and shows nothing."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mskseg.case import CaseSlice
from mskseg.display.overlays import overlay
from mskseg.display.slices import Labelled, frame_around


def before_and_after(
    at: CaseSlice,
    before: Labelled,
    after: Labelled,
    *,
    tissues: Mapping[int, str],
    headings: tuple[str, str],
    title: str,
) -> Figure:
    """Draw the outlines of two predictions on one slice, each over the reference (dashed).

    Parameters
    ----------
    at : CaseSlice
        With its reference.
    before, after : (H, W) int, or mapping of int to (H, W) bool
        Label maps, or a mask for each label.
    tissues : mapping of int to str
        Names for the legend, which stands once, on the right.
    headings : (str, str)
        Above the panels.
    title : str
        States the finding.

    Returns
    -------
    Figure
    """
    frame = _frame(at)
    x0, y0, x1, y1 = frame
    high = 5.0 * (y1 - y0) * at.spacing_mm[0] / ((x1 - x0) * at.spacing_mm[1])
    n_entries = len(tissues) + 2
    size = (13.0 + 2.0 * (n_entries > 18), max(min(high, 12.0), 0.18 * min(n_entries, 18)) + 1.0)
    figure, axes = plt.subplots(1, 2, figsize=size, layout="constrained")
    for ax, prediction, heading in zip(axes, (before, after), headings, strict=True):
        overlay(
            at.image,
            spacing_mm=at.spacing_mm,
            reference=at.label_map,
            prediction=prediction,
            tissues=tissues,
            plane=at.plane,
            zoom_xyxy=frame,
            title=heading,
            ax=ax,
        )
    axes[0].get_legend().remove()
    figure.suptitle(title)
    return figure


def _frame(at: CaseSlice) -> NDArray[np.float64]:
    """Give the part of the slice that the reference takes up, with a little room."""
    rows, columns = np.nonzero(np.asarray(at.label_map))
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    height, width = at.image.shape
    return frame_around(box, shape=(height, width), margin=0.08)
