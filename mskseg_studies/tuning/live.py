"""A plot that grows with a training and leaves one figure behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from IPython import display
from matplotlib.figure import Figure

from mskseg.display.style import PALETTE

if TYPE_CHECKING:
    import pandas as pd


class TrainingPlot:
    """Loss and validation Dice over epochs, redrawn in place after each one.

    Give it to `mskseg.finetuning.fine_tune` as `on_epoch`. The figure is updated where it
    stands, so an executed notebook holds it once, as it was at the end.

    Attributes
    ----------
    figure : Figure or None
        As of the last epoch.
    """

    def __init__(self) -> None:
        self.figure: Figure | None = None
        untyped: Any = display
        self._handle = untyped.DisplayHandle()
        self._shown = False

    def __call__(self, history: pd.DataFrame) -> None:
        """Draw the history so far: columns `epoch`, `loss` and `validation_dice`."""
        self.figure = _drawn(history)
        if self._shown:
            self._handle.update(self.figure)
        else:
            self._handle.display(self.figure)
            self._shown = True


def _drawn(history: pd.DataFrame) -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.7), layout="constrained")
    plt.close(figure)  # shown by its handle alone, not a second time at the end of the cell
    for ax, value, label, colour in (
        (axes[0], "loss", "training loss", PALETTE[0]),
        (axes[1], "validation_dice", "validation Dice", PALETTE[1]),
    ):
        ax.plot(history["epoch"], history[value], marker="o", color=colour)
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(color="0.9", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    best = history.loc[history["validation_dice"].idxmax()]
    axes[1].annotate(
        f"best: {best['validation_dice']:.3f}",
        (best["epoch"], best["validation_dice"]),
        xytext=(0, -14),
        textcoords="offset points",
        ha="center",
        fontsize=9,
    )
    return figure
