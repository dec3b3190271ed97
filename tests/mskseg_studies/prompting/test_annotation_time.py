"""Seconds of clicking against seconds of drawing, with numbers that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.prompting.clicks import (
    Costs,
    clicks_to_reach,
    time_saved,
)


def curve(tissue, dice_by_click, *, box, outline_mm=80.0, n_boxes=1, case="d/s1/t1"):
    described = {
        "case": case,
        "dataset": "d",
        "subject": "s1",
        "tissue": tissue,
        "label": sum(map(ord, tissue)),
        "slice": 3,
        "outline_mm": outline_mm,
        "n_boxes": n_boxes,
    }
    rows = [described | {"strategy": "box", "n_points": 0, "dice": box}]
    for clicks, score in enumerate(dice_by_click, start=1):
        for strategy, value in (("corrective", score), ("random", 1.0)):
            rows.append(described | {"strategy": strategy, "n_points": clicks, "dice": value})
    return rows


@pytest.fixture
def curves():
    """Bone is there after 2 clicks, cartilage never, muscle by its box alone."""
    return pd.DataFrame(
        [
            *curve("bone", [0.5, 0.9, 0.8, 0.95], box=0.7),
            *curve("cartilage", [0.1, 0.2, 0.3, 0.4], box=0.6, outline_mm=40.0),
            *curve("muscle", [0.1, 0.2, 0.3, 0.4], box=0.9, n_boxes=2),
        ]
    )


def test_the_first_click_that_reaches_the_goal_counts(curves):
    found = clicks_to_reach(curves, dice=0.85).set_index("tissue")
    assert found["clicks"].tolist() == pytest.approx([2, np.nan, np.nan], nan_ok=True)
    assert found["clicks_tried"].tolist() == [4, 4, 4]
    assert found["box_suffices"].tolist() == [False, False, True]


def test_the_goal_itself_counts_as_reached(curves):
    assert clicks_to_reach(curves, dice=0.9)["clicks"].iloc[0] == 2
    assert clicks_to_reach(curves, dice=0.91)["clicks"].iloc[0] == 4


def test_two_scans_of_one_person_stay_two_objects(curves):
    other = pd.DataFrame(curve("bone", [0.9], box=0.1, case="d/s1/t2"))
    found = clicks_to_reach(pd.concat([curves, other]), dice=0.85)
    assert found[found["tissue"] == "bone"]["clicks"].tolist() == [2, 1]


def test_seconds_are_those_of_a_hand_reckoning(curves):
    costs = Costs(click_s=2.0, box_s=3.0, draw_mm_per_s=8.0)
    table = time_saved(clicks_to_reach(curves, dice=0.85), costs=costs).set_index("tissue")
    assert table["drawing_s"].tolist() == [10, 5, 10]
    assert table["clicking_s"].tolist() == [2 * 2, 4 * 2 + 5, 4 * 2 + 10]  # fails are drawn too
    assert table["boxing_s"].tolist() == [3 + 10, 3 + 5, 2 * 3]  # two pieces, two boxes
    assert table["saved_by_clicks"].tolist() == pytest.approx([0.6, 1 - 13 / 5, -0.8])
    assert table["saved_by_box"].tolist() == pytest.approx([-0.3, -0.6, 0.4])


def test_a_reader_gives_up_and_what_takes_longer_counts_as_not_reached(curves):
    costs = Costs(click_s=2.0, draw_mm_per_s=8.0, patience_clicks=1)
    table = time_saved(clicks_to_reach(curves, dice=0.85), costs=costs).set_index("tissue")
    assert table["clicking_s"].tolist() == [2 + 10, 2 + 5, 2 + 10]
    assert table["by_clicks"].tolist() == [0, 0, 0]


def test_the_mean_over_everything_weighs_objects_alike(curves):
    costs = Costs(click_s=2.0, draw_mm_per_s=8.0)
    found = clicks_to_reach(curves, dice=0.85)
    (row,) = time_saved(found, costs=costs, by=["dataset"]).to_dict("records")
    assert row["n_objects"] == 3
    assert row["saved_by_clicks"] == pytest.approx(1 - (4 + 13 + 18) / 25)
    assert row["by_box"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"click_s": 0.0}, "click_s is 0.0, expected a number greater than 0"),
        ({"draw_mm_per_s": float("nan")}, "draw_mm_per_s is nan, expected a finite number"),
        ({"patience_clicks": 0}, "patience_clicks is 0, expected a number greater than 0"),
    ],
)
def test_costs_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Costs(**wrong)


@pytest.mark.parametrize("goal", [0.0, 1.5, 85])
def test_a_goal_is_a_dice(curves, goal):
    with pytest.raises(InputError, match="expected a Dice above 0 and at most 1 as the goal"):
        clicks_to_reach(curves, dice=goal)


def test_curves_without_corrections_are_refused(curves):
    with pytest.raises(InputError, match="no corrective clicks"):
        clicks_to_reach(curves[curves["strategy"] == "random"], dice=0.8)
