"""Numbers of studies, and ours beside them."""

from __future__ import annotations

import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.published import (
    NOT_TESTABLE,
    beside_casali,
    beside_study,
    models_measured,
    points_measured,
    reported,
    resolution_measured,
)


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
    ours = pd.DataFrame({"dice": [0.9, 0.8, 0.7], "ece_foreground": [0.1, 0.2, 0.3]}, index=index)
    table = beside_casali(ours)
    assert table.loc["a", ("ece", "Severe")] == 0.3
    assert table.loc["Casali 2025: sam_tuned", ("dice", "Moderate")] == 0.886
    assert table.loc["Casali 2025: compared_with", ("ece", "Severe")] == 0.071
    assert table.columns.tolist() == [(m, g) for m in ("dice", "ece") for g in grades]


def test_an_unknown_study_lists_the_known():
    with pytest.raises(InputError, match=r"expected one of casali_2025, hu_2023, .*got 'hu'"):
        reported("hu")


def clicked(**best):
    rows = [("corrective", int(k[1:]), value) for k, value in best.items()]
    rows.append(("random", 1, 0.0))
    return pd.DataFrame(rows, columns=["strategy", "n_points", "best_dice"])


def sizes(reading, **dice):
    return pd.DataFrame(
        [(reading, int(k[1:]), value) for k, value in dice.items()],
        columns=["reading", "size_px", "dice"],
    )


def laid(*parts):
    """By sweep and reading."""
    return dict(list(beside_study(reported("hu_2023"), parts).groupby(["sweep", "reading"])))


def test_a_step_agrees_where_both_rise_and_not_where_one_falls():
    table = laid(points_measured(clicked(n1=0.5, n5=0.7, n10=0.1, n20=0.6)))
    found = table["points", "corrective clicks, best of three"]
    assert found["ours"].tolist() == [0.5, 0.7, 0.6]
    assert found["study_step"].tolist() == ["", "rises", "rises"]
    assert found["our_step"].tolist() == ["", "rises", "falls"]
    assert found["agrees"].tolist() == ["", "yes", "no"]
    assert found["measured_at"].tolist() == ["1 click", "5 clicks", "20 clicks"]


def test_a_change_below_the_level_is_none():
    table = beside_study(
        reported("hu_2023"), [points_measured(clicked(n1=0.5, n5=0.504, n20=0.6))], level=0.01
    )
    assert table["our_step"].tolist()[:3] == ["", "level", "rises"]
    assert table["agrees"].tolist()[:3] == ["", "no", "yes"]


def test_what_is_not_there_is_not_testable():
    ours = points_measured(clicked(n1=0.5, n5=0.7))
    table = beside_study(reported("hu_2023"), [ours])
    assert table["agrees"].tolist() == [
        "",
        "yes",
        NOT_TESTABLE,
        *["", NOT_TESTABLE, NOT_TESTABLE] * 2,
    ]
    assert table["measured_at"].tolist()[2:] == [NOT_TESTABLE] * 7
    assert NOT_TESTABLE == "not testable here"


def test_pixels_are_compared_as_fractions_of_the_frame():
    both = pd.concat(
        [
            sizes("coarser", s56=0.6, s128=0.7, s256=0.8, s512=0.9),
            sizes("framed", s64=0.3, s256=0.8),
        ]
    )
    ours = resolution_measured(both, frame_px=256, settings=["224", "512", "1024"])
    found = ours.set_index(["reading", "setting"])["measured_at"].to_dict()
    assert found == {
        ("coarser", "224"): "56 px",
        ("coarser", "512"): "128 px",
        ("coarser", "1024"): "256 px",
        ("framed", "224"): "64 px",  # the nearest whole number of cells
        ("framed", "1024"): "256 px",
    }
    table = laid(ours)
    assert table["resolution", "coarser"]["agrees"].tolist() == ["", "no", "no"]
    assert table["resolution", "framed"]["agrees"].tolist() == ["", *[NOT_TESTABLE] * 2]


def test_a_published_model_is_compared_at_the_very_sizes():
    ours = resolution_measured(
        sizes("coarser", s224=0.6, s512=0.7), frame_px=1024, settings=["224", "512"]
    )
    assert ours["measured_at"].tolist() == ["224 px", "512 px"]


def test_models_that_the_study_names_are_compared_and_others_are_not():
    found = models_measured({"sam_vit_mini": 0.9, "sam_vit_l": 0.7, "sam_vit_b": 0.6})
    assert found["setting"].tolist() == ["ViT-B", "ViT-L"]
    assert found["ours"].tolist() == [0.6, 0.7]
    assert laid(found)["model", ""]["agrees"].tolist() == ["", "yes", NOT_TESTABLE]
    alone = laid(models_measured({"sam_vit_mini": 0.9}))["model", ""]
    assert alone["agrees"].tolist() == ["", NOT_TESTABLE, NOT_TESTABLE]
