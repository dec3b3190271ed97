from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline

from mskseg_phantom.drawing.fields import PlaneGrid, RandomField, spline_weights
from mskseg_phantom.drawing.solids import distance_to_tube

EXTENT = (128.0, 128.0, 64.0)


def grid(n: int) -> PlaneGrid:
    axis = np.linspace(-60, 60, n, dtype=np.float32)
    return PlaneGrid(axis, axis)


def test_distance_to_a_disc_and_to_a_segment() -> None:
    u, v = np.float32([0, 3, 10]), np.float32([0, 4, 0])
    disc = distance_to_tube(u, v, np.float32([[0, 0]]), 2.0)
    np.testing.assert_allclose(disc, [-2, 3, 8], atol=1e-5)
    segment = distance_to_tube(u, v, np.float32([[-5, 0], [5, 0]]), 1.0)
    np.testing.assert_allclose(segment, [-1, 3, 4], atol=1e-5)


def test_a_negative_radius_makes_an_empty_tube() -> None:
    distance = distance_to_tube(
        np.float32([0.0]), np.float32([0.0]), np.float32([[0, 0], [1, 1]]), -4
    )
    assert distance[0] == 4


def test_spline_weights_add_up_to_one_between_the_knots() -> None:
    weights = spline_weights(np.linspace(0, 9, 37, dtype=np.float32), 8)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_a_spline_agrees_with_scipy() -> None:
    knots = np.random.default_rng(0).standard_normal(9).astype(np.float32)
    positions = np.linspace(1, 7, 25, dtype=np.float32)
    ours = spline_weights(positions, 9) @ knots
    theirs = BSpline(np.arange(-2, 11), knots, 3)(positions)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_field_has_unit_spread_and_no_bias() -> None:
    field = RandomField(np.random.default_rng(1), EXTENT, pitch_mm=(3.0, 5.0))
    planes = np.stack([field.plane(grid(80), z) for z in (-20.0, -7.0, 7.0, 20.0)])
    assert abs(planes.mean()) < 0.1
    assert planes.std() == pytest.approx(1, abs=0.12)


def test_a_field_is_the_same_function_at_every_resolution() -> None:
    field = RandomField(np.random.default_rng(2), EXTENT, pitch_mm=(8.0, 8.0))
    coarse, fine = field.plane(grid(31), 3.0), field.plane(grid(61), 3.0)
    np.testing.assert_allclose(coarse, fine[::2, ::2], atol=1e-5)


def test_streaks_are_longer_than_wide() -> None:
    field = RandomField(np.random.default_rng(3), EXTENT, pitch_mm=(2.0, 8.0), stretch=6, angle=0.0)
    values = field.plane(grid(121), 0.0)
    along, across = (np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1))
    assert along < 0.5 * across
