"""The committed run of the chapter: shown with whose weights it is of, or said to be missing."""

from __future__ import annotations

import pandas as pd
import pytest

from mskseg.evaluation.tables import write_table
from mskseg_studies.tuning.gains import NONE, committed_curve, longer_run


def of(sha256):
    return {"segmenter": {"name": "their_sam", "sha256": sha256}, "written": "2026-11-21T00:00:00"}


def test_no_committed_run_is_said(tmp_path):
    assert longer_run(tmp_path, "cross_table", provenance=of("a" * 64)) == NONE


def test_a_committed_run_stands_by_itself_under_its_weights(tmp_path):
    cross = pd.DataFrame(
        {"training_subset": "legs", "role": ["same site", "same site", "other anatomy"],
         "mode": "full", "n_train": 12, "gain": [0.1, 0.3, -0.05]}
    )  # fmt: skip
    write_table(cross, tmp_path / "04_cross_table.csv", provenance=of("b" * 64))
    shown = longer_run(tmp_path, "cross_table", provenance=of("b" * 64))
    assert "04_cross_table.csv: their_sam, weights bbbbbbbb, of 2026-11-21" in shown
    assert "not to be mixed" not in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["04_cross_table.csv", "legs", "full", "12", "0.2", "-0.05"] in lines
    other = longer_run(tmp_path, "cross_table", provenance=of("c" * 64))
    assert "of other weights than this run (their_sam cccccccc)" in other


def test_the_curve_of_committed_runs_begins_with_each_model_untuned(tmp_path):
    assert committed_curve(tmp_path).empty
    for data, untuned in (("legs", 0.5), ("drawn_legs", 0.7)):  # of one model: no mean of both
        cross = pd.DataFrame(
            {"role": ["same site"], "dice_zero_shot": [untuned], "n_subjects": [1]}
        )
        sizes = pd.DataFrame(
            {"dataset": data, "role": "same site", "subject": "p", "n_subjects": [1, 1, 6],
             "seed": [0, 1, 0], "dice": [0.6, 0.8, untuned + 0.2]}
        )  # fmt: skip
        for table, rows in (("cross_table", cross), ("training_size", sizes)):
            write_table(rows, tmp_path / f"04_{table}_{data}.csv", provenance=of("b" * 64))
    curve = committed_curve(tmp_path)
    of_data = ["their_sam on drawn_legs"] * 3 + ["their_sam on legs"] * 3
    assert curve["model"].tolist() == of_data
    assert curve["n_subjects"].tolist() == [0, 1, 6] * 2
    assert curve["mean"].tolist() == pytest.approx([0.7, 0.7, 0.9, 0.5, 0.7, 0.7])
