"""What clicking costs beside drawing, after Ma 2024's claim of annotation time saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mskseg.errors import InputError


@dataclass(frozen=True)
class Costs:
    """Seconds of a reader's hand; all assumed, since the studies at hand state none.

    Attributes
    ----------
    click_s : float
        To look, aim and click.
    box_s : float
        To drag a box.
    draw_mm_per_s : float
        Speed at which an outline is drawn by hand.
    """

    click_s: float = 1.5
    box_s: float = 3.0
    draw_mm_per_s: float = 8.0

    def __post_init__(self) -> None:
        if min(self.click_s, self.box_s, self.draw_mm_per_s) <= 0:
            raise InputError(f"a cost of 0 or less came: {self}; give seconds and mm per second")


def clicks_to_reach(curves: pd.DataFrame, *, dice: float) -> pd.DataFrame:
    """For each object, how many corrective clicks it takes to reach a Dice.

    Parameters
    ----------
    curves : pandas.DataFrame
        From `mskseg.evaluation.clicks.click_curves`, scored after every click.
    dice : float

    Returns
    -------
    pandas.DataFrame
        A row for each object: `dataset`, `subject`, `tissue`, `slice`, `outline_mm`, `clicks` (NaN
        where it was not reached) and `box_suffices`, whether the box alone reaches it.
    """
    keys = ["dataset", "subject", "tissue", "slice", "outline_mm"]
    corrective = curves[curves["strategy"] == "corrective"]
    reached = corrective[corrective["dice"] >= dice].groupby(keys, sort=False)["n_points"].min()
    boxed = curves[curves["strategy"] == "box"].set_index(keys)["dice"] >= dice
    objects = corrective[keys].drop_duplicates().set_index(keys)
    objects["clicks"] = reached
    objects["box_suffices"] = boxed.reindex(objects.index, fill_value=False)
    return objects.reset_index()


def time_saved(reached: pd.DataFrame, *, costs: Costs) -> pd.DataFrame:
    """Compare clicking with drawing, tissue by tissue.

    Parameters
    ----------
    reached : pandas.DataFrame
        From `clicks_to_reach`. An object that clicks never reach is drawn after the last click: it
        costs both.
    costs : Costs

    Returns
    -------
    pandas.DataFrame
        A row for each tissue: `dataset`, `tissue`, `reached` (share of objects), `clicks` (median
        where reached), `clicking_s`, `drawing_s` (means) and `saved` (part of the time).
    """
    drawing = reached["outline_mm"] / costs.draw_mm_per_s
    tried = np.nanmax([reached["clicks"].max(), 1])
    clicking = reached["clicks"].mul(costs.click_s).fillna(tried * costs.click_s + drawing)
    clicking = clicking.where(~reached["box_suffices"], np.minimum(clicking, costs.box_s))
    timed = reached.assign(drawing_s=drawing, clicking_s=clicking)
    grouped = timed.groupby(["dataset", "tissue"], sort=False)
    table = grouped[["clicking_s", "drawing_s"]].mean()
    table["reached"] = (timed["clicks"].notna() | timed["box_suffices"]).groupby(
        [timed["dataset"], timed["tissue"]], sort=False
    ).mean()  # fmt: skip
    table["clicks"] = grouped["clicks"].median()
    table["saved"] = 1 - table["clicking_s"] / table["drawing_s"]
    return table.reset_index()


def share_reached(curves: pd.DataFrame, *, goals: Sequence[float]) -> pd.Series:
    """Share of objects that clicks or the box alone bring to each Dice of `goals`."""
    shares = {}
    for goal in goals:
        found = clicks_to_reach(curves, dice=goal)
        shares[goal] = float((found["clicks"].notna() | found["box_suffices"]).mean())
    return pd.Series(shares, name="share of objects that reach it").rename_axis("Dice")
