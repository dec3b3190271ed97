"""The map of gains, and the plot that grows with a training."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies.tuning import charts
from mskseg_studies.tuning.charts import TrainingPlot, gain_map


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def cross():
    cells = [
        ("thigh", "a", "t1w", "test", "same site", 0.1, 0.05, 0.15),
        ("thigh", "b", "t1w", "test", "other anatomy", -0.04, -0.1, 0.02),
        ("knee", "a", "t1w", "inference", "other anatomy", 0.0, np.nan, np.nan),
        ("knee", "b", "t2w", "test", "other sequence", 0.02, 0.01, 0.03),
    ]
    names = [
        "training_subset",
        "evaluated_on",
        "sequence",
        "part",
        "role",
        "gain",
        "gain_low",
        "gain_high",
    ]
    return pd.DataFrame(cells, columns=names)


def test_every_cell_says_its_gain_and_whether_it_is_sure():
    texts = {text.get_text() for text in gain_map(cross()).texts}
    assert texts == {"+0.100*", "-0.040", "+0.000", "+0.020*"}


def test_only_other_people_of_the_trained_data_are_framed():
    ax = gain_map(cross(), title="x")
    assert len([p for p in ax.patches if not p.get_fill()]) == 1
    assert [t.get_text() for t in ax.get_yticklabels()] == ["thigh", "knee"]
    assert ax.get_title(loc="left") == "x"


def test_an_empty_table_is_refused():
    with pytest.raises(InputError, match="with a row or more, got none"):
        gain_map(cross().iloc[:0])


def test_the_plot_grows_and_marks_the_best_epoch(monkeypatch):
    shown = []
    plot = TrainingPlot()
    handle = SimpleNamespace(update=lambda figure: shown.append("update"))

    def display(figure, *, display_id):
        shown.append("display")
        return handle

    monkeypatch.setattr(charts.display, "display", display)
    history = pd.DataFrame(
        {"epoch": [0, 1, 2], "loss": [1.0, 0.7, 0.6], "validation_dice": [0.5, 0.7, 0.6]}
    )
    for n in (1, 2, 3):
        plot(history.iloc[:n])
    assert shown == ["display", "update", "update"]
    dice = plot.figure.axes[1]
    assert list(dice.lines[0].get_ydata()) == [0.5, 0.7, 0.6]
    assert dice.get_title(loc="left") == "best: 0.700 after epoch 1"
