"""The canvas on its Python side: messages in, traits out, errors shown and nothing changed."""

from __future__ import annotations

import math
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

import mskseg
from mskseg.case import Case
from mskseg.display.canvas import PromptCanvas, PromptExplorer, Session
from mskseg.volume import LabelMap, Volume

AFFINE = np.diag([1.0, 2.0, 6.0, 1.0])


def make_case() -> Case:
    labels = np.zeros((50, 30, 3), np.int16)
    labels[10:30, 5:20, 1:] = 3
    labels[40:48, 20:28, :] = 7
    image = Volume(100.0 * (labels > 0) + 10, AFFINE)
    tissues = {3: "femur", 7: "patella"}
    return Case(subject="a", image=image, reference=LabelMap(labels, AFFINE), tissues=tissues)


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


@pytest.fixture
def canvas(segmenter):
    return PromptCanvas(Session(make_case(), {"sam_vit_mini": segmenter}))


@pytest.fixture
def explorer(segmenter):
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield PromptExplorer(make_case(), {"first": segmenter, "second": segmenter})
        plt.close("all")


def receive(canvas, request=1, **content):
    canvas._receive(canvas, {**content, "request": request}, [])


def mask_of(canvas, number=0):
    height, width = canvas.view["height"], canvas.view["width"]
    stride = math.ceil(height * width / 8)
    bits = np.frombuffer(canvas.masks, np.uint8)[number * stride : (number + 1) * stride]
    return np.unpackbits(bits)[: height * width].reshape(height, width).astype(bool)


def test_it_shows_the_slice_as_it_is_and_what_a_pixel_measures(canvas):
    case_slice = canvas.session.slice
    assert canvas.image == case_slice.image.tobytes()
    assert (canvas.view["height"], canvas.view["width"]) == case_slice.image.shape == (30, 50)
    assert (canvas.view["row_mm"], canvas.view["column_mm"]) == (2.0, 1.0)
    assert canvas.view["edges"] == ["R", "L", "A", "P"]
    assert canvas.masks == b""


def test_a_box_from_the_browser_is_answered_with_the_sessions_mask(canvas):
    receive(canvas, request=5, kind="box", box=[20.0, 10.0, 40.0, 25.0])
    assert canvas.prompts == {"points": [], "box": [20.0, 10.0, 40.0, 25.0]}
    assert np.array_equal(mask_of(canvas), canvas.session.mask)
    assert canvas.readout["answered"] == 5
    assert canvas.readout["dice"] == [pytest.approx(canvas.session.scored.dice[0])]


def test_clicks_undo_clear_and_choices(canvas):
    receive(canvas, kind="point", x=30.0, y=15.0, inside=True)
    assert len(canvas.readout["dice"]) == 3
    receive(canvas, kind="next")
    assert canvas.readout["chosen"] == 1
    receive(canvas, kind="choose", mask=2)
    assert canvas.readout["chosen"] == 2
    receive(canvas, kind="point", x=2.0, y=2.0, inside=False)
    assert canvas.prompts["points"] == [[30.0, 15.0, 1], [2.0, 2.0, 0]]
    receive(canvas, kind="undo")
    assert canvas.prompts["points"] == [[30.0, 15.0, 1]]
    receive(canvas, kind="clear")
    assert canvas.masks == b""
    receive(canvas, kind="slice", step=-1)
    assert canvas.view["slice"] == 0


def test_propagate_from_the_browser_shows_other_slices_and_says_where_it_ended(canvas):
    receive(canvas, kind="box", box=[20.0, 10.0, 40.0, 25.0])
    assert "ends" not in canvas.readout
    receive(canvas, request=2, kind="propagate")
    assert canvas.error == ""
    assert canvas.readout["ends"] == [f"femur: {canvas.session.propagation.ends[3]}"]
    assert canvas.readout["reason"] == "prompt"
    receive(canvas, request=3, kind="slice", step=1 if canvas.session.index == 1 else -1)
    assert canvas.readout["reason"] == "followed"
    assert canvas.prompts == {"points": [], "box": None}
    index = canvas.session.index
    followed = canvas.session.propagation.label_map.slice("axial", index) == 3
    assert followed.any()
    assert np.array_equal(mask_of(canvas), followed)


