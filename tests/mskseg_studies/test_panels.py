"""Charts that rooms share: sweeps, and masks of one slice side by side."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg.case import CaseSlice
from mskseg.errors import InputError
from mskseg_studies import panels


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
    ax = panels.sweep_chart(sizes, x="size", series="way", spread="sd", level=("box", 0.75))
    lines = {c.get_label(): c.lines[0].get_xydata().tolist() for c in ax.containers}
    assert lines["coarse"] == [[56, 0.5], [128, 0.7], [512, 0.9]]
    assert lines["frame"] == [[64, 0.4], [512, 0.8]]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(named) == {"coarse", "frame", "box"}
    assert ax.get_ylim() == (0, 1)


def test_series_differ_in_marker_and_line_and_not_in_colour_alone(sizes):
    ax = panels.sweep_chart(sizes, x="size", series="way")
    drawn = [container.lines[0] for container in ax.containers]
    assert len({line.get_marker() for line in drawn}) == 2
    assert len({line.get_linestyle() for line in drawn}) == 2


@pytest.mark.parametrize(("scale", "apart"), [("log", True), ("linear", False)])
def test_labels_of_near_sizes_do_not_overlap_on_a_logarithmic_axis(sizes, scale, apart):
    ax = panels.sweep_chart(sizes, x="size", series="way", x_scale=scale)
    ax.figure.canvas.draw()
    labels = [label for label in ax.get_xticklabels() if label.get_text()]
    assert [label.get_text() for label in labels] == ["56", "64", "128", "512"]
    boxes = [label.get_window_extent() for label in labels]
    clear = [a.x1 < b.x0 for a, b in pairwise(boxes)]
    assert all(clear) == apart


def test_a_sweep_can_be_drawn_into_given_axes(sizes):
    figure, axes = plt.subplots(1, 2)
    assert panels.sweep_chart(sizes, x="size", series="way", ax=axes[0]) is axes[0]
    assert len(figure.axes) == 2


@pytest.mark.parametrize(("rows", "series"), [(5, "other"), (0, "way")])
def test_a_table_that_lacks_something_is_refused(sizes, rows, series):
    with pytest.raises(InputError, match=r"the table has \d rows and lacks"):
        panels.sweep_chart(sizes.iloc[:rows], x="size", series=series)


def test_every_answer_stands_on_the_slice_with_its_click():
    case_slice = CaseSlice(np.zeros((12, 20), np.uint8), None, (1.0, 1.0), "axial", 0)
    masks = np.zeros((2, 12, 20), dtype=bool)
    masks[0, 4:6, 4:6] = masks[1, 1:11, 1:19] = True
    axes = panels.masks_beside(case_slice, masks, titles=["a", "b"], point=(5.0, 5.0))
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    for ax in axes:
        drawn = [tuple(place) for each in ax.collections for place in each.get_offsets()]
        assert (5.0, 5.0) in drawn
