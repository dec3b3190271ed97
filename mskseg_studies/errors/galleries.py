"""Failures side by side, the ceiling of a second reader, and a stray piece and its price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from mskseg.display.slices import draw_boxes, draw_label_map, frame_around, show_slice
from mskseg.display.style import PALETTE, PREDICTION
from mskseg.errors import InputError
from mskseg.evaluation.prediction import LabelPrediction

_REFERENCE = "#56B4E9"  # white would be lost between box and bright tissue
_MARKERS = ("o", "s", "^", "D")
_LINES = ("solid", "dashed", "dotted", "dashdot")


def failure_gallery(
    found: Sequence[LabelPrediction],
    *,
    titles: Sequence[str],
    columns: int = 5,
    title: str = "",
) -> NDArray[Any]:
    """Show single predictions close up: reference blue and dashed, prediction orange, box white.

    Parameters
    ----------
    found : sequence of LabelPrediction
        From `score_cases` with ``keep_masks=True``, each with a box.
    titles : sequence of str
        One for each.
    columns : int
        Panels in a row, at most.
    title : str
        States the finding.

    Returns
    -------
    (n,) array of Axes

    Raises
    ------
    InputError
        If there is nothing to show, or not one title for each.
    """
    if not found or len(found) != len(titles):
        raise InputError(f"got {len(found)} predictions and {len(titles)} titles; give one each")
    n_columns = min(columns, len(found))
    n_rows = -(-len(found) // n_columns)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=(2.5 * n_columns, 2.9 * n_rows + 0.4), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax in grid.flat[len(found) :]:
        ax.set_axis_off()
    for ax, each, heading in zip(grid.flat, found, titles, strict=False):
        _show_failure(ax, each)
        ax.set_title(heading, fontsize=9)
    figure.suptitle(title, fontsize=11)
    panels: NDArray[Any] = grid.ravel()[: len(found)]
    return panels


def _show_failure(ax: Axes, each: LabelPrediction) -> None:
    one = each.case_slice
    frame = frame_around(each.boxes_xyxy, shape=each.reference.shape)
    show_slice(one.image, spacing_mm=one.spacing_mm, zoom_xyxy=frame, ax=ax)
    draw_boxes(ax, each.boxes_xyxy)
    draw_label_map(ax, each.reference, colours={1: _REFERENCE}, linestyle="dashed")
    draw_label_map(ax, each.prediction, colours={1: PREDICTION})


def ceiling_chart(
    ceilings: pd.DataFrame,
    means: pd.DataFrame,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show the Dice of each tissue beside what a second reader reaches.

    Parameters
    ----------
    ceilings : pandas.DataFrame
        A row for each `dataset`, `tissue` and `sigma_px` with the mean `dice` of
        `mskseg_studies.errors.second_reader.reader_ceiling`.
    means : pandas.DataFrame
        A row for each `dataset`, `tissue` and `segmenter` with its mean `dice`.
    title : str, optional
        Default: on how many tissues the first segmenter reaches the less certain reader.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        Grey bars run from the most to the least uncertain reader; the tissue on which readers agree
        least is on top.

    Raises
    ------
    InputError
        If there is no tissue.
    """
    if ceilings.empty:
        raise InputError("no ceiling came, expected one row or more of `reader_ceiling`")
    keys = ["dataset", "tissue"]
    spans = ceilings.groupby(keys)["dice"].agg(["min", "max"]).sort_values("min")
    if ax is None:
        size = (7.0, 1.5 + 0.19 * len(spans))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    at = np.arange(len(spans))
    ax.hlines(at, spans["min"], spans["max"], color="0.65", linewidth=6, label="second reader")
    for number, (model, rows) in enumerate(means.groupby("segmenter", sort=False)):
        dice = rows.set_index(keys)["dice"].reindex(spans.index)
        marker, colour = _MARKERS[number % 4], PALETTE[number % len(PALETTE)]
        ax.plot(dice, at, marker, color=colour, markersize=5, label=model)
    first = means[means["segmenter"] == means["segmenter"].iloc[0]].set_index(keys)["dice"]
    reached = int((first.reindex(spans.index) >= spans["min"]).sum())
    model = means["segmenter"].iloc[0]
    finding = f"{model} reaches a second reader on {reached} of {len(spans)} tissues"
    names = [f"{tissue} ({dataset.removeprefix('phantom_')})" for dataset, tissue in spans.index]
    ax.set_yticks(at, names, fontsize=8)
    ax.set(xlabel="Dice", ylim=(len(spans) - 0.5, -0.5), xlim=(0, 1.02))
    ax.set_title(finding if title is None else title, loc="left", fontsize=11)
    ax.grid(color="0.92", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return ax


def stray_chart(
    scores: pd.DataFrame, reference: ArrayLike, prediction: ArrayLike, *, title: str = ""
) -> NDArray[Any]:
    """Show a prediction with a stray piece, and its distances as the piece grows.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `mskseg_studies.errors.metric_examples.stray_components`.
    reference, prediction : (H, W) bool
        From `draw_stray`.
    title : str
        States the finding.

    Returns
    -------
    (2,) array of Axes
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.6), layout="constrained")
    drawn = np.where(np.asarray(prediction), 150, 30).astype(np.uint8)
    show_slice(drawn, spacing_mm=(1.0, 1.0), title="prediction grey, reference dashed", ax=axes[0])
    draw_label_map(axes[0], reference, colours={1: _REFERENCE}, linestyle="dashed")
    for number, (column, name) in enumerate(_DISTANCES.items()):
        axes[1].plot(
            scores["stray_px"], scores[column], marker=_MARKERS[number], color=PALETTE[number],
            label=name,
        )  # fmt: skip
    axes[1].set(xlabel="area of the stray piece (pixels)", ylabel="mm")
    axes[1].legend(frameon=False, fontsize=9)
    axes[1].spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    panels: NDArray[Any] = axes
    return panels


_DISTANCES = {"hausdorff_mm": "largest distance", "hd95_mm": "HD95", "assd_mm": "mean distance"}


def drift_chart(means: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw Dice over the distance from the slice that was boxed.

    Parameters
    ----------
    means : pandas.DataFrame
        From `mskseg_studies.errors.stacking.drift`.
    title : str, optional
        Default: what the first segmenter's Dice comes to under the last plan.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        A colour for each segmenter, a line style for each plan.

    Raises
    ------
    InputError
        If the table is empty.
    """
    if means.empty:
        raise InputError("no slice came, expected rows of `stacking.drift`")
    if ax is None:
        ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")[1]
    models = list(dict.fromkeys(means["segmenter"]))
    plans = list(dict.fromkeys(means["box_source"]))
    for (model, plan), rows in means.groupby(["segmenter", "box_source"], sort=False):
        number, style = models.index(model), plans.index(plan)
        ax.plot(
            rows["steps"], rows["dice"], marker=_MARKERS[number % 4], color=PALETTE[number],
            linestyle=_LINES[style % 4], label=f"{model}, {plan}",
        )  # fmt: skip
    ax.set(xlabel="slices from the one that was boxed", ylabel="Dice", ylim=(0, 1))
    last = means[(means["segmenter"] == models[0]) & (means["box_source"] == plans[-1])]
    ends = [f"{value:.2f}" for value in last.sort_values("steps")["dice"].iloc[[0, -1]]]
    finding = f"{models[0]}, {plans[-1]}: Dice {ends[0]} to {ends[1]}"
    ax.set_title(finding if title is None else title, loc="left", fontsize=11)
    ax.grid(color="0.92", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9, loc="lower left")
    return ax
