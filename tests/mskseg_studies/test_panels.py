"""Figures that rooms share: panels with one legend, masks of one slice side by side."""

from __future__ import annotations

import numpy as np

from mskseg.case import CaseSlice
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
