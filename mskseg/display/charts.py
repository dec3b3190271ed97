"""Charts of the tables of `mskseg.evaluation`. Every function returns Axes and shows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mskseg.display.style import FILLED_BOX, PALETTE
from mskseg.errors import InputError
from mskseg.evaluation.summary import IN_THE_MEAN, summarise

if TYPE_CHECKING:
    import pandas as pd

_PLAN = ["segmenter", "prompt", "box_source"]
_ROW = ["dataset", "tissue"]


def dice_by_tissue(
    table: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Show the Dice of each tissue beside the filled box.

    Small dots are slices, large ones the mean (`summarise`), diamonds the mean of the filled boxes.
    Tissues are sorted by the first plan's mean, the best on top, within their data set where there
    are several; the number of scored slices stands beside each name.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`; several segmenters and prompt plans get a colour each.
    title : str, optional
        Default: in how many tissues the first plan is above its filled box, counted here.
    ax : Axes, optional
        Default: of a new figure, as high as the tissues need.

    Returns
    -------
    Axes
        x is Dice from 0 to 1, one row per tissue, and one for the name of each of several data
        sets.

    Raises
    ------
    InputError
        If no row of the table is scored.
    """
    scored = table[table["status"].isin(IN_THE_MEAN)]
    if scored.empty:
        raise InputError("no row of the table is scored, expected one or more; check the labels")
    means = summarise(scored, by=[*_PLAN, *_ROW])
    plans = [group.set_index(_ROW) for _, group in means.groupby(_PLAN, sort=False)]
    order = _row_order(means, plans[0])
    if ax is None:
        size = (8.0, 1.6 + len(order) * (0.14 + 0.11 * len(plans)))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    offsets = np.linspace(-0.5, 0.5, len(plans) + 2)[1:-1]
    for number, (mean, offset) in enumerate(zip(plans, offsets, strict=True)):
        rows = scored[(scored[_PLAN] == mean[_PLAN].iloc[0]).all(axis=1)].set_index(_ROW)
        base = np.array([order.index(key) for key in mean.index]) + offset
        slices_at = np.array([order.index(key) for key in rows.index]) + offset
        colour = PALETTE[number % len(PALETTE)]
        ax.scatter(rows["dice"], slices_at, s=7, color=colour, alpha=0.3, linewidths=0)
        ax.scatter(
            mean["filled_box_dice"],
            base,
            s=34,
            marker="D",
            facecolors="none",
            edgecolors=FILLED_BOX if len(plans) == 1 else colour,
        )
        ax.scatter(mean["dice"], base, s=48, color=colour, edgecolors="white", zorder=3)
    _name_rows(ax, plans[0], order)
    ax.set_title(_finding(plans[0]) if title is None else title, loc="left", fontsize=11)
    _explain(ax, plans)
    return ax


def _row_order(means: pd.DataFrame, first: pd.DataFrame) -> list[tuple[str, str]]:
    """List (data set, tissue) from top to bottom; (data set, "") where a heading goes."""
    datasets = list(dict.fromkeys(means["dataset"]))
    best_first = [*first.sort_values("dice", ascending=False).index, *means.set_index(_ROW).index]
    order: list[tuple[str, str]] = []
    for dataset in datasets:
        order += [(dataset, "")] if len(datasets) > 1 else []
        order += dict.fromkeys(key for key in best_first if key[0] == dataset)
    return order


def _name_rows(ax: Axes, first: pd.DataFrame, order: Sequence[tuple[str, str]]) -> None:
    counts = first["n_pairs"].to_dict()
    names = [f"{key[1]} (n={counts.get(key, 0)})" if key[1] else key[0] for key in order]
    ax.set_yticks(range(len(order)), names, fontsize=9)
    for place, (label, (_, tissue)) in enumerate(zip(ax.get_yticklabels(), order, strict=True)):
        if not tissue:
            label.set_fontweight("bold")
            ax.axhspan(place - 0.5, place + 0.5, color="0.85", zorder=0)
        elif place % 2 == 0:
            ax.axhspan(place - 0.5, place + 0.5, color="0.96", zorder=0)
    ax.set_ylim(len(order) - 0.5, -0.5)  # the best on top
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("Dice")
    ax.grid(axis="x", color="0.85", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _finding(first: pd.DataFrame) -> str:
    """Say in how many tissues the mean of the first plan is above its filled box."""
    above = int((first["dice"] > first["filled_box_dice"]).sum())
    return f"Above the filled box in {above} of {len(first)} tissues\n{_name(first)}"


def _name(mean: pd.DataFrame) -> str:
    row = mean.iloc[0]
    kind = " (miniature)" if row["miniature"] else ""
    if row["prompt"] == "none":
        return f"{row['segmenter']}{kind}, no prompt"
    prompt = "points" if row["prompt"] == "point" else "boxes"
    return f"{row['segmenter']}{kind}, {prompt}: {row['box_source']}"


def _explain(ax: Axes, plans: Sequence[pd.DataFrame]) -> None:
    """Put a legend under the axes: what a dot is, and which colour which plan is."""
    grey = "0.35"
    marks = [
        _mark("o", label="one slice", color=grey, markersize=3, alpha=0.5),
        _mark("o", label="mean", color=grey, markersize=7),
        _mark("D", label="mean of the filled boxes", color=grey, markersize=6, fillstyle="none"),
    ]
    if len(plans) > 1:
        marks += [
            _mark("s", label=_name(mean), color=PALETTE[number % len(PALETTE)], markersize=7)
            for number, mean in enumerate(plans)
        ]
    ax.figure.legend(
        handles=marks,
        loc="outside lower center",
        ncols=3 if len(plans) == 1 else 2,
        fontsize=8,
        frameon=False,
    )


def _mark(marker: str, **style: Any) -> Line2D:
    return Line2D([], [], linestyle="none", marker=marker, **style)
