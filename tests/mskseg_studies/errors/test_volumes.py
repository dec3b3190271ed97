"""Volumes that slices add up to, and Dice over the distance from the start."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg.evaluation.scoring import score_cases
from mskseg.prompts.plans import Memory, NeighbourBox, OracleBox
from mskseg_studies.errors import volumes
from mskseg_studies.errors.volumes import (
    drift_chart,
    followed_slices,
    propagation_drift,
    volume_scores,
    with_steps,
)
from mskseg_studies.people import score_people


def slices(**columns) -> pd.DataFrame:
    n = len(columns["slice"])
    named = {
        "data": "people",
        "segmenter": "m",
        "miniature": True,
        "prompt": "box",
        "box_source": "b",
        "dataset": "d",
        "subject": "s",
        "anatomy": "a",
        "sequence": "q",
        "site": "",
        "side": "",
        "visit": "",
        "severity": "",
        "tissue": "t",
        "label": 1,
        "status": "scored",
    }
    return pd.DataFrame({**{k: [v] * n for k, v in named.items()}, **columns})


def test_a_stack_is_scored_by_its_voxels_with_what_was_lost_and_invented():
    table = slices(
        slice=[1, 2, 3],
        status=["scored", "scored", "beyond_end"],
        area_mm2=[100.0, 100.0, 0.0],
        predicted_area_mm2=[100.0, 0.0, 50.0],
        overlap_mm2=[100.0, 0.0, 0.0],
    )
    (got,) = volume_scores(table).to_dict("records")
    assert got["dice_3d"] == pytest.approx(2 * 100 / (200 + 150))
    assert got["volume_error"] == pytest.approx(-0.25)
    assert got["invented"] == pytest.approx(1 / 3)
    assert got["data"] == "people"


def test_what_overlaps_on_a_slice_too_small_to_prompt_counts_in_the_volume():
    table = slices(
        slice=[1, 2],
        status=["scored", "too_small"],
        area_mm2=[100.0, 20.0],
        predicted_area_mm2=[100.0, 30.0],  # handed on from the slice before
        overlap_mm2=[90.0, 15.0],
        dice=[0.9, np.nan],
    )
    (got,) = volume_scores(table).to_dict("records")
    assert got["dice_3d"] == pytest.approx(2 * 105 / (120 + 130))
    assert got["invented"] == 0


def test_a_stack_is_that_of_the_whole_masks(filling, draw_case):
    labels = np.zeros((3, 40, 60))
    labels[0, 4:14, 4:14] = labels[1, 4:9, 4:9] = 1  # 25 mm2 on the second: too small for a box
    labels[2, 20:30, 20:30] = 1
    labels[2, 20:25, 20:25] = 0  # a corner that a box fills
    table = score_cases(filling, draw_case(labels), prompts=OracleBox(), progress=False)
    assert "too_small" in set(table["status"])
    (got,) = volume_scores(table.assign(data="phantoms")).to_dict("records")
    reference = labels > 0
    assert got["dice_3d"] == pytest.approx(2 * (reference.sum() - 25) / (reference.sum() + 200))


def test_a_stack_of_nothing_has_dice_zero():
    table = slices(slice=[1], area_mm2=[10.0], predicted_area_mm2=[0.0], overlap_mm2=[0.0])
    (got,) = volume_scores(table).to_dict("records")
    assert (got["dice_3d"], got["volume_error"], got["invented"]) == (0, -1, 0)


def test_distance_counts_from_the_largest_slice_in_slices_that_were_scored():
    table = slices(
        slice=[2, 4, 6, 8], area_mm2=[1.0, 9.0, 5.0, 1.0], predicted_area_mm2=1.0, dice=0.5
    )
    assert with_steps(table)["steps"].tolist() == [1, 0, 1, 2]


def test_of_two_largest_slices_the_start_is_the_one_that_the_plan_takes():
    table = slices(slice=[1, 2, 3], area_mm2=[9.0, 9.0, 1.0], predicted_area_mm2=1.0, dice=0.5)
    assert with_steps(table)["steps"].tolist() == [1, 0, 1]


def test_drift_is_a_mean_of_tissues_at_each_distance(monkeypatch):
    one = slices(
        slice=[1, 2, 3], area_mm2=[5.0, 9.0, 5.0], predicted_area_mm2=[0.0, 9.0, 5.0],
        dice=[0.0, 1.0, 0.4],
    )  # fmt: skip
    other = one.assign(tissue="u", dice=[0.6, 0.8, 0.6], predicted_area_mm2=1.0)
    got = propagation_drift(pd.concat([one, other])).set_index("steps")
    assert got["dice"].round(9).to_dict() == {0: 0.9, 1: 0.4}
    monkeypatch.setattr(volumes, "_MAX_STEPS", 0)
    assert propagation_drift(one)["steps"].tolist() == [0]


def test_drift_starts_at_the_largest_slice_of_each_label_of_one_name():
    table = slices(slice=[1, 2], area_mm2=[9.0, 5.0], predicted_area_mm2=1.0, dice=0.5)
    other = table.assign(label=2, area_mm2=[50.0, 60.0])
    assert with_steps(pd.concat([table, other], ignore_index=True))["steps"].tolist() == [
        0,
        1,
        1,
        0,
    ]


def test_models_stay_in_their_order():
    one = slices(slice=[1, 2], area_mm2=[5.0, 9.0], predicted_area_mm2=1.0, dice=0.5)
    got = propagation_drift(pd.concat([one.assign(segmenter="z"), one.assign(segmenter="a")]))
    assert list(dict.fromkeys(got["segmenter"])) == ["z", "a"]
    assert np.all(got.groupby("segmenter")["steps"].diff().dropna() > 0)


def test_drift_tells_plans_by_style_and_says_where_it_ends():
    means = pd.DataFrame(
        {
            "data": "phantoms",
            "segmenter": "m",
            "box_source": ["oracle"] * 2 + ["neighbour"] * 2,
            "steps": [0, 1, 0, 1],
            "dice": [0.8, 0.8, 0.8, 0.3],
            "n_objects": [9, 4, 9, 4],
        }
    )
    both = pd.concat([means.assign(data="people", dice=0.9), means])
    first, ax = drift_chart(both)
    assert (
        first.get_title(loc="left") == "people\nm\nneighbour\nDice 0.90 to 0.90, of 9 and 4 masks"
    )
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert ax.get_title(loc="left") == "phantoms\nm\nneighbour\nDice 0.80 to 0.30, of 9 and 4 masks"
    with pytest.raises(InputError, match="the table has 0 rows"):
        drift_chart(means.iloc[:0])


@pytest.fixture
def people(draw_case):
    """One person: a label on slices 1 to 4 of six, largest on slice 3; slices are 6 mm apart."""
    labels = np.zeros((6, 60, 50), np.uint8)
    for k in (1, 2, 3, 4):
        labels[k, 10 : 30 + (k == 3), 10:40] = 1
    return {"drawn": [draw_case(labels)]}


def test_slices_are_followed_by_memory_and_by_boxes(small_sam2, segmenter, people):
    plans = [OracleBox(), NeighbourBox(), Memory()]
    table = score_people([segmenter, small_sam2], people, prompts=plans, slice_steps={"drawn": 1})
    asked = table.groupby("segmenter")["box_source"].nunique()
    assert asked.to_dict() == {"small": 2, small_sam2.name: 3}
    followed = followed_slices(table, people)
    assert set(followed["segmenter"]) == {small_sam2.name}
    assert not followed["miniature"].any()
    by_memory = followed[followed["way"] == "memory"].set_index("distance_mm")
    assert sorted(by_memory.index) == [0.0, 6.0, 6.0, 12.0]
    assert by_memory[["dice", "encode_s", "decode_s"]].notna().all(axis=None)
    assert set(followed["way"]) == {"memory", "boxes"}
    assert followed_slices(table[table["segmenter"] == "small"], people).empty


def test_drift_is_told_of_the_first_model_though_another_has_one_plan_more():
    rows = [
        ("mini", "oracle", 0, 0.9), ("mini", "neighbour", 0, 0.9), ("mini", "neighbour", 2, 0.4),
        ("sam2", "oracle", 0, 0.8), ("sam2", "neighbour", 0, 0.8), ("sam2", "memory", 2, 0.7),
    ]  # fmt: skip
    means = pd.DataFrame(rows, columns=["segmenter", "box_source", "steps", "dice"])
    (ax,) = drift_chart(means.assign(data="people", n_objects=5))
    assert "neighbour\nDice 0.90 to 0.40" in ax.get_title(loc="left")
