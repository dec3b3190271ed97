"""Biomarkers of drawn bodies, and agreement of two measurements."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.errors.biomarkers import agreement, agreement_table, height_mm, mean_inside


@pytest.mark.parametrize("angle", [0, 20, 45, 90])
def test_the_height_of_a_bar_does_not_depend_on_how_it_lies(angle):
    y, x = np.mgrid[:200, :200] - 99.5
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    bar = (np.abs(x * c + y * s) < 40) & (np.abs(y * c - x * s) < 6)
    assert height_mm(bar, spacing_mm=(1.0, 1.0)) == pytest.approx(12, rel=0.03)


def test_height_is_in_millimetres():
    bar = np.zeros((40, 100), dtype=bool)
    bar[10:20, 10:90] = True
    assert height_mm(bar, spacing_mm=(0.5, 1.0)) == pytest.approx(5, rel=0.01)


def test_the_mean_leaves_out_what_has_no_value():
    values = np.array([[1.0, np.nan], [3.0, 100.0]])
    assert mean_inside(values, np.array([[1, 1], [1, 0]], dtype=bool)) == 2
    assert math.isnan(mean_inside(values, np.array([[0, 1], [0, 0]], dtype=bool)))
    with pytest.raises(InputError, match="a map of shape"):
        mean_inside(values, np.ones((2, 3), dtype=bool))


def test_bias_and_limits_are_those_of_bland_and_altman():
    rng = np.random.default_rng(0)
    truth = rng.uniform(10, 20, 4000)
    got = agreement(truth, truth + rng.normal(1.5, 0.5, 4000))
    assert got.bias == pytest.approx(1.5, abs=0.03)
    assert got.high - got.low == pytest.approx(2 * 1.96 * 0.5, rel=0.05)


def test_missing_values_are_counted_and_one_pair_has_no_limits():
    got = agreement([1.0, 2.0], [1.5, np.nan])
    assert (got.bias, got.n, got.n_missing) == (0.5, 1, 1)
    assert math.isnan(got.low)
    with pytest.raises(InputError, match="none is complete"):
        agreement([1.0], [np.nan])
    with pytest.raises(InputError, match="give pairs"):
        agreement([1.0], [1.0, 2.0])


def test_each_group_has_its_own_agreement():
    pairs = pd.DataFrame(
        {"segmenter": ["a", "a", "b"], "truth": [1.0, 2.0, 3.0], "guess": [1.0, 3.0, 2.0]}
    )
    table = agreement_table(pairs, by=["segmenter"], reference="truth", prediction="guess")
    assert table["bias"].tolist() == [0.5, -1.0]
    assert table["n"].tolist() == [2, 1]
