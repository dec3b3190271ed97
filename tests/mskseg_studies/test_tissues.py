"""Size, width, shape and contrast of drawn masks whose values are known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from support.drawn_cases import strip_case

from mskseg.errors import InputError
from mskseg_studies.people import describe_scans
from mskseg_studies.tissues import (
    contrast,
    shape_of,
    thickness_mm,
    tissue_means,
    tissue_properties,
)

SQUARE_MM = (1.0, 1.0)


def strip(width: int) -> np.ndarray:
    mask = np.zeros((60, 400), dtype=bool)
    mask[20 : 20 + width, 10:390] = True
    return mask


def ring(radius: float, hole: float, n: int = 80) -> np.ndarray:
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    distance = np.hypot(x, y)
    return (distance < radius) & (distance >= hole)


# width


@pytest.mark.parametrize("width", [1, 3, 8, 20])
def test_a_strip_is_as_wide_as_it_was_drawn(width):
    assert thickness_mm(strip(width), spacing_mm=SQUARE_MM) == pytest.approx(width, rel=0.06)


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (0.7, 0.7), (1.0, 1.0)])
@pytest.mark.parametrize("width_px", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("closed", [False, True])
def test_a_curved_strip_is_as_wide_as_a_straight_one(width_px, spacing_mm, closed):
    radius_mm, width_mm = 20.0, width_px * spacing_mm[0]
    found = []
    for shift in np.random.default_rng(0).uniform(-0.5, 0.5, (4, 2)):
        y, x = (
            (np.arange(-n, n + 1) + part) * mm
            for part, mm in zip(shift, spacing_mm, strict=True)
            for n in [int(26 / mm)]
        )
        near = np.abs(np.hypot(y[:, None], x) - radius_mm) < width_mm / 2
        arc = near & (closed | (np.abs(np.arctan2(y[:, None], x)) < 1.25))
        found.append(thickness_mm(arc, spacing_mm=spacing_mm))
    # The ends of an open strip are border too: a third of the width over the length is lost.
    exact = width_mm if closed else width_mm * (1 - width_mm / (3 * 2.5 * radius_mm))
    assert np.mean(found) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("n", [1, 2, 9, 60])
def test_pixels_that_touch_at_their_corners_have_a_width_and_a_shape(n):
    diagonal = np.pad(np.eye(n, dtype=bool), 2)
    width = thickness_mm(diagonal, spacing_mm=(0.5, 0.5))
    assert width == pytest.approx(0.5 * np.sqrt(0.5), rel=0.07)
    assert shape_of(diagonal, spacing_mm=(0.5, 0.5)) == ("thin" if n > 4 else "compact")


@pytest.mark.parametrize("radius", [5, 12, 30])
def test_a_disc_and_a_square_have_the_width_of_the_formula(radius):
    square = np.zeros((90, 90), dtype=bool)
    square[10 : 10 + 2 * radius, 10 : 10 + 2 * radius] = True
    assert thickness_mm(ring(radius, 0), spacing_mm=SQUARE_MM) == pytest.approx(
        4 / 3 * radius, rel=0.07
    )
    assert thickness_mm(square, spacing_mm=SQUARE_MM) == pytest.approx(4 / 3 * radius, rel=0.04)


def test_width_is_in_millimetres_along_the_axis_that_is_thin():
    wide_rows = thickness_mm(strip(4), spacing_mm=(2.5, 1.0))
    wide_columns = thickness_mm(strip(4), spacing_mm=(1.0, 2.5))
    assert wide_rows == pytest.approx(10, rel=0.1)
    assert wide_columns == pytest.approx(4, rel=0.1)


def test_a_disc_is_given_two_thirds_of_its_diameter():
    assert thickness_mm(ring(30, 0), spacing_mm=SQUARE_MM) == pytest.approx(40, rel=0.05)


def test_an_empty_mask_has_no_width():
    assert math.isnan(thickness_mm(np.zeros((4, 4), dtype=bool), spacing_mm=SQUARE_MM))


def test_a_volume_is_refused():
    with pytest.raises(InputError, match=r"of shape \(H, W\), got \(2, 3, 4\)"):
        thickness_mm(np.ones((2, 3, 4), dtype=bool), spacing_mm=SQUARE_MM)


# shape


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (ring(20, 0), "compact"),
        (strip(3), "thin"),
        (ring(30, 22), "ring"),
        (strip(20)[:, :70], "compact"),
    ],
)
def test_discs_strips_and_rings_are_named(mask, expected):
    assert shape_of(mask, spacing_mm=SQUARE_MM) == expected


def test_the_largest_piece_names_the_shape():
    mask = strip(3)
    mask[40:50, 10:20] = True
    assert shape_of(mask, spacing_mm=SQUARE_MM) == "thin"


def test_nothing_has_no_shape():
    with pytest.raises(InputError, match="an empty mask has no shape"):
        shape_of(np.zeros((4, 4), dtype=bool), spacing_mm=SQUARE_MM)


# contrast


def noisy(mask: np.ndarray, step: float) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 10, mask.shape) + step * mask


@pytest.mark.parametrize("step", [-20.0, 0.0, 35.0])
def test_contrast_is_the_step_in_standard_deviations(step):
    mask = strip(20)
    got = contrast(noisy(mask, step), mask, spacing_mm=SQUARE_MM)
    assert got == pytest.approx(step / 10, abs=0.12)


def test_contrast_sees_only_what_is_near_the_border():
    mask = strip(20)
    image = noisy(mask, 30)
    far = np.zeros_like(mask)
    far[:10], far[50:] = True, True
    changed = np.where(far, 900.0, image)
    got = contrast(changed, mask, spacing_mm=SQUARE_MM)
    assert got == contrast(image, mask, spacing_mm=SQUARE_MM)


def test_what_fills_the_slice_has_no_surroundings():
    assert math.isnan(contrast(np.ones((5, 5)), np.ones((5, 5), dtype=bool), spacing_mm=SQUARE_MM))


# tables


def test_every_tissue_of_every_slice_has_a_row_with_its_area():
    table = tissue_properties([strip_case("a", 4)])
    assert table.groupby("tissue")["slice"].count().to_dict() == {"square": 1, "strip": 3}
    assert table.query("tissue == 'strip'")["area_mm2"].tolist() == [4 * 380.0] * 3
    assert table.query("tissue == 'square'")["filled_box_dice"].tolist() == [1.0]


def test_a_mean_goes_over_slices_first_and_then_over_subjects():
    many, few = strip_case("a", 4), strip_case("b", 12)
    table = tissue_properties([many, few])
    uneven = table[~((table["subject"] == "b") & (table["slice"] > 0))]
    means = tissue_means(uneven).set_index("tissue")
    assert means.loc["strip", "area_mm2"] == pytest.approx(8 * 380.0)  # not weighted by slices
    assert means.loc["strip", "n_subjects"] == 2
    assert means.loc["strip", "n_slices"] == 4


def test_infinite_contrast_does_not_swallow_a_mean():
    table = tissue_properties([strip_case("a", 4)])
    table.loc[table.index[0], "contrast"] = np.inf
    assert np.isfinite(tissue_means(table)["contrast"]).all()


def test_a_table_of_something_else_is_refused():
    with pytest.raises(InputError, match=r"0 rows without .*area_mm2"):
        tissue_means(pd.DataFrame({"dataset": [], "tissue": []}))
    with pytest.raises(InputError, match="expected one case or more to measure"):
        tissue_properties([])


def test_scans_are_listed_with_what_has_to_be_checked():
    row = describe_scans([strip_case("a", 4)]).iloc[0]
    assert row["shape"] == "400 x 60 x 3"
    assert row["spacing_mm"] == "1 x 1 x 5"
    assert (row["orientation"], row["plane"]) == ("RAS", "axial")
