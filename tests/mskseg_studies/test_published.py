"""Numbers of studies."""

from __future__ import annotations

import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.published import beside_casali, reported


def test_nine_single_cases_each_with_its_setting_and_place():
    study = reported("hu_2023")
    assert study.groupby("sweep", sort=False).size().to_dict() == {
        "points": 3, "resolution": 3, "model": 3,
    }  # fmt: skip
    assert study[study["sweep"] == "points"]["dice"].round(3).tolist() == [0.467, 0.792, 0.876]
    assert study[study["sweep"] == "resolution"]["setting"].tolist() == ["224", "512", "1024"]
    assert study["where"].str.contains("one case").all()


def test_time_saved_by_two_experts():
    assert reported("ma_2024")["value"].tolist() == [0.8237, 0.8295]


def test_casali_gives_five_comparisons_and_says_which_model_is_not_named():
    study = reported("casali_2025")
    assert study["metric"].value_counts().to_dict() == {"dice": 3, "ece": 2}
    ece = study[study["metric"] == "ece"]
    assert (ece["sam_tuned"] < ece["compared_with"]).all()
    assert ece["where"].str.contains("not named").all()


def test_ours_stand_over_casali_by_metric_and_grade():
    grades = ["Early", "Moderate", "Severe"]
    index = pd.MultiIndex.from_product([grades, ["a"]], names=["severity", "model"])
    ours = pd.DataFrame({"dice": [0.9, 0.8, 0.7], "ece_candidate": [0.1, 0.2, 0.3]}, index=index)
    table = beside_casali(ours)
    assert table.loc["a", ("ece", "Severe")] == 0.3
    assert table.loc["Casali 2025: sam_tuned", ("dice", "Moderate")] == 0.886
    assert table.loc["Casali 2025: compared_with", ("ece", "Severe")] == 0.071
    assert table.columns.tolist() == [(m, g) for m in ("dice", "ece") for g in grades]


def test_an_unknown_study_lists_the_known():
    with pytest.raises(InputError, match=r"expected one of casali_2025, hu_2023, .*got 'hu'"):
        reported("hu")
