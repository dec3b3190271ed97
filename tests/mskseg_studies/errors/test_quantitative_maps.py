"""Maps have units, and say where they have no value."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.volume import Volume
from mskseg_studies.errors.biomarkers import (
    fat_fraction,
    fat_maps,
    load_maps,
    mean_inside,
    t2_maps,
    two_point_readings,
)


def case(sequence: str, values: np.ndarray) -> Case:
    return Case(subject="a", image=Volume(values, np.eye(4)), sequence=sequence, dataset="d")


def test_maps_are_in_milliseconds_and_points_and_know_where_they_have_no_value():
    tenths = np.full((4, 6, 5), 300, dtype=np.int16)
    tenths[0, 0, 0] = 0
    t2 = t2_maps([case("t2_map", tenths)])["T2", "d", "a"].array
    assert np.isnan(t2[0, 0, 0])
    assert t2[1, 1, 1] == pytest.approx(30)
    shape = (4, 6, 5)
    pair = [case("dixon_water", np.full(shape, 3.0)), case("dixon_fat", np.full(shape, 1.0))]
    assert fat_maps(pair)["fat fraction", "d", "a"].array[1, 1, 1] == pytest.approx(25)


def test_no_data_set_no_maps():
    assert load_maps([]) == {}


def test_fat_fraction_is_fat_over_both_and_unknown_without_signal():
    got = fat_fraction([3.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    np.testing.assert_equal(got, [0.25, np.nan, 0.0])


def test_the_mean_leaves_out_what_has_no_value():
    values = np.array([[1.0, np.nan], [3.0, 100.0]])
    assert mean_inside(values, np.array([[1, 1], [1, 0]], dtype=bool)) == 2
    assert math.isnan(mean_inside(values, np.array([[0, 1], [0, 0]], dtype=bool)))


def test_a_two_point_dixon_reads_fat_in_pure_muscle_and_too_little_in_fatty_muscle():
    readings = two_point_readings([0, 10, 20])
    assert readings.loc[0].to_dict() == pytest.approx({"1.5T": 3.1, "3T": 1.7}, abs=0.1)
    decayed = {"1.5T": (2.3, 35.0), "3T": (1.15, 32.0)}  # ms between the echoes, T2
    for field, (ms, t2) in decayed.items():
        left = math.exp(-ms / t2)  # of the first echo's water in the second
        assert readings.loc[0, field] == pytest.approx(50 * (1 - left), rel=0.02)
        lost = readings.index.to_numpy()[1:] - readings[field].to_numpy()[1:]
        assert ((lost > 1.5) & (lost < 3.5)).all()
