"""Dots of models side by side, and their outlines on one slice."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies import specialists

MEANS = pd.DataFrame(
    {
        "arm": ["inside", "outside", "inside"],
        "model": ["SAM", "SAM", "U-Net"],
        "dice": [0.7, 0.6, 0.9],
        "dice_sd": [0.1, float("nan"), 0.0],
    }
)


def test_a_dot_for_each_row_in_the_row_of_its_group():
    ax = specialists.dot_rows(MEANS, row="arm", series="model", spread="dice_sd", title="A finding")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["inside", "outside"]
    sam, unet = (container.lines[0] for container in ax.containers)
    assert list(sam.get_xdata()) == [0.7, 0.6]
    assert list(unet.get_xdata()) == [0.9]
    assert sam.get_marker() != unet.get_marker()
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first group stands on top"
    plt.close(ax.figure)


def test_a_committed_curve_is_drawn_beside_that_of_the_run(tmp_path):
    lines = "mskseg: epoch 1 of 1, loss 0.5, pseudo Dice 0.1, rate 0.003, 2.0 s\n"
    (tmp_path / "log.txt").write_text(lines, encoding="utf-8")
    config = specialists.NnunetConfig.short(length=(1, 25), patch=(64, 64), features=4)
    run = specialists.NnunetRun(tmp_path, config, None)
    committed = pd.DataFrame(
        {"model": "long", "iterations": [50, 5000], "validation_dice": [0.2, 0.8], "dataset": "leg"}
    )
    ax = specialists.curve_chart([run], committed)
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.1], [0.2, 0.8]]
    assert list(ax.lines[0].get_xdata()) == [25]
    assert ax.lines[1].get_label() == "long, leg"
    assert ax.get_title(loc="left").endswith("0 of 1")
    assert ax.get_xscale() == "log"
    plt.close(ax.figure)


def test_without_any_curve_the_chart_is_empty():
    ax = specialists.curve_chart([], pd.DataFrame({"file": []}))
    assert not ax.lines
    plt.close(ax.figure)


def test_a_table_without_the_column_is_refused():
    with pytest.raises(InputError, match="lacks \\['iou'\\]"):
        specialists.dot_rows(MEANS, row="arm", series="model", value="iou")
