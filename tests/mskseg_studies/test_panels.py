"""Figures that rooms share: panels with one legend, masks of one slice side by side."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from mskseg.case import CaseSlice
from mskseg.prompts import fill_boxes
from mskseg_studies import panels


def test_every_answer_stands_on_the_slice_with_its_click():
    case_slice = CaseSlice(np.zeros((12, 20), np.uint8), None, (1.0, 1.0), "axial", 0)
    masks = np.zeros((2, 12, 20), dtype=bool)
    masks[0, 4:6, 4:6] = masks[1, 1:11, 1:19] = True
    axes = panels.masks_beside(case_slice, masks, titles=["a", "b"], point=(5.0, 5.0))
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    for ax in axes:
        drawn = [tuple(place) for each in ax.collections for place in each.get_offsets()]
        assert (5.0, 5.0) in drawn


class LowerHalf:
    """Answers each box with its lower half."""

    def embed(self, image):
        return image.shape

    def predict(self, shape, prompt):
        boxes = prompt.boxes_xyxy.copy()
        boxes[:, 1] = boxes[:, [1, 3]].mean(axis=1)
        return SimpleNamespace(masks=np.stack([fill_boxes(box, shape) for box in boxes])[:, None])


def test_a_slider_over_boxes_tells_the_dice_of_the_model_and_of_the_filled_box(monkeypatch):
    shown, draw = {}, {}
    monkeypatch.setattr(
        panels,
        "picture_slider",
        lambda name, values, page_at: shown.update({name: values}) or draw.update(at=page_at),
    )
    case_slice = CaseSlice(np.zeros((40, 40), np.uint8), None, (1.0, 1.0), "axial", 0)
    reference = np.zeros((40, 40), bool)
    reference[10:20, 10:20] = True
    tight = np.array([[10.0, 10.0, 20.0, 20.0]])
    boxes_at = {0.0: tight, 10.0: np.concatenate([tight, tight + np.array([-10, -10, 10, 10])])}
    panels.box_slider("margin px", boxes_at, LowerHalf(), case_slice, reference)
    assert shown == {"margin px": [0.0, 10.0]}
    ax = draw["at"](0.0)
    assert ax.get_title() == "Dice of the model 0.67\nof the filled box 1.00"
    assert len(ax.patches) == 1
    wide = draw["at"](10.0)
    assert wide.get_title() == "Dice of the model 0.18 to 0.67\nof the filled box 0.20 to 1.00"
    assert len(wide.patches) == 2
    assert wide.get_xlim() == ax.get_xlim(), "both show the same part of the slice"
