"""Properties beside scores, their rank correlations, and changes on the same slices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.errors.covariates import (
    change_chart,
    covariate_panels,
    paired_change,
    rank_correlations,
    with_covariates,
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
        "label": 1,
        "slice": range(2, n + 2),
    }
    thickness = np.linspace(2, 9, n)
    scores = pd.DataFrame(
        {
            **keys,
            "data": "people",
            "segmenter": "m",
            "box_source": "oracle",
            "status": "scored",
            "dice": 0.5 + thickness / 20,
            "area_mm2": 100.0,
            "predicted_area_mm2": 100.0,
            "filled_box_dice": 0.7,
            "edge_contrast": np.arange(n) + 1.0,
        }
    )
    properties = pd.DataFrame({**keys, "thickness_mm": thickness, "shape": "thin"})
    return scores, properties


def test_dice_that_grows_with_thickness_is_found_and_what_never_varies_is_not():
    table = rank_correlations(with_covariates(*tables())).set_index("effect")["spearman"]
    assert table["thickness"] == pytest.approx(1)
    assert table["contrast of the border"] == pytest.approx(1)
    assert np.isnan(table["area"])


def test_distance_to_the_end_counts_slices_whatever_the_number_of_models():
    scores, properties = tables(5)
    both = pd.concat([scores, scores.assign(segmenter="other")])
    joined = with_covariates(both, properties)
    for _, rows in joined.groupby("segmenter"):
        assert rows.sort_values("slice")["from_end"].tolist() == [0, 1, 2, 1, 0]


def test_pairs_that_were_not_scored_are_left_out():
    scores, properties = tables()
    scores.loc[0, "status"] = "too_small"
    joined = with_covariates(scores, properties)
    assert joined.index.tolist() == scores.index[1:].tolist()
    assert joined["slice"].equals(scores["slice"][1:])


def test_a_pair_without_properties_is_named():
    scores, properties = tables()
    with pytest.raises(InputError, match="t on slice 2 of s was scored but not measured"):
        with_covariates(scores, properties.iloc[1:])


def test_a_difference_between_tissues_is_none_within_them():
    scores, properties = tables(8)
    thin = {"tissue": "thin"}
    jitter = np.tile([0.0, 0.01], 4)
    scores["dice"], properties["thickness_mm"] = 0.9 + jitter, 9.0 + np.repeat([0.0, 0.1], 4)
    scores["area_mm2"] = 100.0
    both = pd.concat([scores, scores.assign(**thin, dice=0.5 + jitter)])
    measured = pd.concat([properties, properties.assign(**thin, thickness_mm=2.0)])
    row = rank_correlations(with_covariates(both, measured)).set_index("effect").loc["thickness"]
    assert row["spearman"] > 0.7
    assert abs(row["within_tissues"]) < 0.1


def test_a_fat_fraction_is_an_effect_where_it_was_measured():
    scores, properties = tables()
    assert "fat fraction in the muscle" not in set(
        rank_correlations(with_covariates(scores, properties))["effect"]
    )
    scores["reference fat fraction"] = -scores["dice"]
    table = rank_correlations(with_covariates(scores, properties)).set_index("effect")
    assert table.loc["fat fraction in the muscle", "spearman"] == pytest.approx(-1)


def test_the_end_of_a_structure_is_that_of_all_its_measured_slices():
    scores, properties = tables(8)
    joined = with_covariates(scores.iloc[[2, 5]], properties)
    assert joined["from_end"].tolist() == [2, 2]


def test_labels_of_one_name_are_told_apart():
    scores, properties = tables(4)
    scores, properties = (
        pd.concat([table, table.assign(label=2, **more)], ignore_index=True)
        for table, more in ((scores, {"dice": 0.1}), (properties, {"thickness_mm": 50.0}))
    )
    joined = with_covariates(scores, properties)
    assert joined.groupby("label")["thickness_mm"].max().tolist() == [9.0, 50.0]
    assert joined["from_end"].tolist() == [0, 1, 1, 0] * 2
    changed = pd.concat([scores, scores.assign(box_source="wide", dice=scores["dice"] - 0.1)])
    (row,) = paired_change(changed, column="box_source", first="oracle", second="wide").to_dict(
        "records"
    )
    assert (row["n_pairs"], row["change"]) == (8, pytest.approx(-0.1))


def test_people_and_phantoms_have_rows_of_their_own():
    table = two_scans().assign(data="people")
    both = pd.concat([table, table.assign(data="phantoms", dataset="drawn")])
    changes = paired_change(both, column="sequence", first="q", second="q_8x")
    assert changes["data"].tolist() == ["people", "phantoms"]
    labels = [label.get_text() for label in change_chart(changes).get_yticklabels()]
    assert labels[0] == "q to q_8x\npeople, m, n=2"
    scores, properties = tables()
    named = pd.concat([scores.assign(data=name) for name in ("people", "phantoms")])
    effects = rank_correlations(with_covariates(named.reset_index(drop=True), properties))
    assert list(dict.fromkeys(effects["data"])) == ["people", "phantoms"]


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


def joined(n: int = 40) -> pd.DataFrame:
    x = np.linspace(1, 10, n)
    return pd.DataFrame({"segmenter": ["a", "b"] * (n // 2), "thickness_mm": x, "dice": x / 20})


def test_a_covariate_has_a_line_of_medians_for_each_model():
    (ax,) = covariate_panels(joined())
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    x, y = ax.lines[0].get_data()
    assert np.all(np.diff(x) > 0)
    assert y == pytest.approx(x / 20)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "thickness (mm)")


def test_a_covariate_without_a_value_has_no_panel():
    table = joined().assign(area_mm2=np.nan)
    (ax,) = covariate_panels(table)
    assert ax.get_xlabel() == "thickness (mm)"


def test_a_change_is_drawn_with_its_range_and_its_subjects():
    changes = pd.DataFrame(
        {
            "data": "d",
            "segmenter": ["a", "b"],
            "from": "x",
            "to": "y",
            "change": [-0.2, 0.1],
            "lowest": [-0.3, 0.0],
            "highest": [-0.1, 0.2],
            "n_subjects": [2, 3],
        }
    )
    ax = change_chart(changes)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "x to y\nd, a, n=2",
        "x to y\nd, b, n=3",
    ]
    assert list(ax.lines[0].get_xdata()) == [-0.3, -0.1]
    assert list(ax.lines[3].get_xdata()) == [0.1]
    with pytest.raises(InputError, match="the table has 0 rows"):
        change_chart(changes.iloc[:0])
