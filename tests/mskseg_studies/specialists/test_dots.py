from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies import specialists

MEANS = pd.DataFrame(
    {
        "arm": ["inside", "outside", "inside"],
        "model": ["SAM", "SAM", "U-Net"],
        "dice": [0.7, 0.6, 0.9],
        "dice_sd": [0.1, float("nan"), 0.0],
    }
)


def test_a_dot_for_each_row_in_the_row_of_its_group():
    ax = specialists.dot_rows(MEANS, row="arm", series="model", spread="dice_sd", title="A finding")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["inside", "outside"]
    sam, unet = (container.lines[0] for container in ax.containers)
    assert list(sam.get_xdata()) == [0.7, 0.6]
    assert list(unet.get_xdata()) == [0.9]
    assert sam.get_marker() != unet.get_marker()
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first group stands on top"
    plt.close(ax.figure)


def test_a_table_without_the_column_is_refused():
    with pytest.raises(InputError, match="lacks \\['iou'\\]"):
        specialists.dot_rows(MEANS, row="arm", series="model", value="iou")
