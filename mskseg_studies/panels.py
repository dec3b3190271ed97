"""Figures of several panels with one legend."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

REFERENCE = "#56B4E9"  # white would be lost between box and bright tissue


def new_panels(
    n: int, *, columns: int, size: tuple[float, float], sharey: bool = False
) -> tuple[Figure, NDArray[Any]]:
    """Open a figure with n panels of `size` inches; places that are left over stay empty."""
    n_columns = min(columns, n)
    n_rows = math.ceil(n / n_columns)
    figure, grid = plt.subplots(
        n_rows,
        n_columns,
        figsize=(size[0] * n_columns, size[1] * n_rows + 0.6),
        squeeze=False,
        sharey=sharey,
        layout="constrained",
    )
    for ax in grid.flat[n:]:
        ax.set_axis_off()
    panels: NDArray[Any] = grid.ravel()[:n]
    return figure, panels


def add_legend(figure: Figure, ax: Axes, title: str, *, columns: int = 4) -> None:
    """Give a figure of panels its title, and below it the legend of one of them."""
    handles, names = ax.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    figure.suptitle(title, fontsize=11)
