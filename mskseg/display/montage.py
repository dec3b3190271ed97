"""Several slices, or several masks of one slice, side by side at their true proportions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mskseg.case import CaseSlice
from mskseg.display.overlays import tissue_entries
from mskseg.display.slices import draw_label_map, masks_by_label, show_slice
from mskseg.display.style import tissue_colours
from mskseg.errors import InputError

_PANEL = 3.2  # inches
_LEGEND_LINE = 0.17


def montage(
    slices: Iterable[CaseSlice],
    *,
    titles: Sequence[str],
    tissues: Sequence[Mapping[int, str]] | None = None,
    columns: int = 4,
    title: str = "",
) -> NDArray[Any]:
    """Show slices in a grid, with their labels below each where their tissues are given.

    Each panel has the proportions of its own pixels in millimetres, and one of the `titles`.
    `tissues` names the labels of each slice: then a second panel below it shows the outlines, with
    a legend, in the colours of `overlay`. `columns` is the most in a row. Gives the Axes (n,) of
    the images, in the order of the slices; InputError if the numbers do not fit.
    """
    shown = list(slices)
    names = [{} for _ in shown] if tissues is None else list(tissues)
    if not shown or not len(shown) == len(titles) == len(names):
        raise InputError(
            f"got {len(shown)} slices, {len(titles)} titles and tissues for {len(names)}; "
            "expected one of each for every slice, and one slice or more"
        )
    per_slice = 1 if tissues is None else 2
    n_columns = min(columns, len(shown))
    n_groups = math.ceil(len(shown) / n_columns)
    legend_height = 0.0
    if tissues is not None:
        most_labels = max(len(masks_by_label(np.asarray(k.label_map))) for k in shown)
        legend_height = (most_labels // 2 + 2) * _LEGEND_LINE
    size = (n_columns * _PANEL, n_groups * (per_slice * (_PANEL + 0.3) + legend_height))
    figure, grid = plt.subplots(
        n_groups * per_slice, n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    for ax in grid.flat:
        ax.set_axis_off()
    panels = []
    for number, (case_slice, heading) in enumerate(zip(shown, titles, strict=True)):
        row, column = divmod(number, n_columns)
        panels.append(_panel(grid[row * per_slice, column], case_slice, title=heading))
        if tissues is not None:
            below = _panel(grid[row * per_slice + 1, column], case_slice)
            _draw_tissues(below, case_slice, names[number])
    figure.suptitle(title)
    return np.array(panels, dtype=object)


def _panel(ax: Axes, case_slice: CaseSlice, *, title: str = "") -> Axes:
    ax.set_axis_on()
    show_slice(case_slice.image, spacing_mm=case_slice.spacing_mm, plane=case_slice.plane, ax=ax)
    ax.set_title(title, fontsize=10)
    return ax


def _draw_tissues(ax: Axes, case_slice: CaseSlice, tissues: Mapping[int, str]) -> None:
    masks = masks_by_label(np.asarray(case_slice.label_map))
    colours = tissue_colours({*masks, *tissues})
    draw_label_map(ax, masks, colours=colours, fill=0.25)
    ax.legend(
        handles=tissue_entries(masks, tissues, colours),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=2,
        fontsize=7,
        frameon=False,
        columnspacing=1.0,
        handlelength=1.2,
    )
