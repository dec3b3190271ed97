"""Errors of size and contour on shapes whose form is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg_studies.errors.contour_errors import (
    contour_error_panels,
    contour_errors,
    roughness,
    solidity,
)

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
    assert roughness(two, spacing_mm=MM) == roughness(disc(30), spacing_mm=MM)


def test_a_jagged_disc_is_rougher_than_a_smooth_one():
    smooth, jagged = disc(30), disc(30, wave=0.08)
    assert roughness(smooth, spacing_mm=MM) == pytest.approx(1, abs=0.05)
    assert roughness(jagged, spacing_mm=MM) > 1.15


def test_roughness_is_of_the_world_not_of_the_pixels():
    jagged = disc(30, wave=0.08)
    stretched = jagged.repeat(2, axis=0)
    assert roughness(stretched, spacing_mm=(0.5, 1.0)) == pytest.approx(
        roughness(jagged, spacing_mm=MM), rel=0.06
    )


def test_nothing_has_no_form():
    nothing = np.zeros((10, 10), dtype=bool)
    assert np.isnan(solidity(nothing))
    assert np.isnan(roughness(nothing, spacing_mm=MM))


def test_a_filled_box_is_too_large_and_loses_the_concavity_of_a_crescent():
    crescent = disc(30) & ~np.roll(disc(30), 20, axis=1)
    filled = fill_boxes(boxes_from_mask(crescent, spacing_mm=MM), crescent.shape)
    errors = contour_errors(crescent, filled, spacing_mm=MM)
    assert errors["area_error"] > 0.5
    assert errors["solidity_gain"] == pytest.approx(1 - solidity(crescent), abs=0.02)


def test_a_sheet_that_the_blur_wipes_out_has_no_roughness():
    sheet = np.zeros((60, 100), dtype=bool)
    sheet[30:34, 10:90] = True
    assert np.isnan(roughness(sheet, spacing_mm=(0.5, 0.5)))
    assert roughness(sheet, spacing_mm=(5.0, 5.0)) == pytest.approx(1, abs=0.05)


def test_forms_show_medians_and_write_down_what_is_beyond_the_axis():
    table = pd.DataFrame(
        {
            "segmenter": "a",
            "group": ["bone", "bone", "cartilage"],
            "area_error": [0.1, 0.3, 9.0],
            "solidity_gain": 0.0,
            "roughness_gain": [0.1, 0.1, np.nan],
        }
    )
    axes = contour_error_panels(table)
    assert axes[0].lines[0].get_xdata().tolist() == pytest.approx([0.2, 9.0])
    assert [text.get_text().strip() for text in axes[0].texts] == ["9.0"]
    assert axes[0].get_xlim()[1] == 1.5
