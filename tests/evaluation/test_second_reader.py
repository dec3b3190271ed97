"""The second reader draws the same thing, elsewhere by about what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mskseg.errors import InputError
from mskseg.evaluation.metrics import assd_mm, dice
from mskseg.evaluation.second_reader import second_reading

MM = (1.0, 1.0)


@pytest.fixture
def square():
    mask = np.zeros((120, 120), dtype=bool)
    mask[30:90, 30:90] = True
    return mask


def readings(mask, sigma_mm, n=20, spacing_mm=MM):
    rng = np.random.default_rng(0)
    return [
        second_reading(mask, spacing_mm=spacing_mm, sigma_mm=sigma_mm, rng=rng) for _ in range(n)
    ]


def test_a_sure_reader_draws_the_same(square):
    assert np.array_equal(readings(square, 0.0, n=1)[0], square)


def test_the_outline_moves_by_the_sigma_that_was_asked_for(square):
    found = [assd_mm(square, each, spacing_mm=MM) for each in readings(square, 2.0)]
    assert np.mean(found) == pytest.approx(2.0 * np.sqrt(2 / np.pi), rel=0.2)  # mean of |normal|


def test_both_directions_are_as_likely(square):
    sizes = [each.sum() / square.sum() for each in readings(square, 1.5, n=40)]
    assert np.mean(sizes) == pytest.approx(1, abs=0.03)


def test_thin_tissue_has_a_lower_ceiling_than_thick(square):
    thin = np.zeros_like(square)
    thin[58:61, 20:100] = True
    ceilings = {
        name: np.mean([dice(mask, each) for each in readings(mask, 0.7)])
        for name, mask in (("thick", square), ("thin", thin))
    }
    assert ceilings["thick"] > 0.95
    assert ceilings["thin"] < ceilings["thick"] - 0.1


def test_sigma_is_in_millimetres_along_both_axes(square):
    tall = square.repeat(2, axis=0)
    moved = readings(tall, 2.0, n=12, spacing_mm=(0.5, 1.0))
    assert np.mean([assd_mm(tall, each, spacing_mm=(0.5, 1.0)) for each in moved]) == pytest.approx(
        2.0 * np.sqrt(2 / np.pi), rel=0.25
    )


def test_neighbours_on_the_outline_move_together(square):
    other = readings(square, 2.0, n=1)[0]
    _, pieces = ndimage.label(other ^ square)
    assert pieces < 40  # not salt and pepper along 240 pixels of outline


@pytest.mark.parametrize(("sigma_mm", "correlation_mm"), [(-1.0, 5.0), (float("nan"), 5.0), (1, 0)])
def test_impossible_lengths_are_refused(square, sigma_mm, correlation_mm):
    with pytest.raises(InputError, match="sigma_mm is"):
        second_reading(
            square,
            spacing_mm=MM,
            sigma_mm=sigma_mm,
            correlation_mm=correlation_mm,
            rng=np.random.default_rng(0),
        )
