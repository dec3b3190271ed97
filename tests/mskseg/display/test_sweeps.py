"""Charts of sweeps: what is drawn is what the table says, and nothing overlaps."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg import display
from mskseg.errors import InputError


@pytest.fixture(autouse=True)
def headless():
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
        plt.close("all")


@pytest.fixture
def sizes():
    return pd.DataFrame(
        {
            "size": [512, 56, 128, 64, 512],
            "way": ["coarse", "coarse", "coarse", "frame", "frame"],
            "dice": [0.9, 0.5, 0.7, 0.4, 0.8],
            "sd": [0.1, 0.1, np.nan, 0.1, 0.1],
        }
    )


def test_a_line_for_each_series_from_left_to_right(sizes):
    ax = display.sweep_chart(sizes, x="size", series="way", spread="sd", level=("box", 0.75))
    lines = {c.get_label(): c.lines[0].get_xydata().tolist() for c in ax.containers}
    assert lines["coarse"] == [[56, 0.5], [128, 0.7], [512, 0.9]]
    assert lines["frame"] == [[64, 0.4], [512, 0.8]]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(named) == {"coarse", "frame", "box"}
    assert ax.get_ylim() == (0, 1)


def test_series_differ_in_marker_and_line_and_not_in_colour_alone(sizes):
    ax = display.sweep_chart(sizes, x="size", series="way")
    drawn = [container.lines[0] for container in ax.containers]
    assert len({line.get_marker() for line in drawn}) == 2
    assert len({line.get_linestyle() for line in drawn}) == 2


@pytest.mark.parametrize(("scale", "apart"), [("log", True), ("linear", False)])
def test_labels_of_near_sizes_do_not_overlap_on_a_logarithmic_axis(sizes, scale, apart):
    ax = display.sweep_chart(sizes, x="size", series="way", x_scale=scale)
    ax.figure.canvas.draw()
    labels = [label for label in ax.get_xticklabels() if label.get_text()]
    assert [label.get_text() for label in labels] == ["56", "64", "128", "512"]
    boxes = [label.get_window_extent() for label in labels]
    clear = [a.x1 < b.x0 for a, b in pairwise(boxes)]
    assert all(clear) == apart


def test_bars_are_ranked_and_numbered_to_three_decimals():
    means = pd.DataFrame({"phase": ["water", "fat", "average"], "dice": [0.8694, 0.8741, 0.8712]})
    ax = display.ranked_bars(means, name="phase", title="t")
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["water", "average", "fat"]
    assert [text.get_text() for text in ax.texts] == ["0.869", "0.871", "0.874"]
    assert max(bar.get_y() for bar in ax.patches) == ax.patches[-1].get_y()  # the best on top


def test_numbers_of_bars_stay_inside_the_axes():
    ax = display.ranked_bars(pd.DataFrame({"phase": ["a"], "dice": [1.0]}), name="phase")
    ax.figure.canvas.draw()
    assert ax.texts[0].get_window_extent().x1 <= ax.get_window_extent().x1


def test_agreement_is_written_into_its_cells_and_a_missing_one_is_a_dash():
    names = ["water", "fat"]
    table = pd.DataFrame([[1.0, 0.25], [np.nan, 1.0]], index=names, columns=names)
    axes = display.agreement_chart({"leg": table, "knee": table * 0.5}, title="both")
    assert [ax.get_title() for ax in axes] == ["leg", "knee"]
    assert [text.get_text() for text in axes[0].texts] == ["1.00", "0.25", "-", "1.00"]
    colours = [text.get_color() for text in axes[0].texts]
    assert colours[:2] == ["black", "white"]  # readable on bright and on dark cells
    assert [label.get_text() for label in axes[0].get_yticklabels()] == names


def test_seconds_of_three_ways_with_the_dearest_on_top():
    table = pd.DataFrame(
        {
            "tissue": ["femur", "meniscus"],
            "drawing_s": [20.0, 9.0],
            "clicking_s": [4.0, 16.0],
            "boxing_s": [3.0, 12.0],
        }
    )
    ax = display.seconds_chart(table)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["meniscus", "femur"]
    found = {each.get_label(): each.get_offsets()[:, 0].tolist() for each in ax.collections}
    assert found == {"drawing": [9, 20], "clicks": [16, 4], "boxes": [12, 3]}
    assert ax.get_xlim()[0] == 0


def test_charts_can_be_drawn_into_given_axes(sizes):
    figure, axes = plt.subplots(1, 3)
    table = pd.DataFrame(
        {"tissue": ["a"], "drawing_s": [1.0], "clicking_s": [1.0], "boxing_s": [1.0]}
    )
    assert display.sweep_chart(sizes, x="size", series="way", ax=axes[0]) is axes[0]
    assert display.ranked_bars(sizes, name="way", ax=axes[1]) is axes[1]
    assert display.seconds_chart(table, ax=axes[2]) is axes[2]
    assert len(figure.axes) == 3


@pytest.mark.parametrize(
    "draw",
    [
        lambda table: display.sweep_chart(table, x="size", series="other"),
        lambda table: display.sweep_chart(table.iloc[:0], x="size", series="way"),
        lambda table: display.ranked_bars(table, name="other"),
        lambda table: display.ranked_bars(table.iloc[:0], name="way"),
        lambda table: display.seconds_chart(table),
    ],
)
def test_a_table_that_lacks_something_is_refused(sizes, draw):
    with pytest.raises(InputError, match=r"the table has \d rows and lacks"):
        draw(sizes)


def test_agreement_of_nothing_is_refused():
    with pytest.raises(InputError, match="no table of agreement came"):
        display.agreement_chart({})
