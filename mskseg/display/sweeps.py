"""Charts of sweeps: Dice over clicks, resolutions and phases, agreement, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter
from numpy.typing import NDArray

from mskseg.display.style import PALETTE
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES = ("solid", "dashed", "dotted", "dashdot")
_WAYS = {
    "drawing_s": ("drawing", "0.35", "s"),
    "clicking_s": ("clicks", PALETTE[0], "o"),
    "boxing_s": ("boxes", PALETTE[1], "D"),
}


def sweep_chart(
    means: pd.DataFrame,
    *,
    x: str,
    series: str,
    value: str = "dice",
    spread: str | None = None,
    level: tuple[str, float] | None = None,
    x_scale: Literal["linear", "log"] = "linear",
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
    x_scale : {"linear", "log"}
        "log" for sizes, which double.
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
            color=PALETTE[number % len(PALETTE)],
            capsize=3,
        )
    if level is not None:
        ax.axhline(level[1], color="0.35", linewidth=1, linestyle=(0, (5, 3)), label=level[0])
    ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, 1))
    _mark(ax, np.sort(means[x].unique()), scale=x_scale)
    ax.set_title(title, loc="left", fontsize=11)
    ax.grid(color="0.9", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return ax


def ranked_bars(
    means: pd.DataFrame, *, name: str, value: str = "dice", title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw horizontal bars with their numbers to three decimals, the highest on top.

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

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    missing = [column for column in (name, value) if column not in means]
    if means.empty or missing:
        raise InputError(f"the table has {len(means)} rows and lacks {missing or 'nothing'}")
    ordered = means.sort_values(value)
    if ax is None:
        ax = plt.subplots(figsize=(6.4, 1.0 + 0.34 * len(ordered)), layout="constrained")[1]
    bars = ax.barh(ordered[name].astype(str), ordered[value], color=PALETTE[0], height=0.7)
    ax.bar_label(bars, fmt="%.3f", padding=3, fontsize=9)
    ax.set(xlabel="Dice", xlim=(0, 1.12), xticks=np.linspace(0, 1, 6))
    ax.set_title(title, loc="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def agreement_chart(agreements: Mapping[str, pd.DataFrame], *, title: str = "") -> NDArray[Any]:
    """Draw square tables of agreement between images, a panel each.

    Parameters
    ----------
    agreements : mapping of str to pandas.DataFrame
        A heading for each table of `mskseg_studies.prompting.phases.phase_agreement`.
    title : str
        States the finding.

    Returns
    -------
    (N,) array of Axes
        Brighter is nearer to 1; the numbers stand in the cells, "-" where there is none.

    Raises
    ------
    InputError
        If there is no table.
    """
    if not agreements:
        raise InputError("no table of agreement came, expected one or more")
    sizes = [len(table) for table in agreements.values()]
    width = sum(1.5 + 0.48 * size for size in sizes)
    figure, panels = plt.subplots(
        1,
        len(sizes),
        figsize=(max(width, 4.5), 1.5 + 0.48 * max(sizes)),
        squeeze=False,
        layout="constrained",
        width_ratios=[1 + size for size in sizes],
    )
    for ax, (heading, table) in zip(panels[0], agreements.items(), strict=True):
        ax.imshow(table.to_numpy(), cmap="cividis", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(table.to_numpy()):
            shown, ink = ("-", "0.3") if np.isnan(value) else (f"{value:.2f}", "black")
            ink = "white" if value < 0.6 else ink
            ax.text(column, row, shown, ha="center", va="center", fontsize=8, color=ink)
        ax.set_xticks(range(len(table)), table.columns, rotation=40, ha="right", fontsize=8)
        ax.set_yticks(range(len(table)), table.index, fontsize=8)
        ax.set_title(heading, fontsize=10)
    figure.suptitle(title, fontsize=11)
    axes: NDArray[Any] = panels[0]
    return axes


def seconds_chart(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Show what each tissue costs when it is drawn, clicked or boxed, the dearest on top.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mskseg_studies.prompting.effort.time_saved`.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        x is mean seconds for an object.

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    missing = [column for column in ("tissue", *_WAYS) if column not in table]
    if table.empty or missing:
        raise InputError(f"the table has {len(table)} rows and lacks {missing or 'nothing'}")
    ordered = table.sort_values("drawing_s")
    if ax is None:
        ax = plt.subplots(figsize=(6.8, 1.3 + 0.28 * len(ordered)), layout="constrained")[1]
    for column, (name, colour, marker) in _WAYS.items():
        ax.scatter(ordered[column], ordered["tissue"], label=name, color=colour, marker=marker)
    ax.set(xlabel="seconds for an object, mean", xlim=(0, None))
    ax.set_title(title, loc="left", fontsize=11)
    ax.grid(color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _mark(ax: Axes, places: NDArray[Any], *, scale: Literal["linear", "log"]) -> None:
    """Put a tick at each place that was measured, written out even on a logarithmic axis."""
    ax.set_xscale(scale)
    ax.set_xticks(places)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
