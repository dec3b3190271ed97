"""Gains by tuning: paired by subject, with intervals only where enough subjects stand behind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.tuning.gains import (
    cross_table,
    dice_by_subject,
    enough_people,
    size_curve,
    tissue_changes,
)


def scores(subset, gains, *, role="same site", sequence="t1w", part="test"):
    rows = [
        {"training_subset": subset, "chosen_by": "anatomy", "role": role, "dataset": "d",
         "anatomy": "thigh", "sequence": sequence, "part": part,
         "subject": f"s{k}", "tissue": tissue, "dice": 0.5 + 0.02 * k + gain + shift,
         "status": "scored"}
        for k, gain in enumerate(gains)
        for tissue, shift in (("a", 0.0), ("a", 0.02), ("b", -0.01))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_tissues_count_alike_whatever_their_number_of_slices():
    means = dice_by_subject(scores("zero-shot", [0.0]))
    assert means["dice"].tolist() == pytest.approx([(0.51 + 0.49) / 2])


def test_the_gain_is_paired_and_its_interval_holds_it():
    gains = [0.1, 0.12, 0.08, 0.11, 0.09]
    both = pd.concat([scores("zero-shot", [0] * 5), scores("thigh", gains)])
    cell = cross_table(both).iloc[0]
    assert cell["gain"] == pytest.approx(0.1)
    assert 0.08 <= cell["gain_low"] < 0.1 < cell["gain_high"] <= 0.12
    assert cell["relative_gain"] == pytest.approx(0.1 / cell["dice_zero_shot"])
    assert (cell["role"], cell["anatomy"], cell["n_subjects"]) == ("same site", "thigh", 5)


def test_no_interval_stands_behind_fewer_than_five_subjects():
    tuned = scores("knee", [0.1] * 4, role="other anatomy")
    both = pd.concat([scores("zero-shot", [0] * 4, role=""), tuned])
    cell = cross_table(both).iloc[0]
    assert np.isnan(cell["gain_low"])
    assert cell["role"] == "other anatomy"


def test_sequences_have_a_cell_each():
    """Tuned on T1, tested on T1 and on T2: the transfer is a row of its own."""
    both = pd.concat(
        [
            scores("zero-shot", [0] * 5, role=""),
            scores("zero-shot", [0] * 5, role="", sequence="t2w"),
            scores("thigh", [0.1] * 5),
            scores("thigh", [-0.05] * 5, role="other sequence", sequence="t2w"),
        ]
    )
    cells = cross_table(both).set_index("role")["gain"]
    assert cells.round(6).to_dict() == {"same site": 0.1, "other sequence": -0.05}


@pytest.mark.parametrize(("margin", "people"), [(0.005, 8), (0.02, 4), (0.2, 1)])
def test_enough_people_leave_no_gain_of_the_margin(margin, people):
    dice = {1: [0.7, 0.9], 4: [0.89, 0.91], 8: [0.91, 0.92], 12: [0.91, 0.915]}
    rows = [(n, value) for n, values in dice.items() for value in values]
    table = pd.DataFrame(rows[::-1], columns=["n_subjects", "dice"])
    assert enough_people(table, margin=margin) == people


def test_enough_people_may_be_all_of_them():
    table = pd.DataFrame({"n_subjects": [1, 12], "dice": [0.5, 0.9]})
    assert enough_people(table, margin=0.01) == 12


def test_tissues_that_lost_stand_on_top():
    both = pd.concat([scores("zero-shot", [0, 0]), scores("thigh", [0.1, 0.1])])
    both["filled_box_dice"] = 0.4
    both.loc[(both["training_subset"] == "thigh") & (both["tissue"] == "b"), "dice"] = 0.2
    changes = tissue_changes(both, "thigh")
    assert changes.index.get_level_values("tissue").tolist() == ["b", "a"]
    assert changes["change"].iloc[1] == pytest.approx(0.1)
    assert changes["n_pairs"].tolist() == [2, 4]
    more = scores("zero-shot", [0, 0], sequence="t2w").assign(filled_box_dice=0.4)
    asked_for = tissue_changes(pd.concat([both, more]), "thigh")
    pd.testing.assert_frame_equal(asked_for, changes)
    with pytest.raises(InputError, match="scores of inference"):
        tissue_changes(both, "thigh", part="inference")


def test_a_person_with_few_slices_weighs_as_much_as_one_with_many():
    def rows(subset: str, dices: dict[str, list[float]]) -> pd.DataFrame:
        return pd.DataFrame(
            {"training_subset": subset, "chosen_by": "", "role": "", "dataset": "d",
             "anatomy": "a", "sequence": "q", "part": "test",
             "subject": subject, "tissue": "t", "dice": dice, "filled_box_dice": 0.4,
             "status": "scored"}
            for subject, values in dices.items() for dice in values
        )  # fmt: skip

    before = rows("zero-shot", {"a": [0.5] * 10, "b": [0.5]})
    after = rows("thigh", {"a": [0.5] * 10, "b": [0.6]})
    changes = tissue_changes(pd.concat([before, after]), "thigh")
    assert changes["change"].iloc[0] == pytest.approx(0.05)


def test_a_missing_prediction_counts_as_dice_0():
    table = scores("thigh", [0.0])
    table.loc[0, ["dice", "status"]] = [0.0, "missing"]
    assert dice_by_subject(table)["dice"].iloc[0] == pytest.approx(((0.0 + 0.52) / 2 + 0.49) / 2)


def test_bad_tables_are_refused():
    with pytest.raises(InputError, match="training subset 'zero-shot', got none"):
        cross_table(scores("thigh", [0.1]))
    both = pd.concat([scores("zero-shot", [0]), scores("thigh", [0, 0])])
    with pytest.raises(InputError, match="got 1 scored by a tuned model only"):
        cross_table(both)
    with pytest.raises(InputError, match="without part"):
        dice_by_subject(scores("thigh", [0]).drop(columns="part"))


def test_the_curve_begins_with_the_untuned_model_and_counts_people_and_trainings():
    cross = pd.DataFrame(
        {"role": ["same site", "other site", "other sequence"], "dice_zero_shot": [0.7, 0.6, 0.1],
         "n_subjects": [2, 1, 2]}
    )  # fmt: skip
    rows = [
        (role, subject, n, seed, 0.7 + 0.1 * (n == 4) + 0.02 * seed)
        for role, people in (("other site", ["c"]), ("same site", ["a", "b"]))
        for subject in people
        for n in (1, 4)
        for seed in (0, 1)
    ]
    columns = ["role", "subject", "n_subjects", "seed", "dice"]
    curve = size_curve(pd.DataFrame(rows, columns=columns), cross)
    same = curve[curve["role"] == "same site"]
    assert curve["role"].iloc[0] == "same site"
    assert same["n_subjects"].tolist() == [0, 1, 4]
    assert same["mean"].tolist() == pytest.approx([0.7, 0.71, 0.81])
    assert same["n_trainings"].tolist() == [0, 2, 2]
    assert same["n_people"].tolist() == [2, 2, 2], "seeds are no people"
    assert set(curve["role"]) == {"same site", "other site"}
