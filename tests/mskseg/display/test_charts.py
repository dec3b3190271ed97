"""Charts of tables: what is drawn is what the table says, and nothing overlaps."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg import display
from mskseg.errors import InputError


@pytest.fixture(autouse=True)
def headless():
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
        plt.close("all")


# Dice of each tissue


def make_table(**columns):
    rows = [
        {"tissue": tissue, "label": label, "slice": k, "dice": dice, "filled_box_dice": 0.7}
        for label, tissue, values in ((1, "femur", (0.5, 0.6)), (2, "gracilis", (0.9, 0.8, 1.0)))
        for k, dice in enumerate(values)
    ]
    about = {
        "segmenter": "sam_vit_mini",
        "miniature": True,
        "prompt": "box",
        "box_source": "oracle",
        "dataset": "d",
        "subject": "s",
        "sequence": "t1w",
        "site": "",
        "side": "",
        "visit": "",
        "plane": "axial",
        "status": "scored",
    }
    return pd.DataFrame(rows).assign(**(about | columns))


def test_tissues_are_sorted_and_counted_and_the_title_states_what_was_found():
    ax = display.dice_by_tissue(make_table())
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["gracilis (n=3)", "femur (n=2)"]
    low, high = ax.get_ylim()
    assert low > high  # the first one on top
    title = ax.get_title(loc="left")
    assert (
        title == "Above the filled box in 1 of 2 tissues\nsam_vit_mini (miniature), boxes: oracle"
    )


def test_slices_means_and_filled_boxes_are_where_they_belong():
    slices, filled, means = display.dice_by_tissue(make_table()).collections
    assert sorted(slices.get_offsets()[:, 0]) == [0.5, 0.6, 0.8, 0.9, 1.0]
    by_row = {float(y): float(x) for x, y in means.get_offsets()}
    assert by_row == pytest.approx({0.0: 0.9, 1.0: 0.55})
    assert filled.get_offsets()[:, 0].tolist() == pytest.approx([0.7, 0.7])


def test_tissues_of_several_data_sets_stand_under_their_names():
    both = pd.concat([make_table(), make_table(dataset="e").assign(dice=0.95)])
    ax = display.dice_by_tissue(both)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["d", "gracilis (n=3)", "femur (n=2)", "e", "femur (n=2)", "gracilis (n=3)"]
    _, _, means = (each for each in ax.collections if len(each.get_offsets()) in (4, 10))
    by_row = {float(y): float(x) for x, y in means.get_offsets()}
    assert by_row == pytest.approx({1.0: 0.9, 2.0: 0.55, 4.0: 0.95, 5.0: 0.95})


def test_each_plan_has_its_own_colour_and_name():
    other = make_table(box_source="neighbour, margin 2 px")
    ax = display.dice_by_tissue(pd.concat([make_table(), other]))
    (legend,) = ax.figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[3:] == [
        "sam_vit_mini (miniature), boxes: oracle",
        "sam_vit_mini (miniature), boxes: neighbour, margin 2 px",
    ]
    colours = {tuple(ax.collections[i].get_facecolor()[0][:3]) for i in (2, 5)}
    assert len(colours) == 2


def test_a_table_without_a_score_cannot_be_charted():
    with pytest.raises(InputError, match="expected one scored row or more, got none"):
        display.dice_by_tissue(make_table(status="too_small"))


def test_a_chart_is_not_shown(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a chart was shown"))
    display.dice_by_tissue(make_table())


# sweeps
