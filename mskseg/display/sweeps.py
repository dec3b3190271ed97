"""Curves and bars of a sweep: Dice over clicks, resolutions, phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mskseg.display.colours import PLANS
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES = ("solid", "dashed", "dotted", "dashdot")


def sweep_chart(
    means: pd.DataFrame,
    *,
    x: str,
    series: str,
    value: str = "dice",
    spread: str | None = None,
    level: tuple[str, float] | None = None,
    labels: tuple[str, str] = ("", "Dice"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a line for each series of a table of means.

    Parameters
    ----------
    means : pandas.DataFrame
        A row for each point.
    x, series, value : str
        Its columns: position, which line, height.
    spread : str, optional
        Column with the standard deviation between subjects, drawn as bars.
    level : (str, float), optional
        Name and height of a horizontal line to compare with, such as the box.
    labels : (str, str)
        Of the axes.
    title : str
        States the finding.
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
    missing = [name for name in (x, series, value, spread) if name and name not in means]
    if means.empty or missing:
        raise InputError(f"the table has {len(means)} rows and lacks {missing or 'nothing'}")
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 3.9), layout="constrained")[1]
    for number, (name, rows) in enumerate(means.groupby(series, sort=False)):
        ordered = rows.sort_values(x)
        ax.errorbar(
            ordered[x],
            ordered[value],
            yerr=None if spread is None else ordered[spread].fillna(0),
            label=str(name),
            marker=_MARKERS[number % len(_MARKERS)],
            linestyle=_LINES[number % len(_LINES)],
            color=PLANS[number % len(PLANS)],
            capsize=3,
        )
    if level is not None:
        ax.axhline(level[1], color="0.35", linewidth=1, linestyle=(0, (5, 3)), label=level[0])
    ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, 1))
    ax.set_xticks(sorted(means[x].unique()))
    ax.set_title(title, loc="left", fontsize=11)
    ax.grid(color="0.9", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return ax


def ranked_bars(
    means: pd.DataFrame, *, name: str, value: str = "dice", title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw horizontal bars with their numbers, the highest on top.

    Parameters
    ----------
    means : pandas.DataFrame
        A row for each bar, with the columns `name` and `value`.
    name, value : str
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
    """
    ordered = means.sort_values(value)
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 0.8 + 0.36 * len(ordered)), layout="constrained")[1]
    bars = ax.barh(ordered[name].astype(str), ordered[value], color=PLANS[0], height=0.7)
    ax.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    ax.set(xlabel="Dice", xlim=(0, 1.08))
    ax.set_title(title, loc="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
