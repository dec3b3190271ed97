"""A reader's session: what an action changes, what it leaves, and what a bad one says."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import mskseg
from mskseg.case import Case
from mskseg.display.canvas import Session
from mskseg.errors import InputError
from mskseg.io import load_label_map
from mskseg.prompts import fill_boxes
from mskseg.volume import LabelMap, Volume

# Not square, voxels are no cubes, and the file runs from left to right and head first.
AFFINE = np.array([[-1.0, 0, 0, 40], [0, 2.0, 0, -30], [0, 0, -6.0, 20], [0, 0, 0, 1]])


def make_case(n_slices: int = 4, subject: str = "a") -> Case:
    labels = np.zeros((80, 40, n_slices), np.int16)
    labels[20:50, 10:25, 1:] = 3
    labels[60:70, 5:9, :] = 7
    image = 100.0 * (labels == 3) + 40 * (labels == 7) + 10
    return Case(
        subject=subject,
        image=Volume(image, AFFINE),
        reference=LabelMap(labels, AFFINE),
        tissues={3: "femur", 7: "patella"},
    )


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


@pytest.fixture
def session(segmenter):
    return Session(make_case(), {"sam_vit_mini": segmenter})


def inside(session) -> tuple[float, float]:
    y, x = np.argwhere(session.reference).mean(axis=0)
    return float(x) + 0.5, float(y) + 0.5


def state(session):
    return (session.plane, session.index, session.label, session.prompt, len(session.log))


def box_of(session):
    rows, columns = np.nonzero(session.reference)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_it_starts_on_the_slice_that_shows_most_of_the_first_tissue(session):
    assert session.reference.sum() == 30 * 15
    assert session.scored is None


def test_a_point_gives_three_masks_and_a_second_one_settles_it(session):
    session.add_point(*inside(session))
    assert len(session.scored.masks) == 3
    assert (np.diff(session.scored.predicted_iou) <= 0).all()
    session.add_point(1.5, 1.5, inside=False)
    assert len(session.scored.masks) == 1


def test_the_mask_is_that_of_the_segmenter(session, segmenter):
    session.set_box(box_of(session))
    embedding = segmenter.embed(session.slice.image)
    expected = segmenter.predict(embedding, boxes_xyxy=box_of(session)).masks[0, 0]
    assert np.array_equal(session.mask, expected)
    assert session.scored.dice[0] > 0.8


def test_next_mask_takes_another_of_the_three_and_undo_takes_it_back(session):
    session.add_point(*inside(session))
    first = session.mask
    session.next_mask()
    assert session.chosen == 1
    session.undo()
    assert np.array_equal(session.mask, first)


def test_undo_goes_back_to_where_the_step_was(session):
    session.set_box(box_of(session))
    asked = session.index
    session.go_to(0)
    session.choose_tissue(7)
    session.undo()
    assert (session.index, session.label, len(session.prompt)) == (asked, 3, 0)
    session.undo()  # nothing left: nothing happens
    assert session.scored is None


def test_a_cleared_slice_has_no_mask_and_can_be_had_back(session):
    session.set_box(box_of(session))
    session.clear()
    assert not session.mask.any()
    session.undo()
    assert session.mask.any()


def test_slices_and_tissues_keep_what_was_asked_of_them(session):
    session.set_box(box_of(session))
    before = session.prompt
    session.go_to(0)
    session.choose_tissue(7)
    assert len(session.prompt) == 0
    session.choose_tissue(3)
    session.go_to(int(np.argmax(session.case.reference.stack("axial").sum((1, 2)))))
    assert session.prompt is before


def test_every_step_is_in_the_log_with_dice_and_time(session):
    session.add_point(*inside(session))
    session.set_box(box_of(session))
    log = session.log
    assert log["action"].tolist() == ["point", "box"]
    assert log["dice"].iloc[-1] == session.scored.dice[0]
    assert (log["tissue"] == "femur").all()
    assert log["seconds"].is_monotonic_increasing


def test_the_saved_mask_lies_on_the_images_own_grid(session, tmp_path):
    session.set_box(box_of(session))
    index = session.index
    session.choose_tissue(7)
    session.set_box(box_of(session))
    session.save_mask(tmp_path / "all.nii.gz")
    saved = load_label_map(tmp_path / "all.nii.gz")
    np.testing.assert_allclose(saved.affine, AFFINE)
    assert set(saved.labels) == {3, 7}
    session.choose_tissue(3)
    only = np.array(session.mask)
    session.save_mask(tmp_path / "one.nii.gz", this_slice=True)
    assert np.array_equal(load_label_map(tmp_path / "one.nii.gz").slice("axial", index) == 3, only)


def test_saved_prompts_give_the_same_masks_and_the_same_hash(session, segmenter, tmp_path):
    session.set_box(box_of(session))
    session.add_point(*inside(session))
    first = session.save_prompts(tmp_path / "prompts.json")
    other = Session(make_case(), {"sam_vit_mini": segmenter})
    assert other.load_prompts(tmp_path / "prompts.json") == first
    assert other.save_prompts(tmp_path / "again.json") == first
    assert np.array_equal(other.mask, session.mask)
    other.add_point(*inside(other))
    assert other.save_prompts(tmp_path / "more.json") != first


# bad input: a clear message, and the state before it intact


def refused(session, action, match):
    before = state(session)
    with pytest.raises(InputError, match=match):
        action()
    assert state(session) == before


def test_a_click_outside_the_image(session):
    refused(session, lambda: session.add_point(81.0, 3.0), "outside the slice of 80 columns")


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 5, 4, 9], [5, 5, 5, 5]])
def test_a_box_of_no_area(session, box):
    refused(session, lambda: session.set_box(box), "box")


def test_coordinates_that_are_no_numbers(session):
    refused(session, lambda: session.add_point(float("nan"), 3.0), "NaN|finite")


def test_slices_planes_tissues_and_models_that_are_not_there(session):
    refused(session, lambda: session.go_to(4), "the axial slices are 0 to 3")
    refused(session, lambda: session.choose_plane("oblique"), "plane")
    refused(session, lambda: session.choose_tissue(99), "label 99 is not there")
    refused(session, lambda: session.choose_model("sam_vit_h"), "no model 'sam_vit_h' here")
    refused(session, session.next_mask, "one mask only")
    refused(session, lambda: session.save_prompts("x.json"), "no prompt to save")
    refused(session, lambda: session.save_mask("x.nii.gz"), "there is no mask to save")


def test_a_prompts_file_of_another_image(session, segmenter, tmp_path):
    case = make_case(subject="b")
    brighter = replace(case, image=case.image.with_array(case.image.array + 1))
    for each in (case, brighter):  # another name is no other image
        other = Session(each, {"sam_vit_mini": segmenter})
        other.set_box(box_of(other))
        other.save_prompts(tmp_path / f"{each is case}.json")
    refused(session, lambda: session.load_prompts(tmp_path / "False.json"), "are of another image")
    session.load_prompts(tmp_path / "True.json")


def test_a_prompts_file_that_fits_only_in_part_changes_nothing(session, tmp_path):
    good = {"slice": 1, "label": 3, "boxes_xyxy": [[2, 2, 20, 20]]}
    bad = {"slice": 40, "label": 3, "boxes_xyxy": [[2, 2, 20, 20]]}
    (tmp_path / "p.json").write_text(json.dumps({"plane": "axial", "prompts": [good, bad]}))
    before = dict(session._prompts)
    with pytest.raises(InputError, match="the prompt of slice 40 does not fit"):
        session.load_prompts(tmp_path / "p.json")
    assert session._prompts == before


def test_a_prompts_file_with_a_label_that_is_not_there_changes_nothing(session, tmp_path):
    other = {"slice": 1, "label": 5, "boxes_xyxy": [[2, 2, 20, 20]]}
    (tmp_path / "p.json").write_text(json.dumps({"plane": "axial", "prompts": [other]}))
    refused(session, lambda: session.load_prompts(tmp_path / "p.json"), "are of label 5")


def test_a_slice_seen_again_with_another_model_has_that_models_mask(segmenter):
    sibling = mskseg.load_segmenter("medsam_vit_mini")
    session = Session(make_case(), {"a": segmenter, "b": sibling})
    place = session.index
    session.set_box(box_of(session))
    session.go_to(place + 1)
    session.choose_model("b")
    session.go_to(place)
    assert np.array_equal(session.mask, session.scored.masks[0])


def test_a_model_that_fails_in_the_middle_changes_nothing(session, segmenter):
    session.set_box(box_of(session))
    before, mask = state(session), np.array(session.mask)

    def broken(*_args, **_options):
        raise RuntimeError("out of memory")

    failing = SimpleNamespace(embed=segmenter.embed, predict=broken)
    session.segmenters = {**session.segmenters, "failing": failing}
    with pytest.raises(RuntimeError, match="out of memory"):
        session.choose_model("failing")
    assert state(session) == before
    assert session.model == "sam_vit_mini"
    assert np.array_equal(session.mask, mask)


def test_an_image_of_one_slice(segmenter):
    session = Session(make_case(n_slices=2), {"m": segmenter})
    session.go_to(1)
    single = Session(
        Case(subject="a", image=Volume(np.random.default_rng(0).random((30, 20, 1)), np.eye(4))),
        {"m": segmenter},
    )
    assert single.n_slices == 1
    single.add_point(5.5, 5.5)
    assert np.isnan(single.scored.dice).all()
    refused(single, lambda: single.go_to(1), "slices are 0 to 0")


def test_a_very_large_slice(segmenter):
    image = np.zeros((2048, 2048, 1), np.uint8)
    image[500:1500, 600:1200] = 200
    session = Session(Case(subject="a", image=Volume(image, np.eye(4))), {"m": segmenter})
    session.choose_plane("axial")
    session.set_box([500, 600, 1500, 1200])
    assert session.mask.shape == (2048, 2048)
    assert session.mask.any()


def test_no_model_is_refused():
    with pytest.raises(InputError, match="expected one segmenter or more, got none"):
        Session(make_case(), {})


# propagation


class Bright:
    """Answers with what is bright in the boxes, or around a point, once or three times."""

    name, miniature = "bright", True
    prompt_kinds = frozenset({"box", "point"})

    def embed(self, image):
        return SimpleNamespace(image=image, encode_s=0.0)

    def predict(self, embedding, prompt, multimask=False):
        bright, boxes = embedding.image > 128, prompt.boxes_xyxy
        if boxes is None:
            boxes = np.hstack([prompt.point_coords[:, 0] - 4, prompt.point_coords[:, 0] + 4])
        masks = np.stack([fill_boxes(box, bright.shape) & bright for box in boxes])[:, None]
        masks = np.repeat(masks, 3 if multimask else 1, axis=1)
        return SimpleNamespace(masks=masks, predicted_iou=np.full(masks.shape[:2], 0.9))


@pytest.fixture
def tube():
    """A session with a bright square that moves up and right by 2 pixels a slice, on slices 1-6."""
    labels = np.zeros((40, 40, 8), np.int16)
    for k in range(1, 7):
        labels[4 + 2 * k : 14 + 2 * k, 6:16, k] = 3
    image = Volume(900.0 * labels + 10, np.diag([1.0, 1.0, 6.0, 1.0]))
    case = Case(subject="tube", image=image, reference=LabelMap(labels, image.affine))
    session = Session(case, {"bright": Bright()})
    session.go_to(3)
    return session


def test_what_is_prompted_once_is_shown_on_every_slice_of_every_plane_and_saved(tube, tmp_path):
    tube.set_box(box_of(tube))
    found = tube.propagate()
    assert found is tube.propagation
    assert found.ends == {
        3: "slices 1 to 6 (below: nothing was predicted; above: nothing was predicted)"
    }
    for k in range(8):
        tube.go_to(k)
        assert np.array_equal(tube.mask, tube.reference), k
        assert tube.row["reason"] == found.table["reason"][k]
    tube.choose_plane("coronal")
    tube.go_to(10)
    assert tube.mask.any()
    assert np.array_equal(tube.mask, tube.reference)
    tube.choose_plane("axial")
    tube.save_mask(tmp_path / "all.nii.gz")
    saved = load_label_map(tmp_path / "all.nii.gz")
    assert np.array_equal(saved.array, tube.case.reference.array)
    assert tube.log["action"].tolist() == ["box", "propagate"]


def test_a_box_on_a_later_slice_mends_it_and_what_follows_and_keeps_the_rest(tube, tmp_path):
    tube.set_box(box_of(tube))
    before = tube.propagate().label_map.stack("axial")
    tube.go_to(5)
    x0, y0, x1, y1 = box_of(tube)
    tube.set_box([x0, y0, x1, y1 - 3])  # the reader's opinion: the lower part is another muscle
    tube.save_mask(tmp_path / "at_once.nii.gz")
    at_once = load_label_map(tmp_path / "at_once.nii.gz").stack("axial")
    assert [int((at_once[k] > 0).sum()) for k in (4, 5, 6)] == [100, 70, 100]
    after = tube.propagate().label_map.stack("axial")
    assert np.array_equal(after[:5], before[:5])
    assert (after[5] > 0).sum() == 70
    assert 0 < (after[6] > 0).sum() < 100
    assert tube.row["reason"] == "correction"

    tube.save_prompts(tmp_path / "prompts.json")
    again = Session(tube.case, {"bright": Bright()})
    again.load_prompts(tmp_path / "prompts.json")
    assert np.array_equal(again.propagate().label_map.stack("axial"), after)


def test_a_box_on_a_later_slice_before_anything_was_followed_is_a_marker(tube):
    for k in (1, 5):
        tube.go_to(k)
        tube.set_box(box_of(tube))
    reasons = tube.propagate().table["reason"].tolist()
    assert reasons[1:6] == ["prompt", *["between two prompts"] * 3, "prompt"]


def test_the_first_point_on_a_followed_slice_refines_the_box_that_was_carried_there(tube):
    tube.set_box(box_of(tube))
    tube.propagate()
    tube.go_to(4)
    carried = tube.row[["x0", "y0", "x1", "y1"]].tolist()
    _, _, x1, y1 = box_of(tube)
    tube.add_point(x1 - 0.5, y1 - 0.5, inside=False)
    assert tube.prompt.boxes_xyxy.tolist() == [carried]
    assert tube.counts == (1, 1)
    tube.clear()
    assert np.array_equal(tube.mask, tube.reference)  # the followed mask is back


def test_without_the_prompt_it_was_followed_by_a_tissue_is_not_shown_and_undo_brings_it_back(
    tube, tmp_path
):
    tube.set_box(box_of(tube))
    tube.propagate()
    tube.go_to(5)
    assert tube.mask.any()
    tube.go_to(3)
    tube.clear()
    assert not tube.mask.any()
    tube.go_to(5)
    assert tube.mask is None
    assert tube.row is None
    assert tube.followed == set()
    refused(tube, lambda: tube.save_mask(tmp_path / "none.nii.gz"), "no mask to save yet")
    tube.undo()
    tube.go_to(5)
    assert np.array_equal(tube.mask, tube.reference)
    assert tube.followed == {3}


def test_the_chosen_mask_of_a_point_is_boxed_and_followed(tube):
    x0, y0, x1, y1 = box_of(tube)
    tube.add_point((x0 + x1) / 2, (y0 + y1) / 2)
    tube.next_mask()
    mask = tube.mask
    tube.propagate()
    assert tube.counts == (1, 1)
    assert tube.chosen == 0
    assert np.array_equal(tube.mask, mask)


def test_without_a_prompt_or_outside_the_range_nothing_is_followed(tube):
    refused(tube, tube.propagate, "no prompt to follow yet; click or draw a box first")
    tube.set_box(box_of(tube))
    refused(tube, lambda: tube.propagate(slices=(4, 6)), "outside the range 4 to 6")
    assert tube.propagation is None
    tube.propagate(slices=(2, 4))
    tube.go_to(6)
    assert not tube.mask.any()


def test_a_plane_is_shown_again_where_it_was_left_and_one_call_goes_anywhere(tube, session):
    tube.choose_plane("coronal")
    tube.choose_plane("axial")
    assert tube.index == 3
    other = session.labels[-1]
    session.go_to(2, plane="coronal", label=other)
    assert (session.plane, session.index, session.label) == ("coronal", 2, other)


def test_a_tissue_is_chosen_by_its_number_and_the_message_tells_the_names(session):
    names = f"{session.labels[0]} \\({session.case.tissue(session.labels[0])}\\)"
    refused(session, lambda: session.choose_tissue("muscle"), f"'muscle' is not there.*{names}")
    refused(session, lambda: session.go_to(0, label=99), f"99 is not there.*{names}")


def test_a_box_of_three_numbers_is_refused_in_words(session):
    refused(session, lambda: session.set_box([1, 2, 3]), "boxes")
