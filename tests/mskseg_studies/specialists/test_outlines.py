from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from mskseg.case import CaseSlice
from mskseg_studies import specialists


def test_each_model_gets_a_panel_framed_around_all_outlines():
    image = np.zeros((60, 80), np.uint8)
    at = CaseSlice(image, None, (1.0, 1.0), "axial", 3)
    square = np.zeros((60, 80), bool)
    square[20:30, 40:50] = True
    masks = {"reference": {3: square}, "SAM": {3: np.roll(square, 5, axis=1)}, "nnU-Net": {}}
    panels = specialists.outlines_beside(at, masks, labels=(3, 7), title="A finding")
    assert [ax.get_title(loc="left") or ax.get_title() for ax in panels] == list(masks)
    for ax in panels:
        low, high = sorted(ax.get_xlim())
        assert 30 < low <= 40
        assert 55 <= high < 65
    plt.close(panels[0].figure)
