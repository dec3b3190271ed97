"""Charts of tables: what is drawn is what the table says, and nothing overlaps."""

from __future__ import annotations

import base64
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mskseg.errors import InputError
from mskseg_studies import charts
from mskseg_studies.charts import chart_axes, finish_chart, series_style

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
    ax = charts.dice_by_tissue(make_table())
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["gracilis (n=3)", "femur (n=2)"]
    low, high = ax.get_ylim()
    assert low > high  # the first one on top
    title = ax.get_title(loc="left")
    assert (
        title
        == "sam_vit_mini (miniature), boxes: oracle:\nabove the filled box in 1 of its 2 tissues"
    )


def test_slices_means_and_filled_boxes_are_where_they_belong():
    slices, filled, means = charts.dice_by_tissue(make_table()).collections
    assert sorted(slices.get_offsets()[:, 0]) == [0.5, 0.6, 0.8, 0.9, 1.0]
    by_row = {float(y): float(x) for x, y in means.get_offsets()}
    assert by_row == pytest.approx({0.0: 0.9, 1.0: 0.55})
    assert filled.get_offsets()[:, 0].tolist() == pytest.approx([0.7, 0.7])


def test_tissues_of_several_data_sets_stand_under_their_names():
    both = pd.concat([make_table(), make_table(dataset="e").assign(dice=0.95)])
    ax = charts.dice_by_tissue(both)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["d", "gracilis (n=3)", "femur (n=2)", "e", "femur (n=2)", "gracilis (n=3)"]
    _, _, means = (each for each in ax.collections if len(each.get_offsets()) in (4, 10))
    by_row = {float(y): float(x) for x, y in means.get_offsets()}
    assert by_row == pytest.approx({1.0: 0.9, 2.0: 0.55, 4.0: 0.95, 5.0: 0.95})


def test_of_each_data_set_the_lowest_alone_can_be_shown():
    both = pd.concat([make_table(), make_table(dataset="e")])
    ax = charts.dice_by_tissue(both, lowest=1)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["d", "femur (n=2)", "e", "femur (n=2)"]
    assert ax.get_title(loc="left").endswith("above the filled box in 0 of its 2 tissues")


def test_each_plan_has_its_own_colour_and_name():
    other = make_table(box_source="neighbour, margin 2 px")
    ax = charts.dice_by_tissue(pd.concat([make_table(), other]))
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
        charts.dice_by_tissue(make_table(status="too_small"))


def test_a_chart_is_not_shown(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a chart was shown"))
    charts.dice_by_tissue(make_table())


# sweeps


# Sweeps, and the look of all


@pytest.fixture
def sizes():
    return pd.DataFrame(
        {
            "size": [512, 56, 128, 64, 512],
            "way": ["coarse", "coarse", "coarse", "frame", "frame"],
            "dice": [0.9, 0.5, 0.7, 0.4, 0.8],
            "sd": [0.1, 0.1, np.nan, 0.1, 0.1],
        }
    )


def test_a_line_for_each_series_from_left_to_right(sizes):
    ax = charts.sweep_chart(sizes, x="size", series="way", spread="sd", level=("box", 0.75))
    lines = {c.get_label(): c.lines[0].get_xydata().tolist() for c in ax.containers}
    assert lines["coarse"] == [[56, 0.5], [128, 0.7], [512, 0.9]]
    assert lines["frame"] == [[64, 0.4], [512, 0.8]]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(named) == {"coarse", "frame", "box"}
    assert ax.get_ylim() == (0, 1)


def test_series_differ_in_marker_and_line_and_not_in_colour_alone(sizes):
    ax = charts.sweep_chart(sizes, x="size", series="way")
    drawn = [container.lines[0] for container in ax.containers]
    assert len({line.get_marker() for line in drawn}) == 2
    assert len({line.get_linestyle() for line in drawn}) == 2


@pytest.mark.parametrize(("scale", "apart"), [("log", True), ("linear", False)])
def test_labels_of_near_sizes_do_not_overlap_on_a_logarithmic_axis(sizes, scale, apart):
    ax = charts.sweep_chart(sizes, x="size", series="way", x_scale=scale)
    ax.figure.canvas.draw()
    labels = [label for label in ax.get_xticklabels() if label.get_text()]
    assert [label.get_text() for label in labels] == ["56", "64", "128", "512"]
    boxes = [label.get_window_extent() for label in labels]
    clear = [a.x1 < b.x0 for a, b in pairwise(boxes)]
    assert all(clear) == apart


def test_a_sweep_can_be_drawn_into_given_axes(sizes):
    figure, axes = plt.subplots(1, 2)
    assert charts.sweep_chart(sizes, x="size", series="way", ax=axes[0]) is axes[0]
    assert len(figure.axes) == 2


@pytest.mark.parametrize(("rows", "series"), [(5, "other"), (0, "way")])
def test_a_table_that_lacks_something_is_refused(sizes, rows, series):
    with pytest.raises(InputError, match=r"the table has \d rows and lacks"):
        charts.sweep_chart(sizes.iloc[:rows], x="size", series=series)


def test_series_differ_in_colour_marker_and_dashes():
    first, second = series_style(0), series_style(1)
    assert all(first[key] != second[key] for key in ("color", "marker", "linestyle"))
    assert "linestyle" not in series_style(0, line=False)


@pytest.mark.parametrize("legend", ["inside", "right", "below"])
def test_a_legend_names_what_has_a_label(legend):
    ax = chart_axes(None)
    ax.plot([0, 1], [0, 1], label="a")
    finish_chart(ax, "a finding", legend=legend)
    box = ax.figure.legends[0] if legend == "below" else ax.get_legend()
    assert [text.get_text() for text in box.get_texts()] == ["a"]
    assert ax.get_title(loc="left") == "a finding"
    assert chart_axes(ax) is ax


def test_a_picture_slider_shows_the_picture_of_its_value_and_leaves_no_figure_open():
    def draw(value):
        return plt.figure().subplots().barh([0], [value])[0].axes

    widget = charts.picture_slider("clicks", [1, 2, 3], draw)
    slider, picture = widget.children
    first = bytes(picture.value)
    slider.value = 3
    third = bytes(picture.value)
    assert first != third
    assert third.startswith(b"\x89PNG")
    slider.value = 1
    assert bytes(picture.value) == first
    slider, picture = charts.picture_slider("clicks", [1, 2, 3], draw, start=3).children
    assert (slider.value, bytes(picture.value)) == (3, third)
    bundle = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]) == first
    assert plt.get_fignums() == []