def test_an_error_is_shown_answered_and_changes_nothing(canvas):
    receive(canvas, kind="box", box=[20.0, 10.0, 40.0, 25.0])
    before = (canvas.masks, dict(canvas.prompts))
    receive(canvas, request=2, kind="point", x=900.0, y=3.0, inside=True)
    assert "outside the slice" in canvas.error
    assert (canvas.masks, dict(canvas.prompts)) == before
    assert canvas.readout["answered"] == 2
    receive(canvas, request=3, kind="undo")
    assert canvas.error == ""


def test_whatever_a_model_raises_is_shown(canvas, monkeypatch, segmenter):
    def broken(*_args, **_options):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(segmenter, "predict", broken)
        receive(canvas, kind="point", x=3.0, y=3.0, inside=True)
    assert canvas.error == "RuntimeError: out of memory; nothing was changed"
    assert len(canvas.session.prompt) == 0
    receive(canvas, kind="point", x=3.0, y=3.0, inside=True)
    assert canvas.error == ""


def test_a_message_that_means_nothing_changes_nothing(canvas):
    before = dict(canvas.prompts)
    receive(canvas, kind="dance")
    assert dict(canvas.prompts) == before


def test_actions_from_python_are_seen_on_the_canvas_and_by_the_choosers(explorer):
    explorer.set_box([20, 10, 40, 25])
    assert explorer.canvas.prompts["box"] == [20, 10, 40, 25]
    explorer.go_to(0)
    explorer.choose_tissue(7)
    slider, _, tissue, _ = explorer.widget.children[0].children
    assert (slider.value, tissue.value) == (0, 7)
    assert explorer.log["action"].tolist() == ["box"]


def test_choosers_change_the_session_and_a_refusal_sets_them_back(explorer):
    slider, plane, tissue, model = explorer.widget.children[0].children
    assert [name.partition(":")[0] for name, _ in tissue.options] == ["3", "7"]
    tissue.value = 7
    assert explorer.session.label == 7
    model.value = "second"
    assert explorer.session.model == "second"
    plane.value = "sagittal"
    assert (slider.max, slider.value) == (49, 25)
    assert explorer.canvas.view["edges"] == ["A", "P", "S", "I"]


def test_a_static_figure_stands_in_where_widgets_are_not_shown(explorer):
    assert "no prompt yet" in explorer.figure().get_title()
    explorer.add_point(30.0, 15.0)
    assert "prompts: 1" in explorer.figure().get_title()
    explorer.set_box([20, 10, 40, 25])
    assert "prompts: 2" in explorer.figure().get_title()


def test_an_explorer_has_the_sessions_actions_and_nothing_else(explorer):
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        explorer.fly()


def test_a_click_that_was_made_on_another_slice_is_refused(canvas):
    session, before = canvas.session, canvas.view["place"]
    session.go_to(0)
    canvas.show()
    receive(canvas, kind="point", x=12, y=20, inside=True, place=before)
    assert "another slice or tissue came on screen" in canvas.error
    assert len(session.prompt) == 0
    assert canvas.readout["answered"] == 1
    receive(canvas, request=2, kind="point", x=12, y=20, inside=True, place=canvas.view["place"])
    assert canvas.error == ""
    assert len(session.prompt) == 1


def test_slices_are_turned_by_as_many_steps_as_were_asked_for(canvas):
    canvas.session.go_to(0)
    canvas.show()
    place = canvas.view["place"]
    for request in (1, 2):  # both made while slice 0 was on screen
        receive(canvas, request=request, kind="slice", step=1, place=place)
    assert canvas.session.index == 2


# preview: what a click would show, while the pointer is there


@pytest.fixture
def sent(canvas, monkeypatch):
    """Messages to the browser, each with its mask, or without one."""
    messages = []
    monkeypatch.setattr(
        canvas,
        "send",
        lambda content, buffers=None: messages.append((content, *(buffers or [None]))),
    )
    return messages


def preview(canvas, sent, **content):
    receive(canvas, kind="preview", **{"place": canvas.view["place"], **content})
    message, bits = sent.pop()
    assert not sent  # one answer each
    assert message == {"kind": "preview"}  # no Dice
    height, width = canvas.view["height"], canvas.view["width"]
    if bits is None:
        return None
    return np.unpackbits(np.frombuffer(bits, np.uint8))[: height * width].reshape(height, width)


