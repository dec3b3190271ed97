"""Our sweeps beside those of Hu 2023."""

from __future__ import annotations

import pandas as pd

from mskseg_studies.published import NOT_TESTABLE, beside_hu


def clicked(**best):
    rows = [("corrective", int(k[1:]), value) for k, value in best.items()]
    rows.append(("box", 0, 0.0))
    return pd.DataFrame(rows, columns=["strategy", "n_points", "best_dice"])


def sizes(reading, **dice):
    return pd.DataFrame(
        [(reading, int(k[1:]), value) for k, value in dice.items()],
        columns=["reading", "size_px", "dice"],
    )


def beside(clicks=None, resolutions=None, models=None, frame_px=1024):
    return beside_hu(
        clicks=clicked() if clicks is None else clicks,
        resolutions=sizes("") if resolutions is None else resolutions,
        models=models or {},
        frame_px=frame_px,
    )


def laid(**ours):
    """By sweep and reading."""
    return dict(list(beside(**ours).groupby(["sweep", "reading"])))


def test_a_step_agrees_where_both_rise_and_not_where_one_falls():
    table = laid(clicks=clicked(n1=0.5, n5=0.7, n10=0.1, n20=0.6))
    found = table["points", "corrective clicks, best of three"]
    assert found["ours"].tolist() == [0.5, 0.7, 0.6]
    assert found["study_step"].tolist() == ["", "rises", "rises"]
    assert found["our_step"].tolist() == ["", "rises", "falls"]
    assert found["agrees"].tolist() == ["", "yes", "no"]
    assert found["measured_at"].tolist() == ["1 point", "5 points", "20 points"]


def test_random_points_and_corrections_are_two_readings_of_one_sweep():
    corrective = clicked(n1=0.5, n5=0.7, n20=0.8)
    random = clicked(n1=0.5, n5=0.4, n20=0.45).replace({"strategy": {"corrective": "random"}})
    table = laid(clicks=pd.concat([corrective, random]))
    assert table["points", "corrective clicks, best of three"]["agrees"].tolist()[1:] == ["yes"] * 2
    assert table["points", "points at random, best of three"]["agrees"].tolist()[1:] == [
        "no",
        "yes",
    ]


def test_a_change_below_the_level_is_none():
    table = beside(clicks=clicked(n1=0.5, n5=0.504, n20=0.6))
    assert table["our_step"].tolist()[:3] == ["", "level", "rises"]
    assert table["agrees"].tolist()[:3] == ["", "no", "yes"]


def test_what_is_not_there_is_not_testable():
    table = beside(clicks=clicked(n1=0.5, n5=0.7))
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
    table = laid(resolutions=both, frame_px=256)
    coarser, framed = table["resolution", "coarser"], table["resolution", "framed"]
    assert coarser["setting"].tolist() == ["224", "512", "1024"]
    assert coarser["measured_at"].tolist() == ["56 px", "128 px", "256 px"]
    # 64 px is the nearest whole number of cells
    assert framed["measured_at"].tolist() == ["64 px", NOT_TESTABLE, "256 px"]
    assert coarser["agrees"].tolist() == ["", "no", "no"]
    assert framed["agrees"].tolist() == ["", *[NOT_TESTABLE] * 2]


def test_a_published_model_is_compared_at_the_very_sizes():
    table = laid(resolutions=sizes("coarser", s224=0.6, s512=0.7), frame_px=1024)
    found = table["resolution", "coarser"]
    assert found["measured_at"].tolist() == ["224 px", "512 px", NOT_TESTABLE]


def test_models_that_the_study_names_are_compared_and_others_are_not():
    found = laid(models={"sam_vit_mini": 0.9, "sam_vit_l": 0.7, "sam_vit_b": 0.6})["model", ""]
    assert found["setting"].tolist() == ["ViT-B", "ViT-L", "ViT-H"]
    assert found["ours"].tolist()[:2] == [0.6, 0.7]
    assert found["agrees"].tolist() == ["", "yes", NOT_TESTABLE]
    alone = laid(models={"sam_vit_mini": 0.9})["model", ""]
    assert alone["agrees"].tolist() == ["", NOT_TESTABLE, NOT_TESTABLE]
