"""Montages, histograms, spectra and the chart of tissues."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg import display
from mskseg.case import CaseSlice
from mskseg.errors import InputError
from mskseg_studies import exploration, model_parts
from mskseg_studies.model_parts.parts import ModelShapes


@pytest.fixture(autouse=True)
def headless():
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
        plt.close("all")


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


def test_places_without_a_slice_stay_empty():
    axes = display.montage([one_slice()] * 3, titles=list("abc"), columns=2)
    assert sum(ax.axison for ax in axes[0].figure.axes) == 3


@pytest.mark.parametrize("titles", [[], ["a", "b"]])
def test_a_montage_wants_a_title_for_each_slice(titles):
    with pytest.raises(InputError, match=f"got 1 slices, {len(titles)} titles"):
        display.montage([one_slice()], titles=titles)


def test_histograms_share_their_bins_and_have_an_area_of_one():
    rng = np.random.default_rng(0)
    ax = exploration.histograms(
        {"a": rng.random((9, 9)), "b": rng.random(500)}, value="signal", limits=(0, 1), bins=10
    )
    first, second = (patch.get_data() for patch in ax.patches)
    assert np.array_equal(first.edges, second.edges)
    assert [(each.values * 0.1).sum() for each in (first, second)] == pytest.approx([1, 1])
    assert ax.get_xlabel() == "signal"


def test_lines_differ_in_style_as_well_as_in_colour():
    frequency = np.linspace(0.01, 0.4, 20)
    ax = exploration.spectra(
        {"a": (frequency, frequency**-2), "b": (frequency, frequency**-3)}, band_per_mm=(0.03, 0.2)
    )
    first, second = ax.lines
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_color() != second.get_color()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_a_spectrum_leaves_out_the_frequency_zero():
    ax = exploration.spectra({"a": (np.array([0.0, 0.1, 0.2]), np.array([5.0, 2.0, 1.0]))})
    assert ax.lines[0].get_xdata().tolist() == [0.1, 0.2]


def test_nothing_to_draw_is_refused():
    with pytest.raises(InputError, match="no spectrum came"):
        exploration.spectra({})
    with pytest.raises(InputError, match="none of them empty"):
        exploration.histograms({"a": []}, value="signal")
    with pytest.raises(InputError, match="no tissue came"):
        exploration.tissue_chart(pd.DataFrame({"dataset": []}))


def test_the_chart_has_the_thinnest_tissue_of_a_data_set_on_top():
    means = pd.DataFrame(
        {
            "dataset": ["knee", "knee", "hip"],
            "tissue": ["femur", "cartilage", "pelvis"],
            "area_mm2": [900.0, 90.0, 700.0],
            "thickness_mm": [20.0, 2.0, 12.0],
            "contrast": [-1.0, 2.0, 0.1],
            "shape": ["compact", "thin", "ring"],
        }
    )
    axes = exploration.tissue_chart(means)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [
        "cartilage",
        "femur",
        "pelvis",
    ]
    drawn = [tuple(point) for each in axes[1].collections for point in each.get_offsets()]
    assert sorted(drawn) == [(2.0, 0.0), (12.0, 2.0), (20.0, 1.0)]


def test_estimates_are_drawn_with_the_truth_on_x_and_a_line_of_agreement():
    ax = display.estimate_chart({"box": ([0.9, 1.1], [0.5, 0.7]), "point": ([0.2], [0.1])})
    assert ax.collections[0].get_offsets().tolist() == [[0.5, 0.9], [0.7, 1.1]]
    assert list(ax.lines[0].get_xdata()) == list(ax.lines[0].get_ydata())
    assert ax.get_ylim()[1] > 1.1  # a prediction above 1 is shown, not cut
    with pytest.raises(InputError, match="no estimates came"):
        display.estimate_chart({})


def test_a_small_mask_is_drawn_over_a_large_one():
    masks = np.zeros((2, 12, 20), dtype=bool)
    masks[0, 4:6, 4:6] = masks[1, 1:11, 1:19] = True
    ax = display.draw_masks(display.show_slice(np.zeros((12, 20)), spacing_mm=(1, 1)), masks)
    widths = [
        np.ptp(np.concatenate([path.vertices for path in each.get_paths()])[:, 0])
        for each in ax.collections
    ]
    assert widths == sorted(widths, reverse=True)


def test_the_architecture_names_the_parts_and_their_sizes():
    shapes = ModelShapes((256, 256), (128, 32, 32), (128, 128))
    counts = {"image encoder": 3_087_712, "prompt encoder": 3276, "mask decoder": 756_340}
    ax = model_parts.draw_architecture(shapes, parameters=counts)
    words = " ".join(text.get_text() for text in ax.texts)
    for expected in ("3.1 million", "3 thousand", "0.8 million", "128 x 32 x 32", "256 x 256"):
        assert expected in words


def test_every_answer_stands_on_the_slice_with_its_click():
    masks = np.zeros((2, 12, 20), dtype=bool)
    masks[0, 4:6, 4:6] = masks[1, 1:11, 1:19] = True
    panels = display.masks_beside(one_slice(), masks, titles=["a", "b"], point=(5.0, 5.0))
    assert [ax.get_title() for ax in panels] == ["a", "b"]
    for ax in panels:
        drawn = [tuple(place) for each in ax.collections for place in each.get_offsets()]
        assert (5.0, 5.0) in drawn


def test_an_embedding_lies_on_its_slice_cell_by_cell():
    cells = {"colours": np.zeros((3, 6, 3)), "likeness": np.ones((3, 6))}
    panels = display.embedding_beside(one_slice(), **cells, cell_px=(4.0, 4.0), point=(5.0, 5.0))
    for ax in panels[1:]:
        assert list(ax.images[-1].get_extent()) == [0, 24, 12, 0]  # the last cell is half padding
        assert (ax.get_xlim(), ax.get_ylim()) == ((0, 20), (12, 0))
