"""Montages, histograms, spectra and the chart of tissues."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg.data.cases import CaseSlice
from mskseg.display import plots
from mskseg.errors import InputError


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
    axes = plots.montage(
        [one_slice((3.0, 1.5)), one_slice((1.0, 1.0), (10, 30))], titles=["a", "b"], title="both"
    )
    axes[0].figure.canvas.draw()
    ratios = [ax.get_window_extent().height / ax.get_window_extent().width for ax in axes]
    assert ratios == pytest.approx([36 / 30, 10 / 30], rel=0.02)
    assert [ax.get_title() for ax in axes] == ["a", "b"]


def test_a_montage_names_the_tissues_below_the_slices_that_show_them():
    axes = plots.montage([one_slice()], titles=["a"], tissues=[{4: "femur", 5: "not here"}])
    below = [ax for ax in axes[0].figure.axes if ax.get_legend()]
    assert len(below) == 1
    assert [text.get_text() for text in below[0].get_legend().get_texts()] == ["femur"]
    assert axes[0].get_legend() is None


def test_places_without_a_slice_stay_empty():
    axes = plots.montage([one_slice()] * 3, titles=list("abc"), columns=2)
    assert sum(ax.axison for ax in axes[0].figure.axes) == 3


@pytest.mark.parametrize("titles", [[], ["a", "b"]])
def test_a_montage_wants_a_title_for_each_slice(titles):
    with pytest.raises(InputError, match=f"got 1 slices, {len(titles)} titles"):
        plots.montage([one_slice()], titles=titles)


def test_histograms_share_their_bins_and_have_an_area_of_one():
    rng = np.random.default_rng(0)
    ax = plots.histograms(
        {"a": rng.random((9, 9)), "b": rng.random(500)}, value="signal", limits=(0, 1), bins=10
    )
    first, second = (patch.get_data() for patch in ax.patches)
    assert np.array_equal(first.edges, second.edges)
    assert [(each.values * 0.1).sum() for each in (first, second)] == pytest.approx([1, 1])
    assert ax.get_xlabel() == "signal"


def test_lines_differ_in_style_as_well_as_in_colour():
    frequency = np.linspace(0.01, 0.4, 20)
    ax = plots.spectra(
        {"a": (frequency, frequency**-2), "b": (frequency, frequency**-3)}, band_per_mm=(0.03, 0.2)
    )
    first, second = ax.lines
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_color() != second.get_color()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_a_spectrum_leaves_out_the_frequency_zero():
    ax = plots.spectra({"a": (np.array([0.0, 0.1, 0.2]), np.array([5.0, 2.0, 1.0]))})
    assert ax.lines[0].get_xdata().tolist() == [0.1, 0.2]


def test_nothing_to_draw_is_refused():
    with pytest.raises(InputError, match="no spectrum came"):
        plots.spectra({})
    with pytest.raises(InputError, match="none of them empty"):
        plots.histograms({"a": []}, value="signal")
    with pytest.raises(InputError, match="no tissue came"):
        plots.tissue_chart(pd.DataFrame({"dataset": []}))


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
    axes = plots.tissue_chart(means)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [
        "cartilage",
        "femur",
        "pelvis",
    ]
    drawn = [tuple(point) for each in axes[1].collections for point in each.get_offsets()]
    assert sorted(drawn) == [(2.0, 0.0), (12.0, 2.0), (20.0, 1.0)]
