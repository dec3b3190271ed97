"""Borders whose step and noise are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg_studies.errors.error_measures import WEAK_BELOW, border_of, edge_contrast

MM = (1.0, 1.0)


def block() -> np.ndarray:
    mask = np.zeros((80, 120), dtype=bool)
    mask[20:60, 30:90] = True
    return mask


def noisy(step: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 10, step.shape) + step


@pytest.mark.parametrize("step", [-60.0, 20.0, 40.0])
def test_a_step_is_measured_in_standard_deviations_whatever_its_sign(step):
    got = edge_contrast(noisy(step * block()), block(), spacing_mm=MM)
    assert got == pytest.approx(abs(step) / 10, rel=0.12)


@pytest.mark.parametrize(("step", "border"), [(0, "weak"), (5, "weak"), (15, "clear")])
def test_a_step_within_the_noise_is_a_weak_border(step, border):
    assert border_of(edge_contrast(noisy(step * block()), block(), spacing_mm=MM)) == border


def test_bright_on_one_side_and_dark_on_the_other_is_a_clear_border():
    outside = np.where(np.arange(120) < 60, 30.0, -30.0) * ~block()
    assert edge_contrast(noisy(outside), block(), spacing_mm=MM) > 2 * WEAK_BELOW


def test_a_border_that_is_lost_on_three_quarters_of_its_way_is_weak():
    outside = 60.0 * ~block()
    outside[:, 60:] = outside[40:] = 0
    assert border_of(edge_contrast(noisy(outside), block(), spacing_mm=MM)) == "weak"


def test_the_surroundings_are_counted_in_millimetres():
    step = 40.0 * block()
    fine = edge_contrast(noisy(step.repeat(2, axis=0)), block().repeat(2, axis=0),
                         spacing_mm=(0.5, 1.0))  # fmt: skip
    assert fine == pytest.approx(edge_contrast(noisy(step), block(), spacing_mm=MM), rel=0.1)


def test_without_noise_the_rounding_of_grey_levels_is_the_noise():
    got = edge_contrast(10.0 * block(), block(), spacing_mm=MM)
    assert got == pytest.approx(10 * np.sqrt(12))


def test_nothing_and_everything_have_no_border():
    for mask in (np.zeros((9, 9), dtype=bool), np.ones((9, 9), dtype=bool)):
        got = edge_contrast(np.ones((9, 9)), mask, spacing_mm=MM)
        assert np.isnan(got)
        assert border_of(got) == ""
