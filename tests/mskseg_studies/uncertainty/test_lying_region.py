"""The worked example of notebook 08: one calibrated model, two choices of pixels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mskseg_studies import uncertainty
from mskseg_studies.bootstrap import MIN_SUBJECTS
from mskseg_studies.uncertainty.temperature import ASKS_MAP, ASKS_REFERENCE, calibrated_maps

TEMPERATURES = [0.5, 0.7, 0.85, 1, 1.25, 1.5, 1.75, 2, 2.5]
NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "08_quantify_uncertainty.py"


def test_the_discs_come_true_as_often_as_the_model_says():
    maps, true = calibrated_maps(200)
    for low in (0.1, 0.4, 0.7):
        said = (maps[1] > low) & (maps[1] < low + 0.1)
        assert true[said].mean() == pytest.approx(maps[1][said].mean(), abs=0.03)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_candidates_find_the_honest_model_best_and_the_old_region_rewards_doubt(seed):
    table = uncertainty.compare_regions(TEMPERATURES, seed=seed)
    ece = table.groupby(["region", "temperature"])["ece"].first()
    honest, lying = ece[ASKS_MAP], ece[ASKS_REFERENCE]
    assert honest.idxmin() == 1
    assert honest[1] <= 0.01
    assert (honest.drop(1) > honest[1] + 0.005).all(), "sharper and softer copies are worse"
    assert lying[1] > 0.05
    assert 1.5 <= lying.idxmin() <= 2.5


def test_the_figure_marks_what_each_region_likes_best():
    plt.switch_backend("Agg")
    axes = uncertainty.region_chart(uncertainty.compare_regions([0.7, 1, 2], n_maps=50))
    rings = [line.get_xydata()[0] for line in axes[1].lines if line.get_markersize() > 10]
    assert np.transpose(rings)[0].tolist() == [2, 1]
    title = axes[0].figure.get_suptitle()
    assert title.endswith('at T = 2 over "reference or prediction", at T = 1 over "candidates"')
    plt.close("all")


def test_a_slider_has_a_picture_of_the_reliability_at_each_temperature():
    plt.switch_backend("Agg")
    compared = uncertainty.compare_regions([0.7, 1, 2], n_maps=50)
    for temperature, title in ((1, "as it is (T = 1)"), (2, "at T = 2")):
        left, right = uncertainty.region_chart(compared, temperature=temperature)
        assert left.get_title() == title
        assert right.lines[-1].get_xdata() == [temperature, temperature]
    slider, _ = uncertainty.temperature_slider(compared).children
    assert list(slider.options) == [0.7, 1, 2]
    plt.close("all")


def test_the_notebook_names_the_smallest_number_of_people_rightly():
    text = NOTEBOOK.read_text(encoding="utf-8")
    (told,) = re.findall(r"with fewer than (\d+) there is no verdict", text)
    assert int(told) == MIN_SUBJECTS
