"""The line around a mask has a length in millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg_studies.tissues import outline_mm


def test_outline_of_a_rectangle_is_its_sides_without_its_corners():
    mask = np.zeros((30, 40), bool)
    mask[5:15, 10:30] = True  # 10 rows of 2 mm, 20 columns of 0.5 mm
    sides = 2 * (9 * 2.0 + 19 * 0.5)
    corners = 4 * np.hypot(0.5 * 2.0, 0.5 * 0.5)
    assert outline_mm(mask, spacing_mm=(2.0, 0.5)) == pytest.approx(sides + corners)


def test_outline_of_a_ring_has_both_its_borders_and_the_edge_of_the_slice_counts():
    rows, columns = np.mgrid[:60, :60] - 29.5
    radius = np.hypot(rows, columns)
    ring = (radius <= 15) & ~(radius <= 8)
    found = outline_mm(ring, spacing_mm=(1.0, 1.0))
    assert found == pytest.approx(2 * np.pi * (15 + 8), rel=0.08)
    assert found > 2 * np.pi * (15 + 8)
    everything = np.ones((10, 10), bool)
    assert outline_mm(everything, spacing_mm=(1.0, 1.0)) == pytest.approx(4 * 9 + 4 * np.sqrt(0.5))


def test_nothing_has_no_outline():
    assert outline_mm(np.zeros((5, 5), bool), spacing_mm=(1.0, 1.0)) == 0
