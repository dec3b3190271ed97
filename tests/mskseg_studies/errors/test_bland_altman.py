"""Bias and limits of agreement, beside the change that matters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.errors.biomarkers import biomarker_agreement, bland_altman_panels


def agreement(differences) -> dict:
    """Bias and limits of one segmenter's differences."""
    kept = {"biomarker": "disc height", "segmenter": "a", "unit": "mm", "smallest_change": 0.85}
    (row,) = biomarker_agreement(pd.DataFrame({"difference": differences, **kept})).to_dict(
        "records"
    )
    return row


def test_bias_and_limits_are_those_of_bland_and_altman():
    got = agreement(np.random.default_rng(0).normal(1.5, 0.5, 4000))
    assert got["bias"] == pytest.approx(1.5, abs=0.03)
    assert got["high"] - got["low"] == pytest.approx(2 * 1.96 * 0.5, rel=0.05)


def test_missing_values_are_counted_and_one_pair_has_no_limits():
    got = agreement([0.5, np.nan])
    assert (got["bias"], got["n"], got["n_missing"]) == (0.5, 1, 1)
    assert math.isnan(got["low"])
    assert not got["within"]


def test_limits_are_within_only_if_both_are_smaller_than_what_matters():
    pairs = pd.DataFrame(
        {
            "biomarker": "disc height",
            "segmenter": ["good"] * 3 + ["bad"] * 3,
            "unit": "mm",
            "smallest_change": 0.85,
            "difference": [0.0, 0.1, -0.1, 0.0, 3.0, -3.0],
        }
    )
    got = biomarker_agreement(pairs).set_index("segmenter")
    assert got["within"].to_dict() == {"good": True, "bad": False}
    assert got["source"].str.contains("Boos").all()
    lost = biomarker_agreement(
        pairs.assign(difference=pairs["difference"].where(pairs["segmenter"] == "good"))
    )
    assert lost["segmenter"].tolist() == ["good"]
    for nothing in (pairs.iloc[:0], pairs.assign(difference=np.nan)):
        assert biomarker_agreement(nothing).empty


def markers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "biomarker": "disc height",
            "segmenter": "a",
            "unit": "mm",
            "smallest_change": 0.85,
            "reference": [8.0, 9.0, 10.0],
            "prediction": [9.0, 11.0, np.nan],
            "difference": [1.0, 2.0, np.nan],
        }
    )


def test_agreement_shows_bias_limits_and_the_change_that_matters():
    (ax,) = bland_altman_panels(markers())
    levels = [line.get_ydata()[0] for line in ax.lines]
    reach = 1.96 * np.std([1, 2], ddof=1)
    assert levels == pytest.approx([1.5, 1.5 - reach, 1.5 + reach])
    band = ax.patches[0]
    assert (band.get_y(), band.get_height()) == pytest.approx((-0.85, 1.7))
    dots = next(c for c in ax.collections if len(c.get_offsets()) == 2).get_offsets()
    assert dots.tolist() == [[8.5, 1.0], [10.0, 2.0]]
    with pytest.raises(InputError, match="the table has 0 rows"):
        bland_altman_panels(markers().iloc[:0])


def test_a_model_that_found_nothing_has_no_bias():
    lost = markers().assign(prediction=np.nan, difference=np.nan)
    (ax,) = bland_altman_panels(lost)
    assert not ax.lines
