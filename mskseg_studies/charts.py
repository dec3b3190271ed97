"""Charts of tables that rooms share, in one look: Dice of each tissue, and sweeps."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator, ScalarFormatter

from mskseg.display.style import chart_axes as chart_axes
from mskseg.errors import InputError
from mskseg.evaluation import summarise
from mskseg.evaluation.averaging import IN_THE_MEAN

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of the series of a chart, in their order."""
FILLED_BOX = "#666666"

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINESTYLES = ("solid", "dashed", "dotted", "dashdot")
_PLAN = ["segmenter", "prompt", "box_source"]
_ROW = ["dataset", "tissue"]


def series_style(number: int, *, line: bool = True) -> dict[str, Any]:
    """Keyword arguments for `Axes.plot`: colour, marker and, if it is a line, its dashes."""
    style: dict[str, Any] = {
        "color": PALETTE[number % len(PALETTE)],
        "marker": _MARKERS[number % len(_MARKERS)],
    }
    return style | ({"linestyle": _LINESTYLES[number % len(_LINESTYLES)]} if line else {})


def finish_chart(
    ax: Axes,
    title: str = "",
    *,
    grid: Literal["x", "y", "both"] | None = "both",
    legend: Literal["inside", "right", "below"] | None = "inside",
    legend_columns: int = 1,
) -> Axes:
    """Give a chart the look that all share: title (the finding), grid, no frame, legend."""
    ax.set_title(title, loc="left", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    if grid is not None:
        ax.grid(axis=grid, color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
    look: dict[str, Any] = {"frameon": False, "fontsize": 9, "ncols": legend_columns}
    if legend == "below":
        ax.figure.legend(loc="outside lower center", **look)
    elif legend == "right":
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), **look)
    elif legend == "inside":
        ax.legend(**look)
    return ax


def check_columns(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise InputError if a table of a chart has no row or lacks one of the columns."""
    missing = [name for name in columns if name not in table]
    if table.empty or missing:
        raise InputError(
            f"the table has {len(table)} rows and lacks {missing or 'nothing'}; pass one or more "
            f"rows with the columns {', '.join(columns)}"
        )


def dice_by_tissue(table: pd.DataFrame, *, lowest: int | None = None) -> Axes:
    """Show the Dice of each tissue beside the filled box, of a table of `score_cases`.

    Small dots are slices, large ones the mean (`summarise`), diamonds the mean of the filled boxes;
    several segmenters and plans get a colour each. Tissues are sorted by the first plan's mean
    within their data set, with their number of slices. `lowest` shows so many of each data set,
    those with the lowest mean over the plans. InputError if no row is scored.
    """
    scored = table[table["status"].isin(IN_THE_MEAN)]
    if scored.empty:
        raise InputError("expected one scored row or more, got none; check the table's labels")
    means = summarise(scored, by=[*_PLAN, *_ROW])
    if lowest is not None:
        ranked = means.groupby(_ROW)["dice"].mean().sort_values()
        kept = ranked.groupby("dataset").head(lowest).index
        scored, means = (t[t.set_index(_ROW).index.isin(kept)] for t in (scored, means))
    plans = [group.set_index(_ROW) for _, group in means.groupby(_PLAN, sort=False)]
    order = _row_order(means, plans)
    ax = chart_axes(None, (8.0, 1.6 + len(order) * (0.12 + 0.08 * len(plans))))
    offsets = np.linspace(-0.5, 0.5, len(plans) + 2)[1:-1]
    for number, (mean, offset) in enumerate(zip(plans, offsets, strict=True)):
        rows = scored[(scored[_PLAN] == mean[_PLAN].iloc[0]).all(axis=1)].set_index(_ROW)
        means_at = np.array([order.index(key) for key in mean.index]) + offset
        slices_at = np.array([order.index(key) for key in rows.index]) + offset
        colour = PALETTE[number % len(PALETTE)]
        box_colour = FILLED_BOX if len(plans) == 1 else colour
        ax.scatter(rows["dice"], slices_at, s=7, color=colour, alpha=0.3, linewidths=0)
        ax.scatter(mean["filled_box_dice"], means_at, s=26, marker="D", fc="none", ec=box_colour)
        ax.scatter(mean["dice"], means_at, s=36, color=colour, edgecolors="white", zorder=3)
    _name_rows(ax, plans, order)
    above = int((plans[0]["dice"] > plans[0]["filled_box_dice"]).sum())
    finding = f"{_name(plans[0])}:\nabove the filled box in {above} of its {len(plans[0])} tissues"
    finish_chart(ax, finding, grid="x", legend=None)
    ax.figure.legend(
        handles=_legend_entries(plans),
        loc="outside lower center",
        ncols=3 if len(plans) == 1 else 2,
        fontsize=8,
        frameon=False,
    )
    return ax


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
    """Draw a line for each series of a table of means, a row for each point.

    `x`, `series` and `value` are its columns of the position, the line and the height; each
    position gets a tick. The column `spread` is drawn as bars. `level` is the name and the height
    of a line to compare with, `x_scale` "log" for sizes, which double, and `labels` are of the
    axes. InputError if the table has no row or lacks a column.
    """
    check_columns(means, [x, series, value, *([spread] if spread else [])])
    ax = chart_axes(ax, (6.4, 3.9))
    for number, (name, rows) in enumerate(means.groupby(series, sort=False)):
        ordered = rows.sort_values(x)
        bars = None if spread is None else ordered[spread].fillna(0)
        style = series_style(number)
        ax.errorbar(ordered[x], ordered[value], bars, label=str(name), capsize=3, **style)
    if level is not None:
        ax.axhline(level[1], color="0.35", linewidth=1, linestyle=(0, (5, 3)), label=level[0])
    ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, 1), xscale=x_scale)
    ax.set_xticks(np.sort(means[x].unique()))
    # A logarithmic axis would write powers of ten, and ticks of its own between them.
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    return finish_chart(ax, title)


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


def picture_slider(
    name: str, values: Sequence[float], draw: Callable[[Any], Any], *, start: float | None = None
) -> Any:
    """Make a slider over values with the picture of each, which `draw` returns as Axes.

    The pictures are drawn beforehand: a widget that captures output may keep a run without a
    browser waiting for ever. Where widgets are not shown, the picture at `start` stands alone, by
    default the first.
    """
    import ipywidgets

    class WithPicture(ipywidgets.VBox):  # type: ignore[misc]
        def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
            bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
            return bundle | {"image/png": base64.b64encode(pictures[first]).decode()}

    first, pictures = values[0] if start is None else start, {}
    for value in values:
        figure, memory = draw(value).figure, io.BytesIO()
        figure.savefig(memory, bbox_inches="tight")
        plt.close(figure)
        pictures[value] = memory.getvalue()
    picture = ipywidgets.Image(value=pictures[first], format="png")
    slider = ipywidgets.SelectionSlider(options=list(values), value=first, description=name)
    slider.observe(lambda change: picture.set_trait("value", pictures[change.new]), names="value")
    return WithPicture([slider, picture], layout={"align_items": "flex-start"})
