"""Plots: exact coordinates, true proportions, honest labels, nothing shown."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mskseg import display
from mskseg.errors import InputError

IMAGE = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
HOW = {"spacing_mm": (3.0, 1.5)}


@pytest.fixture
def label_map():
    label_map = np.zeros(IMAGE.shape, dtype=np.int16)
    label_map[2:6, 3:9] = 1
    label_map[7:11, 12:20] = 5  # touches the right border
    return label_map


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def outlines(ax):
    """Vertices of all outlines drawn by `draw_label_map`."""
    sets = [each for each in ax.collections if type(each).__name__ == "QuadContourSet"]
    return [np.concatenate([path.vertices for path in each.get_paths()]) for each in sets]


# slices


def test_pixel_0_0_spans_0_to_1_and_y_grows_downwards():
    ax = display.show_slice(IMAGE, **HOW)
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 20), (12, 0))
    assert ax.images[0].get_extent() == [0, 20, 12, 0]
    assert ax.images[0].get_interpolation() == "nearest"


def test_a_slice_has_its_proportions_in_mm():
    ax = display.show_slice(IMAGE, **HOW)
    ax.figure.canvas.draw()
    box = ax.get_window_extent()
    assert box.height / box.width == pytest.approx(12 * 3.0 / (20 * 1.5))


def test_eight_bit_slices_share_one_grey_scale():
    dark = display.show_slice(np.full((4, 4), 9, dtype=np.uint8), **HOW)
    assert dark.images[0].get_clim() == (0, 255)
    values = display.show_slice(np.array([[-5.0, 7.0]]), **HOW)
    assert values.images[0].get_clim() == (-5, 7)


@pytest.mark.parametrize(
    ("plane", "left_right_top_bottom"),
    [("axial", "RLAP"), ("coronal", "RLSI"), ("sagittal", "APSI")],
)
def test_edges_are_marked_as_a_radiologist_expects(plane, left_right_top_bottom):
    ax = display.show_slice(IMAGE, plane=plane, **HOW)
    at = {text.get_position(): text.get_text() for text in ax.texts}
    left, right = (at[key] for key in sorted(at) if key[1] == 0.5)
    top, bottom = at[0.5, 0.98], at[0.5, 0.02]
    assert left + right + top + bottom == left_right_top_bottom


def test_a_part_of_the_slice_keeps_its_coordinates():
    ax = display.show_slice(IMAGE, zoom_xyxy=(2, 1, 8, 5), **HOW)
    assert (ax.get_xlim(), ax.get_ylim()) == ((2, 8), (5, 1))


def test_a_frame_holds_all_boxes_with_room_and_stays_inside_the_slice():
    frame = display.frame_around([[4, 3, 8, 5], [9, 6, 14, 7]], shape=(12, 20), margin=0.2)
    assert frame.tolist() == [2, 1, 16, 9]
    assert display.frame_around([1, 1, 19, 11], shape=(12, 20)).tolist() == [0, 0, 20, 12]
    with pytest.raises(InputError, match="expected one box to frame or more, got none"):
        display.frame_around([], shape=(12, 20))


def test_it_draws_on_the_axes_it_is_given():
    ax = plt.figure().add_subplot()
    assert display.show_slice(IMAGE, ax=ax, title="a title", **HOW) is ax
    assert ax.get_title() == "a title"


def test_a_volume_is_not_a_slice():
    with pytest.raises(InputError, match=r"expected a slice \(H, W\)"):
        display.show_slice(np.zeros((2, 3, 4)), **HOW)


# boxes, points, outlines


def test_boxes_lie_at_their_half_open_coordinates():
    ax = display.draw_boxes(display.show_slice(IMAGE, **HOW), [[3, 5, 4, 6], [0, 0, 20, 12]])
    corners = [patch.get_bbox().extents.tolist() for patch in ax.patches]
    assert corners == [[3, 5, 4, 6], [0, 0, 20, 12]]


def test_the_tight_box_of_a_mask_touches_its_outline(label_map):
    ax = display.show_slice(IMAGE, **HOW)
    display.draw_label_map(ax, label_map == 1, colours={1: "red"})
    (vertices,) = outlines(ax)
    assert vertices.min(axis=0).tolist() == [3, 2]
    assert vertices.max(axis=0).tolist() == [9, 6]


def test_an_outline_at_the_border_is_closed_and_does_not_widen_the_axes(label_map):
    ax = display.show_slice(IMAGE, **HOW)
    display.draw_label_map(ax, label_map == 5, colours={1: "red"}, fill=0.3)
    assert outlines(ax)[-1].max(axis=0).tolist() == [20, 11]
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 20), (12, 0))


def test_a_small_label_is_drawn_over_a_large_one_and_filled_where_they_overlap():
    disc, dot = np.zeros((12, 20), dtype=bool), np.zeros((12, 20), dtype=bool)
    disc[1:11, 2:18] = dot[4:7, 8:12] = True
    colours = {1: (1.0, 0.0, 0.0), 2: (0.0, 0.0, 1.0)}
    ax = display.show_slice(np.zeros((12, 20), dtype=np.uint8), **HOW)
    display.draw_label_map(ax, {1: dot, 2: disc}, colours=colours, fill=1.0)
    drawn = [each for each in ax.collections if type(each).__name__ == "QuadContourSet"]
    assert [each.filled for each in drawn] == [True, True, False, False]
    assert [tuple(each.get_edgecolor()[0][:3]) for each in drawn[2:]] == [colours[2], colours[1]]
    ax.figure.canvas.draw()
    x, y = ax.transData.transform((10, 5.5)).astype(int)
    pixel = np.asarray(ax.figure.canvas.buffer_rgba())[-y, x, :3]
    assert pixel.tolist() == [255, 0, 0]


def test_points_inside_and_outside_differ_in_shape():
    ax = display.draw_points(
        display.show_slice(IMAGE, **HOW), [[3.5, 5.5], [7.5, 8.5]], point_labels=[1, 0]
    )
    inside, outside = ax.collections
    assert inside.get_offsets().tolist() == [[3.5, 5.5]]
    assert outside.get_offsets().tolist() == [[7.5, 8.5]]
    assert len(inside.get_paths()[0].vertices) != len(outside.get_paths()[0].vertices)


def test_a_label_without_a_colour_is_not_left_out_in_silence(label_map):
    with pytest.raises(InputError, match="label 5 has no colour"):
        display.draw_label_map(display.show_slice(IMAGE, **HOW), label_map, colours={1: "red"})


# overlays


def test_an_overlay_tells_reference_from_prediction_and_names_the_tissues_seen(label_map):
    tissues = {1: "rectus femoris", 5: "femur", 9: "not on this slice"}
    ax = display.overlay(
        IMAGE, reference=label_map, prediction=label_map == 1, tissues=tissues, **HOW
    )
    assert legend_of(ax) == ["reference", "prediction", "rectus femoris", "femur"]
    assert len(outlines(ax)) == 3
    lines = ax.get_legend().get_lines()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_masks_without_names_differ_by_colour_too(label_map):
    ax = display.overlay(IMAGE, reference=label_map == 1, prediction=label_map == 5, **HOW)
    first, second = ax.get_legend().get_lines()
    assert legend_of(ax) == ["reference", "prediction"]
    assert first.get_color() != second.get_color()


def test_a_tissue_keeps_its_colour_from_slice_to_slice(label_map):
    tissues = {1: "a", 5: "b", 9: "c"}
    both = display.overlay(IMAGE, reference=label_map, tissues=tissues, **HOW)
    one = display.overlay(IMAGE, reference=np.where(label_map == 5, 5, 0), tissues=tissues, **HOW)
    handles = [ax.get_legend().legend_handles[-1] for ax in (both, one)]
    assert handles[0].get_facecolor() == handles[1].get_facecolor()


def test_an_overlay_without_masks_or_with_empty_ones_is_a_slice():
    assert display.overlay(IMAGE, **HOW).get_legend() is None
    empty = np.zeros(IMAGE.shape, dtype=bool)
    assert legend_of(display.overlay(IMAGE, prediction=empty, **HOW)) == ["prediction"]


def test_nothing_is_shown(monkeypatch, label_map):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a plot was shown"))
    display.overlay(IMAGE, reference=label_map, **HOW)
