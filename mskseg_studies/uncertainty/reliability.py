"""Charts of calibration and of what uncertainty is good for. All return Axes and show nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mskseg.display.style import PALETTE
from mskseg.errors import InputError
from mskseg_studies.uncertainty.case_tables import opinion_bins

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES = ("solid", "dashed", "dotted", "dashdot")
_SUMS = ["n", "confidence", "hits"]


def reliability_charts(
    bins: pd.DataFrame,
    *,
    panels: str = "severity",
    series: str = "model",
    region: str = "foreground",
    labels: tuple[str, str] = ("confidence of the model", "part that is right"),
    min_share: float = 0.001,
    title: str = "",
) -> NDArray[Any]:
    """Draw reliability diagrams side by side: what a model says, and how often it is right.

    Parameters
    ----------
    bins : pandas.DataFrame
        `UncertaintyTables.bins` of one arm, scaled or not: `region`, `bin`, `n`, `confidence` and
        `hits` (sums), `panels` and `series`. Cases are pooled.
    panels, series : str
        Columns that make a panel and a line.
    region : {"slice", "foreground", "band"}
    labels : (str, str)
        Of the axes.
    min_share : float
        Bins with a smaller part of a line's pixels are left out, since their rate is noise.
    title : str
        States the finding.

    Returns
    -------
    (P,) array of Axes
        In alphabetical order. A dot's area is the share of pixels in its bin; below the diagonal
        the model is too sure. The legend gives each line's ECE over the pooled pixels.

    Raises
    ------
    InputError
        If a column is missing or the region has no pixel.
    """
    missing = [name for name in (panels, series, "region", "bin", *_SUMS) if name not in bins]
    chosen = bins if missing else bins[bins["region"] == region]
    if missing or not chosen["n"].sum():
        raise InputError(
            f"the table has {len(bins)} rows and lacks {', '.join(missing) or f'{region!r} pixels'}"
            "; give the bins of `measure_uncertainty`"
        )
    names = sorted(set(chosen[panels]))
    figure, grid = plt.subplots(
        1,
        len(names),
        figsize=(0.6 + 3.6 * len(names), 4.0 + 0.19 * chosen[series].nunique()),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    axes: NDArray[Any] = grid[0]
    for ax, name in zip(axes, names, strict=True):
        _diagonal(ax, labels=labels)
        rows = chosen[chosen[panels] == name]
        for number, (label, line) in enumerate(rows.groupby(series, sort=False)):
            sums = line.groupby("bin")[_SUMS].sum()
            _reliability_line(ax, sums, label=str(label), number=number, min_share=min_share)
        ax.set_title(str(name), fontsize=10)
        ax.legend(frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    axes[0].set_ylabel(labels[1])
    figure.suptitle(title, fontsize=11)
    return axes


def opinion_charts(outlines: pd.DataFrame) -> NDArray[Any]:
    """Draw how far a model's predicted IoU comes true, a panel for each grade.

    Parameters
    ----------
    outlines : pandas.DataFrame
        `UncertaintyTables.outlines` of `mskseg_studies.uncertainty.case_tables`; models that
        never learned to predict an IoU are left out.

    Returns
    -------
    (P,) array of Axes
        The title says by how much the prediction is too high or too low on average.

    Raises
    ------
    InputError
        If no model predicts its IoU.
    """
    bins = opinion_bins(outlines)
    gap = (bins["confidence"].sum() - bins["hits"].sum()) / bins["n"].sum()
    names, way = " and ".join(dict.fromkeys(bins["model"])), "high" if gap > 0 else "low"
    return reliability_charts(
        bins,
        region="mask",
        labels=("predicted IoU", "IoU with the reference"),
        min_share=0.02,
        title=f"{names}: predicted IoU {abs(gap):.2f} too {way} on average",
    )


def _diagonal(ax: Axes, *, labels: tuple[str, str]) -> None:
    ax.plot((0, 1), (0, 1), color="0.5", linewidth=1, linestyle=(0, (5, 3)))
    ax.set(xlabel=labels[0], xlim=(0, 1.02), ylim=(0, 1.02))
    ax.set_aspect("equal")
    ax.text(0.97, 0.06, "too sure", ha="right", fontsize=8, color="0.4", style="italic")
    ax.grid(color="0.92", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _reliability_line(
    ax: Axes, sums: pd.DataFrame, *, label: str, number: int, min_share: float
) -> None:
    total = sums["n"].sum()
    ece = (sums["confidence"] - sums["hits"]).abs().sum() / total
    shown = sums[sums["n"] > max(min_share * total, 0)]
    x, y = shown["confidence"] / shown["n"], shown["hits"] / shown["n"]
    colour = PALETTE[number % len(PALETTE)]
    ax.plot(x, y, color=colour, linewidth=1.2, linestyle=_LINES[number % len(_LINES)])
    ax.scatter(
        x,
        y,
        s=12 + 160 * shown["n"] / total,
        color=colour,
        marker=_MARKERS[number % len(_MARKERS)],
        edgecolors="white",
        linewidths=0.6,
        label=f"{label} (ECE {100 * ece:.1f} %)",
        zorder=3,
    )


def risk_coverage_chart(
    curves: pd.DataFrame, *, series: str = "model", title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how often the most certain part is wrong, against how large a part is kept.

    Parameters
    ----------
    curves : pandas.DataFrame
        `UncertaintyTables.curves` of one arm: `subject`, `coverage`, `risk` and `series`.
    series : str
        Column that makes a line; its subjects are averaged.
    title : str, optional
        Default: what the last line loses by keeping half, counted here.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        Both in per cent.
    """
    ax = _axes(ax)
    for number, (name, rows) in enumerate(curves.groupby(series, sort=False)):
        mean = rows.groupby("coverage")["risk"].mean()
        _line(ax, 100 * mean.index.to_numpy(), 100 * mean.to_numpy(), name=str(name), number=number)
    ax.set(xlabel="pixels kept, the most certain first (%)", ylabel="wrong among them (%)")
    ax.set_ylim(bottom=0)
    half, whole = (100 * np.interp(kept, mean.index, mean) for kept in (0.5, 1.0))
    told = f"{name}:\n{half:.1f} % wrong in the surer half, {whole:.1f} % in all"
    return _finish(ax, told if title is None else title)


