"""The worst slices, the reasons named by rule, and their gallery."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.case import CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.evaluation.scoring import KeptPredictions
from mskseg.prompts import Prompt
from mskseg_studies.errors.covariates import (
    brightened,
    failure_gallery,
    fat_slider,
    name_reason,
    open_panel,
    worst_slices,
)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"predicted_area_mm2": 0.0}, "nothing was found"),
        ({"predicted_area_mm2": 200.0}, "leaked"),
        ({"predicted_area_mm2": 40.0}, "fell short"),
        ({"edge_contrast": 0.9}, "faint border"),
        ({"thickness_mm": 2.0}, "thin"),
        ({"from_end": 0}, "end of the structure"),
        ({}, "none of these"),
    ],
)
def test_the_first_rule_that_applies_names_the_reason(changed, reason):
    fine = {
        "area_mm2": 100.0,
        "predicted_area_mm2": 100.0,
        "edge_contrast": 2.0,
        "thickness_mm": 9.0,
        "from_end": 3,
    }
    assert name_reason(pd.Series({**fine, **changed})) == reason


def test_the_worst_come_one_of_each_tissue_with_a_reason():
    thickness = np.linspace(2, 9, 6)
    rows = pd.DataFrame(
        {
            "data": "phantoms",
            "segmenter": "mini",
            "dataset": "d",
            "tissue": "t",
            "label": 1,
            "dice": 0.5 + thickness / 20,
            "area_mm2": 100.0,
            "predicted_area_mm2": 100.0,
            "thickness_mm": thickness,
            "edge_contrast": np.arange(6) + 1.0,
            "from_end": [0, 1, 2, 2, 1, 0],
        }
    )
    joined = pd.concat([rows, rows.assign(tissue="u", dice=0.3, predicted_area_mm2=0.0)])
    worst = worst_slices(joined)
    assert worst["tissue"].tolist() == ["u", "t"]
    assert worst["reason"].tolist() == ["nothing was found: thin", "thin"]
    assert worst_slices(joined, n=1)["tissue"].tolist() == ["u"]
    real = rows.assign(data="people", segmenter="published", tissue="vertebral body")
    better = pd.concat([real, real.assign(label=2, dice=0.9)])
    both = worst_slices(pd.concat([joined, better, better.assign(segmenter="mini", dice=0)]), n=2)
    assert both["segmenter"].tolist() == ["published"] * 2 + ["mini"] * 2
    assert both["label"].tolist() == [1, 2, 1, 1]


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


def test_a_dark_place_is_shown_bright_whatever_lies_outside():
    image = np.full((20, 30), 255, np.uint8)
    image[5:15, 5:15] = np.arange(100).reshape(10, 10) // 4
    shown = brightened(image, np.array([5.0, 5.0, 15.0, 15.0]))[5:15, 5:15]
    assert shown.max() == 255
    assert shown.min() == 0
    assert (np.diff(shown.ravel().astype(int)) >= 0).all()


def test_a_gallery_zooms_to_the_box_and_leaves_spare_places_empty():
    kept = KeptPredictions()
    for _ in range(3):
        kept.append(failure())
    rows = {"data": "phantoms", "dataset": "phantom_knee", "tissue": ["a", "b", "c"], "dice": 0.5}
    worst = pd.DataFrame(rows, index=[2, 0, 1])
    panels = failure_gallery(worst, kept, columns=2, title="worst")
    titles = ["1: a\nknee, Dice 0.50", "2: b\nknee, Dice 0.50", "3: c\nknee, Dice 0.50"]
    assert [ax.get_title() for ax in panels] == titles
    x0, x1 = panels[0].get_xlim()
    assert 0 < x0 < 5
    assert 15 < x1 < 30
    assert sum(ax.axison for ax in panels[0].figure.axes) == 3


@pytest.mark.parametrize("panel", [0, 3])
def test_a_panel_that_is_not_there_is_refused(panel):
    with pytest.raises(InputError, match=f"a panel from 1 to 2, got {panel}"):
        open_panel(pd.DataFrame(index=[0, 1]), panel, KeptPredictions(), [], [], margin_px=4)


def test_a_slider_goes_from_little_fat_to_much_in_the_muscle_that_has_most():
    kept, n = KeptPredictions(), 9
    for _ in range(n):
        kept.append(failure())
    fat = [12.0, 4.0, 40.0, 21.0, 30.0, 55.0, np.nan, 8.0, 16.0]
    rows = pd.DataFrame(
        {
            "data": "phantoms",
            "segmenter": ["m"] * 5 + ["other"] + ["m"] * 3,
            "dataset": "phantom_thigh",
            "tissue": ["a", "a", "a", "a", "b", "a", "a", "a", "a"],
            "dice": 0.5,
            "reference fat fraction": fat,
        }
    )
    slider, picture = fat_slider(rows, kept, n=4).children
    assert list(slider.options) == [4, 8, 16, 40]
    assert bytes(picture.value).startswith(b"\x89PNG")
    assert fat_slider(rows.drop(columns="reference fat fraction"), kept) is None
    assert fat_slider(rows.assign(**{"reference fat fraction": np.nan}), kept) is None
