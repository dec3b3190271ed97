"""Slices without reference, left out and counted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg_studies.errors.volumes import read_empty_slices


def scan(n_slices: int = 10, subject: str = "s"):
    image = SimpleNamespace(n_slices=lambda _plane: n_slices)
    named = {"dataset": "d", "sequence": "q", "site": "", "side": "", "visit": ""}
    return SimpleNamespace(**named, subject=subject, plane="axial", image=image)


def table(statuses: list[str], dices: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "data": "d",
            "segmenter": "m",
            "box_source": "b",
            "dataset": "d",
            "subject": "s",
            "sequence": "q",
            "site": "",
            "side": "",
            "visit": "",
            "tissue": "t",
            "label": 1,
            "status": statuses,
            "dice": dices,
        }
    )


def test_three_readings_of_one_set_of_masks():
    rows = table(["scored", "scored", "beyond_end", "both_empty"], [0.9, 0.7, 0.0, np.nan])
    (got,) = read_empty_slices(rows, {"d": [scan()]}, slice_steps={"d": 1}).to_dict("records")
    assert got["left_out"] == pytest.approx(0.8)
    assert got["invented_is_0"] == pytest.approx(1.6 / 3)
    assert got["nothing_is_1"] == pytest.approx((1.6 + 7) / 10)
    assert (got["n_scored"], got["n_invented"], got["n_nothing"]) == (2, 1, 7)


def test_a_missing_prediction_is_no_slice_on_which_rightly_nothing_was_found():
    rows = table(["missing"] * 4, [0.0] * 4)
    (got,) = read_empty_slices(rows, {"d": [scan()]}, slice_steps={"d": 1}).to_dict("records")
    assert got["left_out"] == 0
    assert (got["n_scored"], got["n_nothing"]) == (4, 6)


def test_what_is_too_small_for_a_box_is_not_empty():
    rows = table(["scored", "too_small"], [0.5, np.nan])
    (got,) = read_empty_slices(rows, {"d": [scan()]}, slice_steps={"d": 1}).to_dict("records")
    assert got["n_nothing"] == 8


def test_the_step_thins_the_slices_too():
    (got,) = read_empty_slices(
        table(["scored"], [0.5]), {"d": [scan(10)]}, slice_steps={"d": 3}
    ).to_dict("records")
    assert got["n_nothing"] == 3


def test_labels_of_one_name_are_structures_of_their_own():
    rows = table(["scored", "scored"], [0.5, 0.5]).assign(label=[1, 2])
    (got,) = read_empty_slices(rows, {"d": [scan(10)]}, slice_steps={"d": 1}).to_dict("records")
    assert (got["n_scored"], got["n_nothing"]) == (2, 18)
