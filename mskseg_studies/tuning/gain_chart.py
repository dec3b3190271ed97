"""What tuning changed, cell by cell: training subset against what was evaluated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = "PuOr"  # orange lost, violet gained; told apart by the colour-blind
_SURE = "*"


def gain_map(cross: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the cross table: gain in Dice by tuning, for each subset and evaluated set.

    A frame stands around what is in-distribution; an asterisk says that the interval of the gain,
    where there is one, leaves out 0.

    Parameters
    ----------
    cross : pandas.DataFrame
        From `mskseg_studies.tuning.gains.cross_table`.
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
        If the table is empty.
    """
    if cross.empty:
        raise InputError("the cross table has no row; tune on one subset or more")
    named = cross.assign(column=cross["evaluated_on"] + "\n" + cross["part"])
    rows = list(dict.fromkeys(named["training_subset"]))
    columns = [
        column
        for part in dict.fromkeys(named["part"])
        for column in dict.fromkeys(named.loc[named["part"] == part, "column"])
    ]
    if ax is None:
        size = (2.6 + 0.95 * len(columns), 1.9 + 0.42 * len(rows))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    gains = named.pivot(index="training_subset", columns="column", values="gain")
    shown = gains.loc[rows, columns].to_numpy(dtype=float)
    limit = max(0.05, float(np.nanmax(np.abs(shown))))
    image = ax.imshow(shown, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto")
    for _, cell in named.iterrows():
        at = columns.index(cell["column"]), rows.index(cell["training_subset"])
        _write(ax, *at, cell, dark=abs(cell["gain"]) > 0.6 * limit)
    ax.set_xticks(range(len(columns)), [name.replace("phantom_", "") for name in columns])
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel="evaluated on", ylabel="tuned on")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left", fontsize=11)
    ax.figure.colorbar(image, ax=ax, label="gain in Dice", shrink=0.85)
    return ax


def _write(ax: Axes, x: int, y: int, cell: pd.Series[Any], *, dark: bool) -> None:
    low, high = cell["gain_low"], cell["gain_high"]
    sure = _SURE if not math.isnan(low) and low * high > 0 else ""
    text = f"{cell['gain']:+.2f}{sure}"
    ax.text(x, y, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    if cell["in_distribution"]:
        ax.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, fill=False, lw=1.6, ec="black"))
