"""Errors of size and contour on shapes whose form is known."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg_studies.errors.shapes import (
    contour_error_panels,
    contour_errors,
    jaggedness,
    resized,
    solidity,
)
from mskseg_studies.tissues import signed_distance_mm

MM = (1.0, 1.0)


def disc(radius: float, n: int = 100, wave: float = 0.0, lobes: int = 24) -> np.ndarray:
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    return np.hypot(x, y) < radius * (1 + wave * np.cos(lobes * np.arctan2(y, x)))


def test_a_disc_is_solid_and_a_cross_is_not():
    cross = np.zeros((90, 90), dtype=bool)
    cross[30:60], cross[:, 30:60] = True, True
    assert solidity(disc(30)) > 0.97
    assert solidity(cross) == pytest.approx(5 / 7, abs=0.02)  # hull: 9 squares less 4 halves


def test_only_the_largest_piece_counts():
    two = disc(30)
    two[0, 0] = True
    assert solidity(two) == solidity(disc(30))
    assert jaggedness(two, spacing_mm=MM) == jaggedness(disc(30), spacing_mm=MM)


def test_a_jagged_disc_has_a_longer_outline_than_a_smooth_one():
    smooth, jagged = disc(30), disc(30, wave=0.08)
    assert jaggedness(smooth, spacing_mm=MM) == pytest.approx(1, abs=0.03)
    assert jaggedness(jagged, spacing_mm=MM) > 1.15


@pytest.mark.parametrize("radius", [4, 6, 10, 20, 40])
def test_no_smooth_disc_is_jagged_whatever_its_size(radius):
    assert jaggedness(disc(radius), spacing_mm=MM) == pytest.approx(1.01, abs=0.02)


def test_jaggedness_is_of_the_world_not_of_the_pixels():
    jagged = disc(30, wave=0.08)
    stretched = jagged.repeat(2, axis=0)
    assert jaggedness(stretched, spacing_mm=(0.5, 1.0)) == pytest.approx(
        jaggedness(jagged, spacing_mm=MM), rel=0.06
    )


FINE_MM = 0.1
MARGIN = 0.02  # of the claims on jagged edges


@lru_cache
def ellipse(a: float, b: float, *, grown_mm: float = 0.0) -> np.ndarray:
    """A smooth ellipse of half axes a and b mm, grown (shrunk below 0) evenly; fine pixels."""
    n = round((max(a, b) + 8) / FINE_MM)
    y, x = np.mgrid[-n : n + 1, -n : n + 1] * FINE_MM
    along, across = x * np.cos(0.4) + y * np.sin(0.4), y * np.cos(0.4) - x * np.sin(0.4)
    drawn = (along / a) ** 2 + (across / b) ** 2 < 1
    return signed_distance_mm(drawn, np.array([FINE_MM, FINE_MM])) > -grown_mm


def sampled(fine: np.ndarray, spacing_mm: tuple[float, float], shift: tuple[float, float]):
    """What a scan with these pixels keeps of a fine mask, its grid shifted by parts of a pixel."""
    middle = fine.shape[0] // 2
    places = []
    for mm, part in zip(spacing_mm, shift, strict=True):
        n = int((middle * FINE_MM - 2 * mm) / mm)
        places.append(np.rint((np.arange(-n, n + 1) + part) * mm / FINE_MM).astype(int) + middle)
    return fine[np.ix_(*places)]


SHIFTS = np.random.default_rng(1).uniform(-0.5, 0.5, (6, 2)).tolist()


def mean_gain(reference: np.ndarray, prediction: np.ndarray, spacing_mm) -> float:
    gains = [
        contour_errors(
            sampled(reference, spacing_mm, shift),
            sampled(prediction, spacing_mm, shift),
            spacing_mm=spacing_mm,
        )["jaggedness_gain"]
        for shift in SHIFTS
    ]
    return float(np.mean(gains))


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (0.7, 0.7), (0.5, 1.0), (1.0, 1.0)])
@pytest.mark.parametrize("grown_mm", [-2, -1, 1, 2])
@pytest.mark.parametrize(("a", "b"), [(6, 6), (8, 8), (15, 15), (12, 8), (20, 6)], ids=str)
def test_too_small_or_too_large_alone_is_not_jagged(a, b, grown_mm, spacing_mm):
    gain = mean_gain(ellipse(a, b), ellipse(a, b, grown_mm=grown_mm), spacing_mm)
    assert abs(gain) < MARGIN / 2


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (1.0, 1.0)])
@pytest.mark.parametrize("radius", [8, 12, 20])
def test_a_jagged_outline_of_the_same_area_is_above_the_margin(radius, spacing_mm):
    n = round((radius + 8) / FINE_MM)
    y, x = np.mgrid[-n : n + 1, -n : n + 1] * FINE_MM
    lobes = round(2 * np.pi * radius / 5)  # a tooth each 5 mm
    edge = 1.0 * np.cos(lobes * np.arctan2(y, x))  # of 1 mm
    jagged = np.hypot(y, x) < radius + edge
    assert jagged.sum() == pytest.approx(ellipse(radius, radius).sum(), rel=0.02)
    assert mean_gain(ellipse(radius, radius), jagged, spacing_mm) > MARGIN


@pytest.mark.parametrize("n_pixels", [1500, 2821, 5000, 30000])
def test_a_mask_is_grown_or_shrunk_to_a_size_and_keeps_its_middle(n_pixels):
    got = resized(disc(30), n_pixels, spacing_mm=(1.0, 0.8))
    assert got.sum() == pytest.approx(n_pixels, abs=24)
    assert not got[0].any()
    assert np.argwhere(got).mean(axis=0) == pytest.approx((np.array(got.shape) - 1) / 2, abs=0.1)


@pytest.mark.parametrize("wave", [0.0, 0.03, 0.08])
def test_the_reference_itself_is_no_more_jagged_than_the_reference(wave):
    drawn = disc(30, wave=wave)
    got = contour_errors(drawn, drawn, spacing_mm=MM)["jaggedness_gain"]
    assert got == pytest.approx(0, abs=0.002)


def test_nothing_has_no_form():
    nothing = np.zeros((10, 10), dtype=bool)
    assert np.isnan(solidity(nothing))
    assert np.isnan(jaggedness(nothing, spacing_mm=MM))
    assert np.isnan(contour_errors(nothing, ~nothing, spacing_mm=MM)["jaggedness_gain"])


def test_a_filled_box_is_too_large_and_loses_the_concavity_of_a_crescent():
    crescent = disc(30) & ~np.roll(disc(30), 20, axis=1)
    filled = fill_boxes(boxes_from_mask(crescent, spacing_mm=MM), crescent.shape)
    errors = contour_errors(crescent, filled, spacing_mm=MM)
    assert errors["area_error"] > 0.5
    assert errors["solidity_gain"] == pytest.approx(1 - solidity(crescent), abs=0.02)


def test_a_sheet_that_the_blur_dissolves_has_no_jaggedness():
    sheet = np.zeros((60, 100), dtype=bool)
    sheet[30:34, 10:90] = True
    assert np.isnan(jaggedness(sheet, spacing_mm=(0.5, 0.5)))
    assert jaggedness(sheet, spacing_mm=(5.0, 5.0)) == pytest.approx(1, abs=0.05)


def test_forms_show_medians_and_write_down_what_is_beyond_the_axis():
    table = pd.DataFrame(
        {
            "data": "phantoms",
            "segmenter": "a",
            "group": ["bone", "bone", "cartilage"],
            "area_error": [0.1, 0.3, 9.0],
            "solidity_gain": 0.0,
            "jaggedness_gain": [0.1, 0.1, np.nan],
        }
    )
    axes = contour_error_panels(table)
    assert axes[0].lines[0].get_xdata().tolist() == pytest.approx([0.2, 9.0])
    assert [text.get_text().strip() for text in axes[0].texts] == ["9.0"]
    assert axes[0].get_xlim()[1] == 1.5
    both = contour_error_panels(pd.concat([table.assign(data="people", area_error=0.5), table]))
    names = [label.get_text() for label in both[0].get_yticklabels()]
    assert names[:3] == ["bone\npeople", "cartilage\npeople", "bone\nphantoms"]
