"""Charts of tables that several notebooks share: Dice of each tissue, and sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mskseg.display.style import (
    FILLED_BOX,
    PALETTE,
    chart_axes,
    finish_chart,
)
from mskseg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_PLAN = ["segmenter", "prompt", "box_source"]
_ROW = ["dataset", "tissue"]


def dice_by_tissue(
    table: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Show the Dice of each tissue beside the filled box, of a table of `score_cases`.

    Small dots are slices, large ones the mean (`summarise`), diamonds the mean of the filled boxes;
    several segmenters and plans get a colour each. Tissues are sorted by the first plan's mean
    within their data set, with their number of slices. InputError if no row is scored.
    """
    from mskseg.evaluation.averaging import IN_THE_MEAN, summarise  # brings torch with it

    scored = table[table["status"].isin(IN_THE_MEAN)]
    if scored.empty:
        raise InputError("expected one scored row or more, got none; check the table's labels")
    means = summarise(scored, by=[*_PLAN, *_ROW])
    plans = [group.set_index(_ROW) for _, group in means.groupby(_PLAN, sort=False)]
    order = _row_order(means, plans)
    ax = chart_axes(ax, (8.0, 1.6 + len(order) * (0.14 + 0.11 * len(plans))))
    offsets = np.linspace(-0.5, 0.5, len(plans) + 2)[1:-1]
    for number, (mean, offset) in enumerate(zip(plans, offsets, strict=True)):
        rows = scored[(scored[_PLAN] == mean[_PLAN].iloc[0]).all(axis=1)].set_index(_ROW)
        means_at = np.array([order.index(key) for key in mean.index]) + offset
        slices_at = np.array([order.index(key) for key in rows.index]) + offset
        colour = PALETTE[number % len(PALETTE)]
        box_colour = FILLED_BOX if len(plans) == 1 else colour
        ax.scatter(rows["dice"], slices_at, s=7, color=colour, alpha=0.3, linewidths=0)
        ax.scatter(mean["filled_box_dice"], means_at, s=34, marker="D", fc="none", ec=box_colour)
        ax.scatter(mean["dice"], means_at, s=48, color=colour, edgecolors="white", zorder=3)
    _name_rows(ax, plans, order)
    above = int((plans[0]["dice"] > plans[0]["filled_box_dice"]).sum())
    finding = f"Above the filled box in {above} of {len(plans[0])} tissues\n{_name(plans[0])}"
    finish_chart(ax, finding if title is None else title, grid="x", legend=None)
    ax.figure.legend(
        handles=_legend_entries(plans),
        loc="outside lower center",
        ncols=3 if len(plans) == 1 else 2,
        fontsize=8,
        frameon=False,
    )
    return ax


def _row_order(means: pd.DataFrame, plans: list[pd.DataFrame]) -> list[tuple[str, str]]:
    """List (data set, tissue) from top to bottom; (data set, "") where a heading goes."""
    datasets = list(dict.fromkeys(means["dataset"]))
    best_first = [key for plan in plans for key in plan.sort_values("dice", ascending=False).index]
    order: list[tuple[str, str]] = []
    for dataset in datasets:
        order += [(dataset, "")] if len(datasets) > 1 else []
        order += dict.fromkeys(key for key in best_first if key[0] == dataset)
    return order


def _name_rows(ax: Axes, plans: list[pd.DataFrame], order: list[tuple[str, str]]) -> None:
    counts = {key: n for plan in reversed(plans) for key, n in plan["n_pairs"].items()}
    names = [f"{key[1]} (n={counts.get(key, 0)})" if key[1] else key[0] for key in order]
    ax.set_yticks(range(len(order)), names, fontsize=9)
    for place, (label, (_, tissue)) in enumerate(zip(ax.get_yticklabels(), order, strict=True)):
        if not tissue:
            label.set_fontweight("bold")
        if not tissue or place % 2 == 0:
            ax.axhspan(place - 0.5, place + 0.5, color="0.96" if tissue else "0.85", zorder=0)
    ax.set(xlim=(-0.02, 1.02), ylim=(len(order) - 0.5, -0.5), xlabel="Dice")  # the best on top


def _name(mean: pd.DataFrame) -> str:
    row = mean.iloc[0]
    kind = " (miniature)" if row["miniature"] else ""
    if row["prompt"] == "none":
        return f"{row['segmenter']}{kind}, no prompt"
    prompt = "points" if row["prompt"] == "point" else "boxes"
    return f"{row['segmenter']}{kind}, {prompt}: {row['box_source']}"


def _legend_entries(plans: list[pd.DataFrame]) -> list[Line2D]:
    """Explain what a dot is, and which colour which plan is where there are several."""

    def entry(marker: str, label: str, size: float, **style: Any) -> Line2D:
        look = {"color": "0.35", **style}
        return Line2D([], [], linestyle="none", marker=marker, label=label, markersize=size, **look)

    return [
        entry("o", "one slice", 3, alpha=0.5),
        entry("o", "mean", 7),
        entry("D", "mean of the filled boxes", 6, fillstyle="none"),
        *(
            entry("s", _name(mean), 7, color=PALETTE[number % len(PALETTE)])
            for number, mean in enumerate(plans if len(plans) > 1 else [])
        ),
    ]
