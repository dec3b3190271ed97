"""The same slice several times, with the outlines of several models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from mskseg.display.montage import montage
from mskseg.display.slices import draw_label_map, frame_around
from mskseg.display.style import tissue_colours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mskseg.case import CaseSlice


def outlines_beside(
    at: CaseSlice,
    masks: Mapping[str, Mapping[int, NDArray[np.bool_]]],
    *,
    labels: Iterable[int],
    title: str = "",
) -> list[Axes]:
    """Draw a slice once for each model, with the outline of each of its masks.

    Parameters
    ----------
    at : CaseSlice
    masks : mapping of str to mapping of int to (H, W) bool
        By title of the panel, then by label; masks of one panel may overlap.
    labels : iterable of int
        All labels of the data set, so that a tissue keeps its colour.
    title : str
        States the finding.

    Returns
    -------
    list of Axes
        One for each panel, framed around everything that is drawn.
    """
    panels = montage([at] * len(masks), titles=list(masks), title=title)
    colours = tissue_colours(labels)
    drawn = np.any([m for each in masks.values() for m in each.values()], axis=0)
    rows, columns = np.nonzero(drawn)
    for ax, each in zip(panels, masks.values(), strict=True):
        for label, mask in each.items():
            draw_label_map(ax, mask, colours={1: colours[label]})
        if len(rows):
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            x0, y0, x1, y1 = frame_around(
                np.array([box], float), shape=at.image.shape[:2], margin=0.03
            )
            ax.set(xlim=(x0, x1), ylim=(y1, y0))
    return list(panels)
