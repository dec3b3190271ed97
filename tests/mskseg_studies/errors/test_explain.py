"""Properties beside scores, their rank correlations, and the reasons named by rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.errors.explain import (
    effects,
    name_reason,
    paired_change,
    with_properties,
    worst_pairs,
)


def tables(n: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = {
        "dataset": "d",
        "subject": "s",
        "sequence": "q",
        "site": "",
        "side": "",
        "visit": "",
        "tissue": "t",
        "slice": range(2, n + 2),
    }
    thickness = np.linspace(2, 9, n)
    scores = pd.DataFrame(
        {
            **keys,
            "segmenter": "m",
            "box_source": "oracle",
            "status": "scored",
            "dice": 0.5 + thickness / 20,
            "area_mm2": 100.0,
            "predicted_area_mm2": 100.0,
            "filled_box_dice": 0.7,
        }
    )
    properties = pd.DataFrame(
        {**keys, "thickness_mm": thickness, "shape": "thin", "contrast": -np.arange(n) - 1.0}
    )
    return scores, properties


def test_dice_that_grows_with_thickness_is_found_and_what_never_varies_is_not():
    table = effects(with_properties(*tables())).set_index("effect")["spearman"]
    assert table["thickness"] == pytest.approx(1)
    assert table["contrast, whatever its sign"] == pytest.approx(1)
    assert np.isnan(table["area"])


def test_distance_to_the_end_counts_slices_whatever_the_number_of_models():
    scores, properties = tables(5)
    both = pd.concat([scores, scores.assign(segmenter="other")])
    joined = with_properties(both, properties)
    for _, rows in joined.groupby("segmenter"):
        assert rows.sort_values("slice")["from_end"].tolist() == [0, 1, 2, 1, 0]


def test_pairs_that_were_not_scored_are_left_out():
    scores, properties = tables()
    scores.loc[0, "status"] = "too_small"
    assert len(with_properties(scores, properties)) == len(scores) - 1


def test_a_pair_without_properties_is_named():
    scores, properties = tables()
    with pytest.raises(InputError, match="t on slice 2 of s was scored but not measured"):
        with_properties(scores, properties.iloc[1:])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"predicted_area_mm2": 0.0}, "nothing was found"),
        ({"predicted_area_mm2": 200.0}, "leaked"),
        ({"predicted_area_mm2": 40.0}, "fell short"),
        ({"contrast_size": 0.1}, "faint border"),
        ({"thickness_mm": 2.0}, "thin"),
        ({"from_end": 0}, "end of the structure"),
        ({}, "none of these"),
    ],
)
def test_the_first_rule_that_applies_names_the_reason(changed, reason):
    fine = {
        "area_mm2": 100.0,
        "predicted_area_mm2": 100.0,
        "contrast_size": 2.0,
        "thickness_mm": 9.0,
        "from_end": 3,
    }
    assert name_reason(pd.Series({**fine, **changed})) == reason


def test_a_difference_between_tissues_is_none_within_them():
    scores, properties = tables(8)
    thin = {"tissue": "thin"}
    jitter = np.tile([0.0, 0.01], 4)
    scores["dice"], properties["thickness_mm"] = 0.9 + jitter, 9.0 + np.repeat([0.0, 0.1], 4)
    scores["area_mm2"] = 100.0
    both = pd.concat([scores, scores.assign(**thin, dice=0.5 + jitter)])
    measured = pd.concat([properties, properties.assign(**thin, thickness_mm=2.0)])
    row = effects(with_properties(both, measured)).set_index("effect").loc["thickness"]
    assert row["spearman"] > 0.7
    assert abs(row["within_tissues"]) < 0.1


def test_a_fat_fraction_is_an_effect_where_it_was_measured():
    scores, properties = tables()
    assert "fat fraction in the muscle" not in set(
        effects(with_properties(scores, properties))["effect"]
    )
    scores["reference fat fraction"] = -scores["dice"]
    table = effects(with_properties(scores, properties)).set_index("effect")
    assert table.loc["fat fraction in the muscle", "spearman"] == pytest.approx(-1)


def test_the_end_of_a_structure_is_that_of_all_its_measured_slices():
    scores, properties = tables(8)
    joined = with_properties(scores.iloc[[2, 5]], properties)
    assert joined["from_end"].tolist() == [2, 2]


def two_scans() -> pd.DataFrame:
    scores, _ = tables(4)
    plain = pd.concat([scores, scores.assign(subject="t", dice=scores["dice"] + 0.1)])
    worse = plain.assign(sequence="q_8x", dice=plain["dice"] - 0.2)
    worse.loc[worse["subject"] == "t", "dice"] -= 0.2
    return pd.concat([plain, worse], ignore_index=True)


def test_a_change_is_taken_on_the_same_slices_and_averaged_over_subjects():
    table = two_scans().drop(index=0)  # its partner has no pair any more
    (row,) = paired_change(table, column="sequence", first="q", second="q_8x").to_dict("records")
    assert (row["from"], row["to"]) == ("q", "q_8x")
    assert row["change"] == pytest.approx(-0.3)
    assert (row["lowest"], row["highest"]) == (pytest.approx(-0.4), pytest.approx(-0.2))
    assert (row["n_subjects"], row["n_pairs"]) == (2, 7)


def test_no_pair_no_change():
    assert paired_change(two_scans(), column="sequence", first="q", second="none").empty


def test_the_worst_come_one_of_each_tissue_with_a_reason():
    scores, properties = tables(6)
    other = {"tissue": "u"}
    joined = with_properties(
        pd.concat([scores, scores.assign(**other, dice=0.3, predicted_area_mm2=0.0)]),
        pd.concat([properties, properties.assign(**other)]),
    )
    worst = worst_pairs(joined)
    assert worst["tissue"].tolist() == ["u", "t"]
    assert worst["reason"].tolist() == ["nothing was found: thin", "thin"]
    assert worst_pairs(joined, n=3, per_tissue=9)["tissue"].tolist() == ["u"] * 3
