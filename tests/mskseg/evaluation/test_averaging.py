"""The project's mean: slices, then labels, then subjects, with counts; what is never averaged."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean, subject_means, summarise
from mskseg.evaluation.scoring import COLUMNS

# any table


def row(subject, tissue, dice, **more):
    return {"dataset": "d", "subject": subject, "tissue": tissue, "dice": dice, **more}


def test_a_person_with_many_slices_and_a_tissue_with_many_count_once():
    table = pd.DataFrame(
        [
            *[row("s1", "bone", 1.0, way="a")] * 9,
            row("s1", "cartilage", 0.0, way="a"),
            row("s2", "bone", 0.8, way="a"),
        ]
    )
    (found,) = nested_mean(table, by=["way"]).to_dict("records")
    assert found["dice"] == pytest.approx((0.5 + 0.8) / 2)
    assert found["dice_sd"] == pytest.approx(np.std([0.5, 0.8], ddof=1))
    assert (found["n_subjects"], found["n_objects"]) == (2, 11)


def test_rows_stay_in_their_order_and_several_values_are_averaged():
    table = pd.DataFrame(
        [row("s1", "bone", 0.2, way="z", best=0.4), row("s1", "bone", 0.6, way="a", best=0.8)]
    )
    found = nested_mean(table, by=["way"], values=["dice", "best"])
    assert found["way"].tolist() == ["z", "a"]
    assert found["best"].tolist() == [0.4, 0.8]
    assert found["best_sd"].isna().all()  # one person has no spread


def test_people_of_one_name_in_two_data_sets_are_two():
    table = pd.DataFrame([row("s1", "bone", 0.2, way="a"), row("s1", "bone", 0.6, way="a")])
    table.loc[1, "dataset"] = "other"
    assert nested_mean(table, by=["way"])["n_subjects"].item() == 2


def test_means_by_a_level_itself():
    table = pd.DataFrame([row("s1", "bone", 0.2), row("s1", "cartilage", 0.6)])
    found = nested_mean(table, by=["tissue"]).set_index("tissue")["dice"]
    assert found.to_dict() == {"bone": 0.2, "cartilage": 0.6}


def test_what_is_missing_is_named():
    with pytest.raises(InputError, match="got 1 rows without way, tissue"):
        nested_mean(pd.DataFrame([row("s1", "bone", 1.0)]).drop(columns="tissue"), by=["way"])
    with pytest.raises(InputError, match="got 0 rows"):
        nested_mean(pd.DataFrame(columns=["dataset", "subject", "tissue", "dice"]), by=[])


def test_without_a_key_there_is_one_row():
    table = pd.DataFrame([row("s1", "bone", 0.2), row("s2", "bone", 0.6)])
    (found,) = nested_mean(table).to_dict("records")
    assert found["dice"] == pytest.approx(0.4)
    assert (found["n_subjects"], found["n_objects"]) == (2, 2)


def test_subjects_are_the_last_level_but_one():
    table = pd.DataFrame([row("s1", "bone", 1.0), row("s1", "disc", 0.0), row("s2", "bone", 0.8)])
    assert subject_means(table)["dice"].to_dict() == {("d", "s1"): 0.5, ("d", "s2"): 0.8}


def test_rows_that_are_a_subjects_own_numbers_need_no_tissue():
    table = pd.DataFrame([row("s1", "", 1.0), row("s1", "", 0.0), row("s2", "", 0.7)])
    (found,) = nested_mean(table.drop(columns="tissue"), within=()).to_dict("records")
    assert found["dice"] == pytest.approx((0.5 + 0.7) / 2)


# a table of scores


def table_of(*rows):
    defaults = {
        "segmenter": "m",
        "miniature": False,
        "prompt": "box",
        "box_source": "oracle",
        "dataset": "d",
        "sequence": "t1w",
        "site": "",
        "side": "",
        "visit": "",
        "plane": "axial",
        "status": "scored",
        "filled_box_dice": 0.5,
    }
    names = ("subject", "label", "slice", "dice")
    table = pd.DataFrame([{**defaults, **dict(zip(names, row, strict=True))} for row in rows])
    return table.assign(tissue="tissue " + table["label"].astype(str))


def test_the_mean_is_over_slices_then_labels_then_subjects():
    table = table_of(
        ("a", 1, 0, 1.0),
        ("a", 1, 1, 0.8),
        ("a", 1, 2, 0.6),  # label 1 of a: 0.8
        ("a", 2, 0, 0.4),  # label 2 of a: 0.4, so a: 0.6
        ("b", 1, 0, 0.2),  # b: 0.2
    )
    means = summarise(table).iloc[0]
    assert means["dice"] == pytest.approx((0.6 + 0.2) / 2)
    assert means["dice"] != pytest.approx(table["dice"].mean())
    assert means["dice_sd"] == pytest.approx(np.std([0.6, 0.2], ddof=1))
    counts = ["n_subjects", "n_labels", "n_slices", "n_pairs"]
    assert means[counts].tolist() == [2, 2, 4, 5]


def test_means_by_tissue():
    table = table_of(("a", 1, 0, 1.0), ("a", 2, 0, 0.4), ("b", 1, 0, 0.6))
    means = summarise(table, by=["box_source", "tissue"]).set_index("tissue")
    assert means["dice"].to_dict() == {"tissue 1": 0.8, "tissue 2": 0.4}
    assert means["n_subjects"].to_dict() == {"tissue 1": 2, "tissue 2": 1}


def test_one_name_in_two_datasets_is_two_subjects():
    first, second = table_of(("1", 1, 0, 1.0)), table_of(("1", 1, 0, 0.0)).assign(dataset="e")
    assert summarise(pd.concat([first, second]))["n_subjects"].item() == 2


def test_different_prompt_plans_are_never_averaged_in_silence():
    table = pd.concat([table_of(("a", 1, 0, 1.0)), table_of(("a", 1, 0, 0.0))])
    table["box_source"] = ["oracle", "neighbour"]
    with pytest.raises(InputError, match="would mix 2 different values of 'box_source'"):
        summarise(table, by=["tissue"])


def test_a_summary_says_that_it_shows_a_miniature():
    assert not summarise(table_of(("a", 1, 0, 1.0)))["miniature"].item()
    assert summarise(table_of(("a", 1, 0, 1.0)).assign(miniature=True))["miniature"].item()


def test_a_group_without_a_score_is_nan_with_its_counts():
    table = table_of(("a", 1, 0, math.nan)).assign(status="both_empty")
    means = summarise(table).iloc[0]
    assert math.isnan(means["dice"])
    assert (means["n_pairs"], means["n_both_empty"]) == (0, 1)


def test_an_infinite_distance_stays_visible_in_the_mean():
    table = table_of(("a", 1, 0, 1.0), ("a", 1, 1, 0.0)).assign(hd95_mm=[1.0, math.inf])
    assert summarise(table, values=["hd95_mm"])["hd95_mm"].item() == math.inf


def test_pairs_without_a_predicted_iou_are_counted_beside_its_mean():
    table = table_of(("a", 1, 0, 1.0), ("a", 1, 1, 0.0)).assign(predicted_iou=[0.9, math.nan])
    means = summarise(table, values=["dice", "predicted_iou"]).iloc[0]
    assert means["predicted_iou"] == 0.9
    assert (means["n_pairs"], means["n_without_predicted_iou"]) == (2, 1)
    assert "n_without_dice" not in means.index  # every scored pair has one


def test_a_table_of_something_else_is_refused():
    with pytest.raises(InputError, match="lacks the column"):
        summarise(pd.DataFrame({"dice": [1.0]}))


def test_a_table_without_a_row_says_why():
    with pytest.raises(InputError, match="no slice that was scored shows a label"):
        summarise(pd.DataFrame(columns=list(COLUMNS)))
