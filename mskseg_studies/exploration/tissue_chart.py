"""Size, width and contrast of tissues beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from mskseg.display.style import PALETTE
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_PANELS = (
    ("area_mm2", "area on a slice (mm²)"),
    ("thickness_mm", "thickness (mm)"),
    ("contrast", "contrast (standard deviations)"),
)
_MARKERS = {"compact": "o", "thin": "_", "ring": "D"}


def tissue_chart(means: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Show area, thickness and contrast of each tissue, a row each.

    Parameters
    ----------
    means : pandas.DataFrame
        From `mskseg.evaluation.tissues.tissue_means` by `dataset` and `tissue`. Data sets stay in
        their order, each with a colour; within one the thinnest tissue is on top. The marker says
        the shape.
    title : str
        States the finding.

    Returns
    -------
    (3,) array of Axes
        Area and thickness on logarithmic scales, contrast on a linear one around 0.

    Raises
    ------
    InputError
        If the table has no row.
    """
    if means.empty:
        raise InputError("no tissue came, expected one row or more of `tissue_means`")
    names = list(dict.fromkeys(means["dataset"]))
    order = means["dataset"].map(names.index)
    rows = means.assign(order=order).sort_values(["order", "thickness_mm"])
    figure, axes = plt.subplots(
        1, 3, figsize=(10.5, 1.4 + 0.19 * len(rows)), sharey=True, layout="constrained"
    )
    height = np.arange(len(rows))
    for ax, (column, label) in zip(axes, _PANELS, strict=True):
        for shape, marker in _MARKERS.items():
            chosen = (rows["shape"] == shape).to_numpy()
            colours = [PALETTE[number % len(PALETTE)] for number in rows["order"][chosen]]
            ax.scatter(
                rows[column][chosen],
                height[chosen],
                marker=marker,
                s=46,
                c=colours,
                linewidths=2.5 if marker == "_" else 0.5,
            )
        ax.set_xlabel(label)
        ax.grid(color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set(xscale="log", ylim=(len(rows) - 0.5, -0.5))
    axes[0].set_yticks(height, rows["tissue"], fontsize=8)
    axes[1].set_xscale("log")
    for ax in axes[:2]:  # 20 rather than 2 x 10^1
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="x", labelsize=8)
    axes[2].axvline(0, color="0.4", linewidth=0.8)
    figure.suptitle(title)
    figure.legend(
        handles=[*_dataset_marks(names), *_shape_marks()],
        loc="outside lower center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    panels: NDArray[Any] = axes
    return panels


def _dataset_marks(names: list[str]) -> list[Line2D]:
    return [
        Line2D([], [], linestyle="none", marker="s", color=PALETTE[n % len(PALETTE)], label=name)
        for n, name in enumerate(names)
    ]


def _shape_marks() -> list[Line2D]:
    return [
        Line2D([], [], linestyle="none", marker=marker, color="0.35", label=shape, mew=2)
        for shape, marker in _MARKERS.items()
    ]
