"""The interval of a mean over few subjects holds what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg_studies.bootstrap import MIN_SUBJECTS, interval_of_mean


@pytest.mark.parametrize("n", [5, 6, 10])
def test_the_interval_holds_the_truth_nearly_as_often_as_it_says(n):
    """The plain percentile interval of five subjects does in 84 per cent."""
    rng = np.random.default_rng(n)
    studies = [interval_of_mean(rng.normal(size=n), n_resamples=2000) for _ in range(400)]
    assert np.mean([low < 0 < high for low, high in studies]) > 0.88


def test_the_interval_repeats_with_its_seed_and_narrows_with_agreement():
    wide = interval_of_mean([0, 0.2, 0.1, 0.05, 0.3, -0.1], seed=3)
    assert wide == interval_of_mean([0, 0.2, 0.1, 0.05, 0.3, -0.1], seed=3)
    assert wide[1] - wide[0] > 0.2
    assert interval_of_mean([0.1] * 6) == pytest.approx((0.1, 0.1))


def test_too_few_subjects_have_no_interval_and_nan_is_refused():
    assert np.isnan(interval_of_mean([0.1] * (MIN_SUBJECTS - 1))).all()
    with pytest.raises(InputError, match="1 differences are NaN"):
        interval_of_mean([0, np.nan])
