"""Means of several models side by side, a row for each test set or arm."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from mskseg.display.style import PALETTE
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = ("o", "s", "^", "D", "v", "P")


def dot_rows(
    means: pd.DataFrame,
    *,
    row: str,
    series: str,
    value: str = "dice",
    spread: str | None = None,
    xlabel: str = "Dice",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a dot for each model in a row for each group; marker and colour say the same twice.

    Parameters
    ----------
    means : pandas.DataFrame
        A row for each dot.
    row, series, value : str
        Its columns: which group, which model, position.
    spread : str, optional
        Column with the standard deviation between subjects, drawn as bars.
    xlabel, title : str
        The title states the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    lacking = [name for name in (row, series, value, spread) if name and name not in means]
    if means.empty or lacking:
        raise InputError(f"the table has {len(means)} rows and lacks {lacking or 'nothing'}")
    rows, models = list(dict.fromkeys(means[row])), list(dict.fromkeys(means[series]))
    if ax is None:
        size = (7.6, 1.3 + len(rows) * (0.35 + 0.13 * len(models)))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    offsets = np.linspace(-0.5, 0.5, len(models) + 2)[1:-1]
    for number, (model, offset) in enumerate(zip(models, offsets, strict=True)):
        some = means[means[series] == model]
        ax.errorbar(
            some[value],
            [rows.index(name) + offset for name in some[row]],
            xerr=None if spread is None else some[spread].fillna(0),
            label=str(model),
            marker=_MARKERS[number % len(_MARKERS)],
            color=PALETTE[number % len(PALETTE)],
            linestyle="none",
            markersize=7,
            capsize=2,
        )
    for place in range(0, len(rows), 2):
        ax.axhspan(place - 0.5, place + 0.5, color="0.96", zorder=0)
    ax.set_yticks(range(len(rows)), [fill(str(name), 30) for name in rows])
    ax.set(xlabel=xlabel, xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    ax.grid(axis="x", color="0.88", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(title, loc="left", fontsize=11)
    ax.figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return ax