def referral_chart(
    curves: Mapping[str, pd.DataFrame], *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the mean Dice after a reader has corrected the least certain outlines.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        Name, for the legend, and `mskseg_studies.uncertainty.selective.referral_curve`.
    title : str, optional
        Default: what correcting a fifth by doubt brings over chance, where it brings most.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there is no curve, or none of a model that predicted anything.
    """
    drawn = {name: curve for name, curve in curves.items() if curve["dice"].notna().all()}
    if not drawn:
        raise InputError(
            f"no referral curve came ({len(curves)} of models that predicted nothing), expected "
            "one or more"
        )
    ax = _axes(ax)
    for number, (name, curve) in enumerate(drawn.items()):
        x, y = (100 * curve["referred"]).to_numpy(), curve["dice"].to_numpy()
        _line(ax, x, y, name=f"{name}, by doubt", number=number)
        colour = PALETTE[number % len(PALETTE)]
        label = f"{name}, from random to best"
        ax.fill_between(x, curve["random"], curve["best"], color=colour, alpha=0.14, label=label)
    ax.set(
        xlabel="predicted outlines corrected, the least certain first (%)", ylabel="their mean Dice"
    )
    return _finish(ax, _referred_fifth(drawn) if title is None else title)


def _referred_fifth(curves: Mapping[str, pd.DataFrame]) -> str:
    gains = {
        name: float(np.interp(0.2, each["referred"], each["dice"] - each["random"]))
        for name, each in curves.items()
    }
    best = max(gains, key=lambda name: gains[name])
    return f"A fifth corrected by doubt gains at most {gains[best]:+.3f} over chance ({best})"


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots(figsize=(6.0, 3.9), layout="constrained")[1] if ax is None else ax


def _line(
    ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], *, name: str, number: int
) -> None:
    ax.plot(
        x,
        y,
        color=PALETTE[number % len(PALETTE)],
        linestyle=_LINES[number % len(_LINES)],
        marker=_MARKERS[number % len(_MARKERS)],
        markersize=4,
        label=name,
    )


def _finish(ax: Axes, title: str) -> Axes:
    ax.set_title(title, loc="left", fontsize=11)
    ax.grid(color="0.9", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return ax