def test_a_preview_shows_what_the_click_or_the_box_then_gives(canvas, sent):
    asked = [
        ({"box": [20.0, 10.0, 40.0, 25.0]}, "box"),
        ({"x": 30.0, "y": 15.0, "inside": True}, "point"),
        ({"x": 12.0, "y": 7.0, "inside": False}, "point"),
    ]
    masks = []
    for content, kind in asked:
        masks.append(preview(canvas, sent, **content))
        receive(canvas, kind=kind, **content)
        assert np.array_equal(masks[-1], canvas.session.mask)
    assert (masks[1] != masks[2]).any()
    canvas.session.clear()
    assert preview(canvas, sent, x=30.0, y=15.0, inside=True).any()


def test_a_preview_is_no_step_and_changes_nothing(canvas, sent):
    receive(canvas, kind="box", box=[20.0, 10.0, 40.0, 25.0])
    before = (canvas.masks, dict(canvas.prompts), dict(canvas.readout), canvas.session.log)
    preview(canvas, sent, x=30.0, y=15.0, inside=True)
    assert (canvas.masks, canvas.prompts, canvas.readout) == before[:3]
    assert canvas.session.log.equals(before[3])
    receive(canvas, kind="undo")
    assert canvas.prompts == {"points": [], "box": None}


def test_a_preview_that_cannot_be_is_answered_with_none_and_says_nothing(
    canvas, sent, segmenter, monkeypatch
):
    assert preview(canvas, sent, x=900.0, y=3.0, inside=True) is None
    assert preview(canvas, sent, box=[3.0, 3.0, 3.0, 9.0]) is None
    assert preview(canvas, sent, x=3.0, y=3.0, inside=True, place=["axial", 0, 7]) is None
    monkeypatch.setattr(segmenter, "predict", lambda *_, **__: 1 / 0)
    assert preview(canvas, sent, x=3.0, y=3.0, inside=True) is None
    assert canvas.error == ""


def test_the_browser_is_told_whether_the_model_takes_points(canvas, segmenter, monkeypatch):
    assert canvas.readout["points"] is True
    monkeypatch.setattr(segmenter, "prompt_kinds", frozenset({"box"}))
    canvas.show()
    assert canvas.readout["points"] is False


def test_a_propagation_tells_each_slice_that_it_reached(canvas, sent):
    receive(canvas, kind="box", box=[20.0, 10.0, 40.0, 25.0])
    receive(canvas, kind="propagate")
    told = [message for message, _ in sent]
    assert {message["kind"] for message in told} == {"progress"}
    assert {message["of"] for message in told} == {3}
    reasons = canvas.session.propagation.table.set_index("slice")["reason"]
    reached = reasons[reasons != "beyond its end"].index.tolist()
    assert sorted({message["slice"] for message in told}) == reached


# Dice is hidden until those who watch have guessed it


def test_hidden_dice_does_not_reach_the_browser_nor_the_figure(explorer):
    explorer.set_box([20, 10, 40, 25])
    shown = explorer.canvas.readout
    n_drawn = len(explorer.figure().collections)
    explorer.toggle_dice()
    assert explorer.canvas.readout["dice"] == [None]
    assert explorer.canvas.readout["hidden"] is True
    assert explorer.canvas.readout["predicted_iou"] == shown["predicted_iou"]
    ax = explorer.figure()
    assert "Dice hidden" in ax.get_title()
    assert len(ax.collections) < n_drawn  # without the reference's outline
    receive(explorer.canvas, kind="dice")
    assert explorer.canvas.readout["dice"] == shown["dice"]


def test_two_structures_of_one_name_both_say_where_they_ended(canvas, monkeypatch):
    session = canvas.session
    ends = {1: "slices 1 to 2", 2: "slices 3 to 4", 3: "not shown"}
    monkeypatch.setattr(type(session.case), "tissue", lambda self, label: "vertebral body")
    session.propagation = SimpleNamespace(ends=ends, table=None)
    monkeypatch.setattr(type(session), "followed", property(lambda self: {2, 1}))
    monkeypatch.setattr(type(session), "row", property(lambda self: None))
    said = canvas._readout()["ends"]
    assert said == ["vertebral body: slices 1 to 2", "vertebral body: slices 3 to 4"]
