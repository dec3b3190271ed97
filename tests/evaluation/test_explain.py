"""Properties beside scores, their rank correlations, and the reasons named by rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg.evaluation.explain import effects, name_reason, with_properties


def tables(n: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = {
        "dataset": "d",
        "subject": "s",
        "sequence": "q",
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
