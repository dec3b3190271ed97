"""What clicking costs beside drawing, after Ma 2024's claim of annotation time saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mskseg.errors import InputError

_OBJECT = ["case", "dataset", "subject", "tissue", "label", "slice", "outline_mm", "n_boxes"]


@dataclass(frozen=True)
class Costs:
    """Seconds of a reader's hand; all assumed, since the studies at hand state none."""

    click_s: float = 1.5  # to look, aim and click: one glance and one aimed movement
    box_s: float = 3.0  # to drag a box: two aimed movements
    draw_mm_per_s: float = 8.0  # of an outline drawn by hand, enlarged on a screen
    patience_clicks: int = 10  # after these the reader gives up and draws; most gain comes before

    def __post_init__(self) -> None:
        if not all(cost > 0 for cost in (self.click_s, self.box_s, self.draw_mm_per_s)):
            raise InputError(f"expected costs above 0, in seconds and mm per second, got {self}")
        if self.patience_clicks < 1:
            raise InputError(f"patience_clicks is {self.patience_clicks}, expected 1 or more")


def clicks_to_reach(curves: pd.DataFrame, *, dice: float) -> pd.DataFrame:
    """Count for each object of `click_curves` the corrective clicks that it takes to reach a Dice.

    A row for each object: `case`, `dataset`, `subject`, `tissue`, `label` (several may have one
    name), `slice`, `outline_mm`, `n_boxes`, `clicks` (the first number that reaches it, NaN if none
    does), `clicks_tried` and `box_suffices`, whether the boxes alone reach it. Raises InputError if
    the goal is not a Dice, or the table has no corrective clicks.
    """
    if not 0 < dice <= 1:
        raise InputError(f"expected a Dice above 0 and at most 1 as the goal, got {dice}")
    corrective = curves[curves["strategy"] == "corrective"]
    if corrective.empty:
        raise InputError("the curves hold no corrective clicks; score that strategy")
    reached = corrective[corrective["dice"] >= dice].groupby(_OBJECT, sort=False)["n_points"].min()
    boxed = curves[curves["strategy"] == "box"].set_index(_OBJECT)["dice"] >= dice
    tried = corrective.groupby(_OBJECT, sort=False)["n_points"].max()
    columns = {
        "clicks": reached.reindex(tried.index).astype(float),
        "clicks_tried": tried,
        "box_suffices": boxed.reindex(tried.index, fill_value=False),
    }
    return pd.DataFrame(columns).reset_index()


def time_saved(
    reached: pd.DataFrame, *, costs: Costs, by: Sequence[str] = ("dataset", "tissue")
) -> pd.DataFrame:
    """Compare clicking, and boxing, with drawing.

    A reader decides for one way and does not know whether it will succeed: an object that is not
    reached by `costs.patience_clicks` clicks, or by its boxes, is drawn after them and costs both.

    Of `clicks_to_reach`. A row for each of `by`: `n_objects`; `by_clicks` and `by_box`, the share
    of objects that are reached, `clicks` (median where reached); the mean `clicking_s`, `boxing_s`
    and `drawing_s`; and `saved_by_clicks` and `saved_by_box`, parts of the drawing time, below 0
    where it costs.
    """
    drawing = reached["outline_mm"] / costs.draw_mm_per_s
    tried = reached["clicks_tried"].clip(upper=costs.patience_clicks)
    clicks = reached["clicks"].where(reached["clicks"] <= costs.patience_clicks)
    boxing = reached["n_boxes"] * costs.box_s
    timed = reached.assign(
        by_clicks=clicks.notna(),
        by_box=reached["box_suffices"],
        clicks=clicks,
        clicking_s=(clicks * costs.click_s).fillna(tried * costs.click_s + drawing),
        boxing_s=boxing.where(reached["box_suffices"], boxing + drawing),
        drawing_s=drawing,
    )
    grouped = timed.groupby(list(by), sort=False)
    table = grouped[["by_clicks", "by_box", "clicking_s", "boxing_s", "drawing_s"]].mean()
    table.insert(0, "n_objects", grouped.size())
    table.insert(3, "clicks", grouped["clicks"].median())
    table["saved_by_clicks"] = 1 - table["clicking_s"] / table["drawing_s"]
    table["saved_by_box"] = 1 - table["boxing_s"] / table["drawing_s"]
    return table.reset_index()


def share_reached(reached: pd.DataFrame) -> dict[str, float]:
    """Share of objects of `clicks_to_reach` that come to their Dice by clicks, boxes, or either."""
    clicked, boxed = reached["clicks"].notna(), reached["box_suffices"]
    ways = {"by_clicks": clicked, "by_box": boxed, "by_either": clicked | boxed}
    return {name: found.mean() for name, found in ways.items()}
