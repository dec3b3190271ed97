"""Montages, spectra and the chart of tissues."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mskseg.case import CaseSlice
from mskseg_studies import exploration


def one_slice(spacing_mm=(1.0, 1.0), shape=(12, 20)) -> CaseSlice:
    label_map = np.zeros(shape, dtype=np.int16)
    label_map[2:6, 3:9] = 4
    return CaseSlice(np.zeros(shape, dtype=np.uint8), label_map, spacing_mm, "axial", 0)


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
