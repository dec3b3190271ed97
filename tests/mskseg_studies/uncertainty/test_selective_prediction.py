"""AUROC, referral, and the paired bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torchmetrics.functional.classification import binary_auroc

from mskseg.errors import InputError
from mskseg_studies.bootstrap import MIN_SUBJECTS, compare_models, paired_bootstrap
from mskseg_studies.uncertainty.selective_prediction import (
    ErrorRanking,
    referral_curve,
    referral_curves,
)


@pytest.fixture
def ranked():
    """Uncertainties and errors, more errors where it is uncertain; many of them tied."""
    rng = np.random.default_rng(0)
    uncertainty = rng.gamma(1, 0.3, 5000).round(2)
    return uncertainty, rng.random(5000) < uncertainty


def test_auroc_is_that_of_torchmetrics(ranked):
    """Scaled to 0 to 1: what is larger, torchmetrics takes for logits."""
    uncertainty, wrong = ranked
    theirs = binary_auroc(torch.as_tensor(uncertainty / 10), torch.as_tensor(wrong).int())
    assert ErrorRanking.of(uncertainty, wrong).auroc == pytest.approx(float(theirs), abs=5e-3)


def test_auroc_by_hand():
    assert ErrorRanking.of([1, 2, 3, 4], [0, 0, 1, 1]).auroc == 1
    assert ErrorRanking.of([1, 1, 1, 1], [0, 0, 1, 1]).auroc == 0.5
    assert math.isnan(ErrorRanking.of([1, 2], [0, 0]).auroc)


def test_the_streamed_histogram_gives_nearly_the_exact_numbers(ranked):
    uncertainty, wrong = ranked
    parts = [
        ErrorRanking.of(uncertainty[i : i + 999], wrong[i : i + 999]) for i in range(0, 5000, 999)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert total.auroc == ErrorRanking.of(uncertainty, wrong).auroc


def test_a_histogram_of_nothing_has_no_numbers():
    nothing = ErrorRanking.of([], [])
    assert math.isnan(nothing.auroc)


def test_a_reader_corrects_the_least_certain_first():
    curve = referral_curve([0.9, 0.5, 0.7, 0.9], [0.1, 0.3, 0.9, 0.2], fractions=(0, 0.25, 1))
    assert curve["n_referred"].tolist() == [0, 1, 4]
    assert curve["dice"].tolist() == pytest.approx([0.75, 0.825, 1.0])
    assert curve["best"].tolist() == pytest.approx([0.75, 0.875, 1.0])
    assert curve["random"].tolist() == pytest.approx([0.75, 0.8125, 1.0])


def test_what_was_not_predicted_is_left_out_of_every_strategy_and_counted():
    """That something is missing only the reference knows, so no strategy may profit from it."""
    seen = referral_curve([0.9, 0.5], [0.1, 0.8])
    with_missing = referral_curve([0.9, 0.5, 0.0, 0.0], [0.1, 0.8, math.nan, math.nan])
    strategies = ["referred", "n_referred", "dice", "best", "random", "n"]
    pd.testing.assert_frame_equal(seen[strategies], with_missing[strategies])
    assert (with_missing["n_not_predicted"] == 2).all()
    assert (seen["n_not_predicted"] == 0).all()


def test_what_has_no_dice_is_counted():
    curve = referral_curve([0.9, 0.4, math.nan], [0.8, 0.9, 0.9], fractions=(0.5,))
    assert curve["dice"].item() == pytest.approx(0.95)
    assert (curve["n"].item(), curve["n_without_dice"].item()) == (2, 1)


def test_a_model_that_found_nothing_has_nothing_to_refer():
    curve = referral_curve([0.0, 0.0], [math.nan, math.nan], fractions=(0, 1))
    assert curve[["dice", "best", "random"]].isna().all(axis=None)
    assert (curve["n"].iloc[0], curve["n_not_predicted"].iloc[0]) == (0, 2)


def test_each_arm_has_its_own_referral_curve():
    outlines = pd.DataFrame({"arm": list("aab"), "dice": [0.9, 0.5, 0.7], "uncertainty": 0.1})
    curves = referral_curves(outlines)
    assert {name: curve["n"].iloc[0] for name, curve in curves.items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_bootstrap([1], [1, 2], margin=0.1), "expected pairs"),
        (lambda: paired_bootstrap([math.nan], [1], margin=0.1), "none is complete"),
        (lambda: paired_bootstrap([1], [1], margin=0), "margin above 0, named before looking"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_interval_is_close_to_students_t_where_differences_are_normal():
    rng = np.random.default_rng(3)
    difference = rng.normal(0.01, 0.03, 20)
    found = paired_bootstrap(difference, np.zeros(20), margin=0.01)
    theirs = stats.t.interval(0.95, 19, difference.mean(), stats.sem(difference))
    assert (found["low"], found["high"]) == pytest.approx(theirs, abs=2e-3)
    assert found["mean"] == pytest.approx(difference.mean())


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ([0.004, 0.005, 0.006] * 3, "equivalent"),
        ([0.02, 0.03, 0.04] * 3, "higher"),
        ([-0.02, -0.03, -0.04] * 3, "lower"),
        ([-0.05, 0.0, 0.06] * 3, "inconclusive"),
        ([0.02, 0.03, 0.04, 0.03], "too few subjects"),
    ],
)
def test_the_margin_decides_the_verdict(difference, verdict):
    found = paired_bootstrap(difference, np.zeros(len(difference)), margin=0.01)
    assert found["verdict"] == verdict


def test_another_margin_flips_the_verdict():
    difference = np.tile([0.02, 0.03, 0.04], 3)
    assert paired_bootstrap(difference, 0 * difference, margin=0.05)["verdict"] == "equivalent"
    assert paired_bootstrap(difference, 0 * difference, margin=0.01)["verdict"] == "higher"


def test_a_subject_without_a_number_is_left_out_and_counted():
    found = paired_bootstrap([0.9, 0.8, math.nan], [0.8, 0.8, 0.7], margin=0.01)
    assert (found["n"], found["n_missing"]) == (2, 1)
    assert paired_bootstrap([0.9], [0.8], margin=0.01)["verdict"] == "too few subjects"


def test_models_are_compared_within_subjects_whatever_the_order_of_the_rows():
    n = MIN_SUBJECTS
    rows = [
        {"dataset": "d", "subject": s, "model": model, "dice": 0.1 * s + plus + more}
        for s in range(n)
        for model, plus in (("a", 0.02), ("b", 0.0))
        for more in (0.0, 0.1)
    ]
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    found = compare_models(table, [("a", "b")], value="dice", margin=0.05)
    assert found["mean"].tolist() == pytest.approx([0.02])
    assert (found["verdict"] == "equivalent").all()
    with pytest.raises(InputError, match="lacks c"):
        compare_models(table, [("a", "c")], value="dice", margin=0.05)
