"""The worked examples show what the notebook says of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mskseg_studies.errors.metric_examples import average_readings, one_lost, stray_components


def test_hd95_does_not_see_a_small_stray_piece_and_then_sees_nothing_else():
    table = stray_components(range(13)).set_index("stray_px")
    assert table.loc[1, "hd95_mm"] == 0
    assert table.loc[1, "hausdorff_mm"] > 90
    assert table.loc[144, "hd95_mm"] > 90
    assert table["dice"].min() > 0.95
    assert (np.diff(table["surface_dice"]) < 0).all()


def test_without_a_stray_piece_all_is_perfect():
    (row,) = stray_components([0]).to_dict("records")
    assert (row["dice"], row["surface_dice"], row["hausdorff_mm"]) == (1, 1, 0)


def test_a_mean_of_the_finite_hides_a_failure_and_a_mean_does_not():
    got = average_readings([1.0, 3.0, np.inf])
    assert got["mean"] == np.inf
    assert got["mean of the finite"] == 2
    assert (got["median"], got["infinite"]) == (3, 1)


def test_one_lost_slice_is_a_zero_and_an_infinity():
    good = pd.DataFrame({"dice": [1.0] * 9, "hd95_mm": [0.5] * 9})
    got = one_lost(good)
    assert got.loc["mean", "dice"] == 0.9
    assert got.loc["mean", "hd95_mm"] == np.inf
    assert got.loc["mean of the finite", "hd95_mm"] == 0.5
