"""Charts of an analysis of errors draw what the tables hold, and refuse what is empty."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg.case import CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.prompts import Prompt
from mskseg_studies import errors
from mskseg_studies.errors.metric_examples import draw_stray, stray_components


@pytest.fixture(autouse=True)
def headless():
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
        plt.close("all")


def joined(n: int = 40) -> pd.DataFrame:
    x = np.linspace(1, 10, n)
    return pd.DataFrame({"segmenter": ["a", "b"] * (n // 2), "thickness_mm": x, "dice": x / 20})


def test_an_effect_has_a_line_of_medians_for_each_model():
    (ax,) = errors.effect_panels(joined(), {"thickness_mm": "thickness", "area_mm2": "area"})
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    x, y = ax.lines[0].get_data()
    assert np.all(np.diff(x) > 0)
    assert y == pytest.approx(x / 20)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "thickness (mm)")
    with pytest.raises(InputError, match="the table has none of area_mm2"):
        errors.effect_panels(joined(), {"area_mm2": "area"})


def test_an_effect_without_a_value_draws_no_line():
    table = joined().assign(thickness_mm=np.nan)
    (ax,) = errors.effect_panels(table, {"thickness_mm": "thickness"})
    assert not ax.lines


def test_a_change_is_drawn_with_its_range_and_its_subjects():
    changes = pd.DataFrame(
        {
            "segmenter": ["a", "b"],
            "from": "x",
            "to": "y",
            "change": [-0.2, 0.1],
            "lowest": [-0.3, 0.0],
            "highest": [-0.1, 0.2],
            "n_subjects": [2, 3],
        }
    )
    ax = errors.change_chart(changes)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "x to y\na, n=2",
        "x to y\nb, n=3",
    ]
    assert list(ax.lines[0].get_xdata()) == [-0.3, -0.1]
    assert list(ax.lines[3].get_xdata()) == [0.1]
    with pytest.raises(InputError, match="no change came"):
        errors.change_chart(changes.iloc[:0])


def markers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "biomarker": "disc height",
            "segmenter": "a",
            "unit": "mm",
            "smallest_change": 0.85,
            "reference": [8.0, 9.0, 10.0],
            "prediction": [9.0, 11.0, np.nan],
            "difference": [1.0, 2.0, np.nan],
        }
    )


def test_agreement_shows_bias_limits_and_the_change_that_matters():
    (ax,) = errors.agreement_panels(markers())
    levels = [line.get_ydata()[0] for line in ax.lines]
    reach = 1.96 * np.std([1, 2], ddof=1)
    assert levels == pytest.approx([1.5, 1.5 - reach, 1.5 + reach])
    band = ax.patches[0]
    assert (band.get_y(), band.get_height()) == pytest.approx((-0.85, 1.7))
    dots = next(c for c in ax.collections if len(c.get_offsets()) == 2).get_offsets()
    assert dots.tolist() == [[8.5, 1.0], [10.0, 2.0]]
    with pytest.raises(InputError, match="no biomarker came"):
        errors.agreement_panels(markers().iloc[:0])


def test_a_model_that_found_nothing_has_no_bias():
    lost = markers().assign(prediction=np.nan, difference=np.nan)
    (ax,) = errors.agreement_panels(lost)
    assert not ax.lines


def test_forms_show_medians_and_write_down_what_is_beyond_the_axis():
    table = pd.DataFrame(
        {
            "segmenter": "a",
            "group": ["bone", "bone", "cartilage"],
            "area_error": [0.1, 0.3, 9.0],
            "solidity_gain": 0.0,
            "roughness_gain": [0.1, 0.1, np.nan],
        }
    )
    axes = errors.form_panels(table)
    assert axes[0].lines[0].get_xdata().tolist() == pytest.approx([0.2, 9.0])
    assert [text.get_text().strip() for text in axes[0].texts] == ["9.0"]
    assert axes[0].get_xlim()[1] == 1.5


def failure() -> LabelPrediction:
    mask = np.zeros((20, 30), dtype=bool)
    mask[5:10, 5:15] = True
    one = CaseSlice(np.zeros(mask.shape, np.uint8), mask.astype(int), (1.0, 1.0), "axial", 0)
    return LabelPrediction(
        case_slice=one,
        label=1,
        prediction=np.zeros_like(mask),
        prompt=Prompt(boxes_xyxy=np.array([[5.0, 5.0, 15.0, 10.0]])),
        promptable_px=50,
        predicted_iou=0.5,
        encode_s=0.0,
        decode_s=0.0,
    )


def test_a_gallery_zooms_to_the_box_and_leaves_spare_places_empty():
    panels = errors.failure_gallery([failure()] * 3, titles=list("abc"), columns=2)
    assert [ax.get_title() for ax in panels] == ["a", "b", "c"]
    x0, x1 = panels[0].get_xlim()
    assert 0 < x0 < 5
    assert 15 < x1 < 30
    assert sum(ax.axison for ax in panels[0].figure.axes) == 3
    with pytest.raises(InputError, match="got 1 predictions and 2 titles"):
        errors.failure_gallery([failure()], titles=["a", "b"])


def test_the_ceiling_says_on_how_many_tissues_it_was_reached():
    keys = {"dataset": ["phantom_knee"] * 2, "tissue": ["femur", "cartilage"]}
    ceilings = pd.concat(
        [
            pd.DataFrame({**keys, "sigma_px": 0.5, "dice": [0.99, 0.9]}),
            pd.DataFrame({**keys, "sigma_px": 1.0, "dice": [0.97, 0.7]}),
        ]
    )
    means = pd.DataFrame({**keys, "segmenter": "m", "dice": [0.9, 0.8]})
    ax = errors.ceiling_chart(ceilings, means)
    assert ax.get_title(loc="left") == "m reaches a second reader on 1 of 2 tissues"
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["cartilage (knee)", "femur (knee)"]
    assert ax.lines[0].get_xdata().tolist() == [0.8, 0.9]
    with pytest.raises(InputError, match="no ceiling came"):
        errors.ceiling_chart(ceilings.iloc[:0], means)


def test_drift_tells_plans_by_style_and_says_where_it_ends():
    means = pd.DataFrame(
        {
            "segmenter": "m",
            "box_source": ["oracle"] * 2 + ["neighbour"] * 2,
            "steps": [0, 1, 0, 1],
            "dice": [0.8, 0.8, 0.8, 0.3],
        }
    )
    ax = errors.drift_chart(means)
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert ax.get_title(loc="left") == "m, neighbour: Dice 0.80 to 0.30"
    with pytest.raises(InputError, match="no slice came"):
        errors.drift_chart(means.iloc[:0])


def test_the_stray_chart_has_a_line_for_each_distance():
    axes = errors.stray_chart(stray_components(range(3)), *draw_stray(2))
    labels = [line.get_label() for line in axes[1].lines]
    assert labels == ["largest distance", "HD95", "mean distance"]
