"""Dice over the margin of a box, for each model beside the same box filled.

A tight box is the edge of what MedSAM saw. In training each side lay outwards of the tight one by 0
to 20 pixels of its frame of 1024 (`bbox_shift` in train_one_gpu.py of bowang-lab/MedSAM), and the
authors' script for SAM adds 20 on every side (comparisons/SAM/infer_SAM_2D_npz.py). LiteMedSAM has
5 of 256 in both places, the same share. SAM's own boxes were moved inwards as well as outwards.

Margins here are pixels of the slice, not of a model's frame: all models get the very same box.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import summarise
from mskseg.prompts import OracleBox
from mskseg_studies.charts import FILLED_BOX, check_columns, sweep_chart
from mskseg_studies.panels import add_legend, new_panels

SEEN_SHARE = 20 / 1024
"""Of a side of the slice: the widest margin of MedSAM's and LiteMedSAM's training."""


def margin_means(table: pd.DataFrame, margins_px: Sequence[float]) -> pd.DataFrame:
    """Average scores under oracle boxes of several margins, in pixels of the slice.

    Of a table of `score_cases`, with `OracleBox(margin_px=...)` for each margin among the plans
    (InputError if one is missing); rows of other plans are left out. A row for each data set, model
    and margin: `dataset`, `segmenter`, `miniature`, `margin_px` (0 is the tight box), `dice`,
    `dice_sd` (between subjects), `filled_box_dice` (of the very same boxes), `n_subjects` and
    `n_pairs`.
    """
    margins = {OracleBox(margin_px=margin).box_source: float(margin) for margin in margins_px}
    check_columns(table, ["prompt", "box_source"])
    boxes = table[table["prompt"] == "box"]
    if missing := [source for source in margins if source not in set(boxes["box_source"])]:
        raise InputError(f"the table has no boxes {missing[0]!r}; score with that margin too")
    rows = boxes[boxes["box_source"].isin(list(margins))]
    means = summarise(rows, by=["dataset", "segmenter", "prompt", "box_source"])
    means.insert(2, "margin_px", means["box_source"].map(margins))
    columns = ["dataset", "segmenter", "miniature", "margin_px", "dice", "dice_sd"]
    return means[[*columns, "filled_box_dice", "n_subjects", "n_pairs"]]


def model_ahead(means: pd.DataFrame) -> pd.DataFrame:
    """Name the model with the highest Dice: a row for each data set, a column for each margin.

    Takes a table of `margin_means`.
    """
    best = means.loc[means.groupby(["dataset", "margin_px"], sort=False)["dice"].idxmax()]
    return best.pivot(index="dataset", columns="margin_px", values="segmenter")


def margin_table(means: pd.DataFrame) -> pd.DataFrame:
    """Lay Dice over the margin, for each data set the filled box and below it each model.

    Takes a table of `margin_means`. Rows: `dataset`, `n_subjects`, `n_pairs` and `model`, which
    says who is a miniature and who is published; columns: the margin.
    """
    kind = means["miniature"].map({True: " (miniature)", False: " (published)"})
    models = means.assign(model=means["segmenter"] + kind)
    boxes = means.assign(model="filled box", dice=means["filled_box_dice"])
    boxes = boxes.drop_duplicates(["dataset", "margin_px"])
    rows = ["dataset", "n_subjects", "n_pairs", "model"]
    laid_out = pd.concat([boxes, models]).pivot_table(
        index=rows, columns="margin_px", values="dice", sort=False
    )
    order = {name: number for number, name in enumerate(dict.fromkeys(means["dataset"]))}
    table = laid_out.sort_index(level="dataset", key=lambda k: k.map(order), sort_remaining=False)
    return table.rename(columns=_in_words)


def above_box_by_margin(means: pd.DataFrame) -> pd.DataFrame:
    """Count the data sets on which each model is above its filled box, for each margin.

    Takes a table of `margin_means`. Rows: `segmenter`, those of the model; columns: the margin, and
    `of`, the number of data sets.
    """
    above = means.assign(above=means["dice"] > means["filled_box_dice"])
    groups = above.groupby(["segmenter", "margin_px"], sort=False)["above"]
    of_all = means.groupby("segmenter", sort=False)["dataset"].nunique()
    return groups.sum().unstack().rename(columns=_in_words).assign(of=of_all).loc[of_all.index]


def _in_words(margin_px: float) -> str:
    return f"{margin_px:+g} px" if margin_px else "tight"


def seen_margins_px(cases: Iterable[Case]) -> dict[str, float]:
    """Convert the widest margin of MedSAM's training to pixels of each data set's slices.

    MedSAM squashes a slice, so its frame is as wide and as high as the slice; the shorter side
    counts, and of several scans the smallest. A data set is there by its name, and with each site
    as `by_site` names it.
    """
    seen: dict[str, float] = {}
    for case in cases:
        side = min(case.slice(0).image.shape)
        for name in (case.dataset, f"{case.dataset}, {case.site}"):
            seen[name] = min(side * SEEN_SHARE, seen.get(name, np.inf))
    return seen


def margin_panels(
    means: pd.DataFrame, *, seen_px: Mapping[str, float] | None = None, title: str | None = None
) -> NDArray[Any]:
    """Draw Dice over the margin, a panel for each data set and a line for each model.

    Takes a table of `margin_means`. Grey diamonds are the same boxes filled, the grey band reaches
    as far as MedSAM's training (`seen_px`, from `seen_margins_px`). The title is by default what
    the widest margin costs the filled box and each model, averaged over data sets. Gives one Axes a
    data set.
    """
    check_columns(means, ["dataset", "segmenter", "margin_px", "dice", "filled_box_dice"])
    names = list(dict.fromkeys(means["dataset"]))
    figure, axes = new_panels(len(names), columns=4, size=(3.0, 2.7), sharey=True)
    models = means[["segmenter"]].drop_duplicates()
    for ax, name in zip(axes, names, strict=True):
        of_set = means[means["dataset"] == name]
        # Every model in every panel, so that it has one colour; without a score it draws nothing.
        rows = models.merge(of_set, how="left", on="segmenter")
        rows["margin_px"] = rows["margin_px"].fillna(of_set["margin_px"].min())
        first = ax.get_subplotspec().is_first_col()
        labels = ("margin on every side, px", "Dice" if first else "")
        sweep_chart(rows, x="margin_px", series="segmenter", labels=labels, title=name, ax=ax)
        boxes = of_set.groupby("margin_px")["filled_box_dice"].mean()
        look = {"color": FILLED_BOX, "linestyle": (0, (5, 3)), "marker": "D", "fillstyle": "none"}
        ax.plot(boxes.index, boxes, label="filled box", **look)
        if seen_px:
            ax.axvspan(0, seen_px[name], color="0.93", zorder=0, label="MedSAM's training")
        ax.get_legend().remove()
    add_legend(figure, axes[0], _finding(means) if title is None else title)
    return axes


def _finding(means: pd.DataFrame) -> str:
    scores = ["dice", "filled_box_dice"]
    by_margin = means.groupby(["margin_px", "segmenter"], sort=False)[scores].mean()
    tight, wide = means["margin_px"].min(), means["margin_px"].max()
    change = by_margin.loc[wide] - by_margin.loc[tight]
    of_models = ", ".join(f"{name} {gain:+.2f}" for name, gain in change["dice"].items())
    of_box = change["filled_box_dice"].mean()
    change_of = f"Change of Dice from {_in_words(tight)} to {_in_words(wide)}"
    return f"{change_of}: filled box {of_box:+.2f}, {of_models}"
