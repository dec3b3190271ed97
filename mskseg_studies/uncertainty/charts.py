"""Charts of calibration and of what uncertainty is good for. All return Axes and show nothing."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg_studies.charts import (
    chart_axes,
    check_columns,
    finish_chart,
    picture_slider,
    series_style,
)
from mskseg_studies.panels import add_legend, new_panels

_SUMS = ["n", "confidence", "hits"]


def reliability_charts(
    bins: pd.DataFrame, *, by: str = "severity", title: str = ""
) -> NDArray[Any]:
    """Draw reliability diagrams side by side: what a model says, and how often it is right.

    `bins` are `UncertaintyTables.bins` of one arm, a panel for each value of `by` in alphabetical
    order, a line for each `model`, the candidate pixels of all cases pooled. A dot's area is the
    share of pixels in its bin; bins with less than a thousandth of a line's pixels are left out,
    since their rate is noise. Below the diagonal the model is too sure. Each panel gives the lines'
    ECE over its pooled pixels, in their colours.
    """
    check_columns(bins, [by, "model", "region", "bin", *_SUMS])
    chosen = bins[bins["region"] == "candidate"]
    names = sorted(set(chosen[by]))
    height = 3.6 + 0.12 * chosen["model"].nunique()
    figure, axes = new_panels(len(names), columns=len(names), size=(3.6, height), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        _diagonal(ax)
        rows = chosen[chosen[by] == name]
        for number, (label, line) in enumerate(rows.groupby("model", sort=False)):
            sums = line.groupby("bin")[_SUMS].sum()
            _reliability_line(ax, sums, label=str(label), number=number)
        ax.set_title(str(name), fontsize=11)
    axes[0].set_ylabel("part that is right")
    _finish_reliability(figure, axes[0], title)
    return axes


def region_chart(compared: pd.DataFrame, *, temperature: float = 1) -> NDArray[Any]:
    """Draw one calibrated model as two regions see it: its reliability, and ECE by temperature.

    Of `compare_regions`. Two axes: the reliability at one of its temperatures, and the ECE at
    all of them. A ring marks the temperature that a region likes best, and the title names both.
    """
    figure, axes = new_panels(2, columns=2, size=(4.8, 3.8))
    _diagonal(axes[0])
    best = {}
    for number, (region, rows) in enumerate(compared.groupby("region", sort=False)):
        at_it = rows[rows["temperature"] == temperature].set_index("bin")
        _reliability_line(axes[0], at_it, label=str(region), number=number)
        ece, look = 100 * rows.groupby("temperature")["ece"].first(), series_style(number)
        axes[1].plot(ece.index, ece, markersize=4, label=region, **look)
        best[region] = ece.idxmin()
        axes[1].plot(best[region], ece.min(), "o", markersize=13, mfc="none", mec=look["color"])
    axes[0].set_ylabel("part that is right")
    named = "as it is (T = 1)" if temperature == 1 else f"at T = {temperature:g}"
    axes[0].set_title(named, fontsize=11)
    axes[1].set(xlabel="temperature T: sharper < 1 < softer", ylabel="ECE (%)", ylim=(0, None))
    axes[1].axvline(temperature, color="0.5", linewidth=1, linestyle=(0, (5, 3)))
    finish_chart(axes[1], legend=None)
    axes[1].set_title("made sharper and softer", fontsize=11)
    likes = ", at ".join(f'T = {best[region]:g} over "{region}"' for region in best)
    _finish_reliability(figure, axes[0], f"A perfectly calibrated model is best at {likes}")
    return axes


def temperature_slider(compared: pd.DataFrame) -> Any:
    """Make a slider over the temperatures of `compare_regions`, each with its `region_chart`."""
    of = compared["temperature"].unique().tolist()
    return picture_slider("T", of, lambda t: region_chart(compared, temperature=t)[0], start=1)


def _finish_reliability(figure: Figure, ax: Axes, title: str) -> None:
    """Name the lines of all panels below the figure, once."""
    add_legend(figure, ax, title, columns=2)
    for dot in figure.legends[0].legend_handles:
        plt.setp(dot, sizes=[36])  # else as large as its line's first dot


def _diagonal(ax: Axes) -> None:
    ax.plot((0, 1), (0, 1), color="0.5", linewidth=1, linestyle=(0, (5, 3)))
    ax.set(xlabel="confidence of the model", xlim=(0, 1.02), ylim=(0, 1.02))
    ax.set_aspect("equal")
    ax.text(0.97, 0.06, "too sure", ha="right", fontsize=8, color="0.4", style="italic")
    ax.grid(color="0.92", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _reliability_line(ax: Axes, sums: pd.DataFrame, *, label: str, number: int) -> None:
    total = sums["n"].sum()
    ece = (sums["confidence"] - sums["hits"]).abs().sum() / total
    shown = sums[sums["n"] > 0.001 * total]
    x, y, look = shown["confidence"] / shown["n"], shown["hits"] / shown["n"], series_style(number)
    ax.plot(x, y, color=look["color"], linewidth=1.2, linestyle=look["linestyle"])
    ax.scatter(
        x,
        y,
        s=12 + 160 * shown["n"] / total,
        color=look["color"],
        marker=look["marker"],
        edgecolors="white",
        linewidths=0.6,
        label=label,
        zorder=3,
    )
    at = (0.04, 0.97 - 0.07 * number)
    ax.text(*at, f"ECE {100 * ece:.1f} %", color=look["color"], fontsize=9, va="top")


def referral_chart(curves: Mapping[str, pd.DataFrame]) -> Axes:
    """Draw the mean Dice after a reader has corrected the least certain outlines.

    Takes a `referral_curve` by name; those of models that predicted nothing are left out, and with
    no other there is an InputError. The title says what correcting the least certain fifth brings
    over chance, where it brings most.
    """
    drawn = {name: curve for name, curve in curves.items() if curve["dice"].notna().all()}
    if not drawn:
        raise InputError(
            "expected one referral curve or more of models that predicted something, got "
            f"{len(curves)} of models that predicted nothing"
        )
    ax, gains = chart_axes(None, (6.0, 3.9)), {}
    for number, (name, curve) in enumerate(drawn.items()):
        x, look = 100 * curve["referred"], series_style(number)
        ax.plot(x, curve["dice"], markersize=4, label=name, **look)
        ax.fill_between(
            x,
            curve["random"],
            curve["best"],
            color=look["color"],
            alpha=0.14,
            label="from random to best" if number == 0 else None,
        )
        gains[name] = float(np.interp(0.2, curve["referred"], curve["dice"] - curve["random"]))
    ax.set(xlabel="outlines corrected, the least certain first (%)", ylabel="their mean Dice")
    best = max(gains, key=lambda name: gains[name])
    return finish_chart(
        ax,
        "Correcting the least certain fifth gains\n"
        f"at most {gains[best]:+.3f} over chance ({best})",
        legend="below",
        legend_columns=2,
    )
