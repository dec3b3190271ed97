"""Slices and masks side by side, at their true proportions."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg import display
from mskseg.case import CaseSlice
from mskseg.errors import InputError


def one_slice(spacing_mm=(1.0, 1.0), shape=(12, 20)) -> CaseSlice:
    label_map = np.zeros(shape, dtype=np.int16)
    label_map[2:6, 3:9] = 4
    return CaseSlice(np.zeros(shape, dtype=np.uint8), label_map, spacing_mm, "axial", 0)


def test_each_panel_of_a_montage_has_its_own_proportions():
    axes = display.montage(
        [one_slice((3.0, 1.5)), one_slice((1.0, 1.0), (10, 30))], titles=["a", "b"], title="both"
    )
    axes[0].figure.canvas.draw()
    ratios = [ax.get_window_extent().height / ax.get_window_extent().width for ax in axes]
    assert ratios == pytest.approx([36 / 30, 10 / 30], rel=0.02)
    assert [ax.get_title() for ax in axes] == ["a", "b"]


def test_a_montage_names_the_tissues_below_the_slices_that_show_them():
    axes = display.montage([one_slice()], titles=["a"], tissues=[{4: "femur", 5: "not here"}])
    below = [ax for ax in axes[0].figure.axes if ax.get_legend()]
    assert len(below) == 1
    assert [text.get_text() for text in below[0].get_legend().get_texts()] == ["femur"]
    assert axes[0].get_legend() is None


def test_the_title_of_a_montage_lies_above_those_of_its_panels_in_the_first_drawing():
    label_map = np.resize(np.arange(1, 17, dtype=np.int16), (16, 16))
    square = CaseSlice(np.zeros((16, 16), np.uint8), label_map, (1.0, 1.0), "axial", 0)
    names = {number: f"biceps femoris {number}" for number in range(1, 17)}
    axes = display.montage(
        [square] * 5, titles=["a\nt1w"] * 5, tissues=[names] * 5, columns=5, title="five"
    )
    figure = axes[0].figure
    figure.canvas.draw()
    highest = max(ax.title.get_window_extent().y1 for ax in axes)
    assert figure._suptitle.get_window_extent().y0 >= highest


def test_places_without_a_slice_stay_empty():
    axes = display.montage([one_slice()] * 3, titles=list("abc"), columns=2)
    assert sum(ax.axison for ax in axes[0].figure.axes) == 3


@pytest.mark.parametrize("titles", [[], ["a", "b"]])
def test_a_montage_wants_a_title_for_each_slice(titles):
    with pytest.raises(InputError, match=f"got 1 slices, {len(titles)} titles"):
        display.montage([one_slice()], titles=titles)
