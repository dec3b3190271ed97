"""Charts of the tables of `mskseg.evaluation`. Every function returns Axes and shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from mskseg.display.colours import FILLED_BOX, PLANS
from mskseg.errors import InputError
from mskseg.evaluation.summary import summarise

if TYPE_CHECKING:
    import pandas as pd

_PLAN = ["segmenter", "prompt", "box_source"]


def dice_by_tissue(
    table: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Show the Dice of each tissue beside the filled box.

    Small dots are slices, large ones the mean (`summarise`), diamonds the mean of the filled boxes.
    Tissues are sorted by the first plan's mean, the best on top; the number of scored slices stands
    beside each name.

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
        x is Dice from 0 to 1, one row per tissue.

    Raises
    ------
    InputError
        If no row of the table is scored.
    """
    scored = table[table["status"] == "scored"]
    if scored.empty:
        raise InputError("no row of the table is scored, expected one or more; check the labels")
    means = summarise(scored, by=[*_PLAN, "tissue"])
    plans = means[_PLAN].drop_duplicates().itertuples(index=False, name=None)
    by_plan = {plan: means[(means[_PLAN] == plan).all(axis=1)].set_index("tissue") for plan in plans}
    first = next(iter(by_plan.values()))
    order = list(dict.fromkeys([*first.sort_values("dice").index, *means["tissue"]]))
    if ax is None:
        size = (8.0, 1.8 + len(order) * (0.18 + 0.14 * len(by_plan)))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    offsets = np.linspace(0.5, -0.5, len(by_plan) + 2)[1:-1] * 1.1
    for (plan, mean), offset, colour in zip(by_plan.items(), offsets, _cycle(), strict=False):
        rows = scored[(scored[_PLAN] == plan).all(axis=1)]
        _draw_plan(ax, rows, mean, order=order, offset=offset, colour=colour)
    _finish(ax, first, order=order, title=title, n_plans=len(by_plan))
    return ax
