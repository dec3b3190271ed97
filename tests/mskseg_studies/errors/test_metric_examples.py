"""The worked examples show what the notebook says of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mskseg_studies.errors.metric_examples import (
    means_with_one_lost,
    stray_chart,
    stray_scores,
)


def test_hd95_does_not_see_a_small_stray_piece_and_then_sees_nothing_else():
    table = stray_scores(range(13)).set_index("stray_px")
    assert table.loc[1, "hd95_mm"] == 0
    assert table.loc[1, "hausdorff_mm"] > 90
    assert table.loc[144, "hd95_mm"] > 90
    assert table["dice"].min() > 0.95
    assert (np.diff(table["surface_dice"]) < 0).all()


def test_without_a_stray_piece_all_is_perfect():
    (row,) = stray_scores([0]).to_dict("records")
    assert (row["dice"], row["surface_dice"], row["hausdorff_mm"]) == (1, 1, 0)


def test_one_lost_slice_is_a_zero_and_an_infinity():
    good = pd.DataFrame({"dice": [1.0] * 9, "hd95_mm": [0.5] * 9})
    got = means_with_one_lost(good)
    assert got.loc["mean", "dice"] == 0.9
    assert got.loc["mean", "hd95_mm"] == np.inf
    assert got.loc["mean of the finite", "hd95_mm"] == 0.5
    assert (got.loc["median", "hd95_mm"], got.loc["infinite ones", "hd95_mm"]) == (0.5, 1)
    assert got.loc["infinite ones", "dice"] == 0


def test_the_stray_chart_has_a_line_for_each_distance():
    axes = stray_chart(stray_scores(range(3)), drawn_px=2)
    labels = [line.get_label() for line in axes[1].lines]
    assert labels == ["largest distance", "HD95", "mean distance"]
