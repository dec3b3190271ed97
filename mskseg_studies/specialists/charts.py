"""Charts of several models side by side: their means, and how they learned."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mskseg_studies.charts import chart_axes, check_columns, finish_chart, series_style
from mskseg_studies.specialists.nnunet.running import NnunetRun, learning_curves


def dot_rows(
    means: pd.DataFrame,
    *,
    row: str,
    series: str,
    value: str = "dice",
    spread: str | None = None,
    xlabel: str = "Dice",
    title: str = "",
) -> Axes:
    """Draw a dot for each model in a row for each group; marker and colour say the same twice.

    `row`, `series` and `value` are columns of `means`: which group, which model, position; `spread`
    is the standard deviation between subjects, drawn as bars. Raises InputError if the table is
    empty or lacks a column.
    """
    check_columns(means, [name for name in (row, series, value, spread) if name])
    rows, models = list(dict.fromkeys(means[row])), list(dict.fromkeys(means[series]))
    ax = chart_axes(None, (7.6, 1.3 + len(rows) * (0.35 + 0.13 * len(models))))
    offsets = np.linspace(-0.5, 0.5, len(models) + 2)[1:-1]
    if not means.duplicated(row).any():  # one dot in each row: in its middle
        offsets = np.zeros(len(models))
    for number, (model, offset) in enumerate(zip(models, offsets, strict=True)):
        dots = means[means[series] == model]
        ax.errorbar(
            dots[value],
            [rows.index(name) + offset for name in dots[row]],
            xerr=None if spread is None else dots[spread].fillna(0),
            label=str(model),
            linestyle="none",
            markersize=7,
            capsize=2,
            **series_style(number, line=False),
        )
    for place in range(0, len(rows), 2):
        ax.axhspan(place - 0.5, place + 0.5, color="0.96", zorder=0)
    ax.set_yticks(range(len(rows)), [fill(str(name), 30) for name in rows])
    ax.set(xlabel=xlabel, xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    wrapped = "\n".join(fill(line, 80) for line in title.splitlines())
    return finish_chart(ax, wrapped, grid="x", legend="below", legend_columns=2)


def curve_chart(runs: Sequence[NnunetRun], committed: pd.DataFrame) -> Axes:
    """Draw the validation Dice of nnU-Nets over the iterations, and that of committed curves.

    `committed` has rows of `learning_curves` with their `dataset`, or none. The axis is
    logarithmic, since runs of minutes stand beside runs of hours.
    """
    kept = committed.reindex(columns=["model", "iterations", "validation_dice", "dataset"])
    kept["model"] = kept["model"].astype(str) + ", " + kept["dataset"].astype(str)
    curves = pd.concat([learning_curves(runs), kept])
    ax = chart_axes(None, (6.8, 3.6))
    for number, (model, rows) in enumerate(curves.groupby("model", sort=False)):
        style = series_style(number) | {"marker": ""}
        ax.plot(rows["iterations"], rows["validation_dice"], label=str(model), **style)
    ax.set(xscale="log", ylim=(0, 1), xlabel="iterations", ylabel="Dice, validation patches")
    n = sum(run.converged for run in runs)
    title = f"nnU-Nets of this run that stopped rising: {n} of {len(runs)}"
    return finish_chart(ax, title, legend="below")
