"""Several slices side by side, each at its own true proportions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mskseg.case import CaseSlice
from mskseg.display.slices import draw_label_map, labels_in, show_slice
from mskseg.display.style import tissue_colours
from mskseg.errors import InputError

if TYPE_CHECKING:
    from mskseg.display.style import RGB

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

    Parameters
    ----------
    slices : iterable of CaseSlice
        From `Case.slice`; each panel has the proportions of its own pixels in millimetres.
    titles : sequence of str
        One for each slice.
    tissues : sequence of mapping of int to str, optional
        Of each slice the names of its labels: then a second panel below it shows the outlines,
        with a legend. A tissue has the colour that `overlay` gives it.
    columns : int
        Panels in a row, at most.
    title : str
        States the finding.

    Returns
    -------
    (n,) array of Axes
        The images, in the order of the slices. A second panel is in the figure only.

    Raises
    ------
    InputError
        If there is no slice, or not one title, and one mapping of tissues, for each.
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
    n_rows = -(-len(shown) // n_columns) * per_slice
    below = (max(map(_entries, shown)) // 2 + 2) * _LEGEND_LINE if tissues is not None else 0.0
    size = (n_columns * _PANEL, n_rows * (_PANEL + 0.3) + n_rows / per_slice * below)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    for ax in grid.flat:
        ax.set_axis_off()
    panels = []
    for number, (one, heading) in enumerate(zip(shown, titles, strict=True)):
        row, column = divmod(number, n_columns)
        panels.append(_panel(grid[row * per_slice, column], one, title=heading))
        if tissues is not None:
            _labelled(_panel(grid[row * per_slice + 1, column], one), one, names[number])
    figure.suptitle(title)
    return np.array(panels, dtype=object)


def _panel(ax: Axes, one: CaseSlice, *, title: str = "") -> Axes:
    ax.set_axis_on()
    show_slice(one.image, spacing_mm=one.spacing_mm, plane=one.plane, ax=ax)
    ax.set_title(title, fontsize=10)
    return ax


def _labelled(ax: Axes, one: CaseSlice, tissues: Mapping[int, str]) -> None:
    label_map = np.asarray(one.label_map)
    found = labels_in(label_map)
    colours: dict[int, RGB] = tissue_colours({*found, *tissues})
    draw_label_map(ax, label_map, colours=colours, fill=0.25)
    names = [
        Patch(facecolor=colours[k], edgecolor="0.2", label=tissues.get(k, f"label {k}"))
        for k in found
    ]
    ax.legend(
        handles=names,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=2,
        fontsize=7,
        frameon=False,
        columnspacing=1.0,
        handlelength=1.2,
    )


def _entries(one: CaseSlice) -> int:
    return 0 if one.label_map is None else len(labels_in(np.asarray(one.label_map)))
