"""Charts of fine-tuning: the gain in each cell of the cross table, and a training as it grows."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mskseg.errors import InputError
from mskseg_studies.charts import PALETTE, chart_axes, finish_chart

_COLOURS = "PuOr"  # orange lost, violet gained; told apart by the colour-blind


def gain_map(cross: pd.DataFrame, *, title: str = "") -> Axes:
    """Draw the cross table: gain in Dice by tuning, for each subset and evaluated set.

    A frame stands around other people of the very data that were trained on (the role "same
    site"); an asterisk says that the interval of the gain, where there is one, leaves out 0; a cell
    that was not scored is empty. InputError if the table is empty.
    """
    if cross.empty:
        raise InputError("expected a cross table with a row or more, got none; tune on a subset")
    scan = cross["evaluated_on"] + "\n" + cross["sequence"] + "\n" + cross["part"]
    datasets = cross["evaluated_on"].unique().tolist()
    named = cross.assign(column=scan, at=cross["evaluated_on"].map(datasets.index))
    rows = cross["training_subset"].unique().tolist()
    in_order = named.sort_values(["part", "at"], ascending=[False, True])
    columns = in_order["column"].unique().tolist()
    ax = chart_axes(None, (max(7.0, 3.2 + 0.62 * len(columns)), 3.0 + 0.42 * len(rows)))
    gains = named.pivot(index="training_subset", columns="column", values="gain")
    shown = gains.loc[rows, columns].to_numpy(dtype=float)
    limit = max(0.05, float(np.nanmax(np.abs(shown))))
    image = ax.imshow(shown, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto")
    for _, cell in named.iterrows():
        at = columns.index(cell["column"]), rows.index(cell["training_subset"])
        star = "*" if cell["gain_low"] * cell["gain_high"] > 0 else ""
        ink = "white" if abs(cell["gain"]) > 0.6 * limit else "black"
        text = f"{round(cell['gain'], 3) + 0:+.3f}{star}"
        ax.text(*at, text, ha="center", va="center", fontsize=8, color=ink)
        if cell["role"] == "same site":
            corner = (at[0] - 0.47, at[1] - 0.45)
            ax.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, lw=1.6, ec="black"))
    ax.set_xticks(range(len(columns)), columns, rotation=90, fontsize=9)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel="evaluated on", ylabel="tuned on")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left", fontsize=11)
    ax.figure.colorbar(image, ax=ax, label="gain in Dice", shrink=0.85)
    return ax


class TrainingPlot:
    """Loss and validation Dice over epochs, redrawn in place after each one.

    Give it to `mskseg.finetuning.fine_tune` as `on_epoch`. The figure is updated where it
    stands, so an executed notebook holds it once, as it was at the end.
    """

    def __init__(self) -> None:
        self.figure: Figure | None = None  # as of the last epoch
        self._handle: Any = None  # of the cell's output, once there is one

    def __call__(self, history: pd.DataFrame) -> None:
        """Draw the history so far: columns `epoch`, `loss` and `validation_dice`."""
        self.figure = _drawn(history)
        if self._handle is None:
            self._handle = display.display(self.figure, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(self.figure)


def _drawn(history: pd.DataFrame) -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.7), layout="constrained")
    plt.close(figure)  # shown by its handle alone, not a second time at the end of the cell
    labels = {"loss": "training loss", "validation_dice": "validation Dice"}
    for ax, value, colour in zip(axes, labels, PALETTE, strict=False):
        ax.plot(history["epoch"], history[value], marker="o", color=colour)
        ax.set(xlabel="epoch", ylabel=labels[value])
        ax.xaxis.get_major_locator().set_params(integer=True)
        finish_chart(ax, legend=None)
    best = history.loc[history["validation_dice"].idxmax(), ["validation_dice", "epoch"]]
    axes[1].set_title("best: {:.3f} after epoch {:.0f}".format(*best), loc="left", fontsize=11)
    return figure
