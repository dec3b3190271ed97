"""An object followed through a volume: where it ends and why, ranges, corrections, two labels."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import propagate
from mskseg.prompts import NeighbourBox, SlicePrompt, fill_boxes
from mskseg.volume import Volume

SIZE = 30
PLAN = NeighbourBox(margin_px=2)


class Filling:
    """Answers with what is bright in the boxes, or around the points, and how sure it is."""

    name, miniature = "filling", True
    prompt_kinds = frozenset({"box", "point"})

    def __init__(self, certainty=0.9, predicted_iou=np.nan):
        self.certainty, self.predicted_iou, self.asked = certainty, predicted_iou, []

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        self.asked.append(prompt)
        bright = embedding > 128
        boxes = prompt.boxes_xyxy
        if boxes is None:
            boxes = np.hstack([prompt.point_coords[:, 0] - 4, prompt.point_coords[:, 0] + 4])
        masks = np.stack([fill_boxes(box, bright.shape) & bright for box in boxes])[:, None]
        sure = np.where(masks, self.certainty, 0.1)
        iou = np.full((len(masks), 1), self.predicted_iou)
        return SimpleNamespace(masks=masks, probabilities=sure, predicted_iou=iou)


def make_case(*squares):
    """A slice for each (x0, y0, x1, y1) of what is bright there, None for nothing."""
    stack = np.ones((len(squares), SIZE, SIZE), np.int16)
    for k, square in enumerate(squares):
        if square is not None:
            stack[k][fill_boxes(square, (SIZE, SIZE))] = 900
    grid = Volume(np.zeros((SIZE, SIZE, len(squares))), np.diag([1.0, 1.0, 6.0, 1.0]))
    image = grid.from_stack(stack, "axial")
    return Case(subject="s1", image=Volume(image.array, grid.affine))


def box(k, *corners, label=1, **more):
    return SlicePrompt(slice=k, label=label, boxes_xyxy=(corners,), **more)


def areas(found, label=1):
    return found.table[found.table["label"] == label]["area_mm2"].tolist()


def reasons(found, label=1):
    return found.table[found.table["label"] == label]["reason"].tolist()


def test_it_is_followed_both_ways_until_nothing_is_predicted():
    square = (4, 4, 14, 14)
    case = make_case(None, None, square, square, square, None)
    found = propagate(Filling(), case, [box(3, *square)], plan=PLAN)
    assert areas(found) == [0, 0, 100, 100, 100, 0]
    nothing = "ended: nothing was predicted"
    assert reasons(found) == ["beyond its end", nothing, "followed", "prompt", "followed", nothing]
    assert found.table["overlap"].tolist()[2:5] == pytest.approx([1, np.nan, 1], nan_ok=True)
    assert found.label_map.array.sum() == 300


@pytest.mark.parametrize(
    ("plan", "predicted_iou", "reason"),
    [
        (NeighbourBox(margin_px=8, most_growth=2), np.nan, "area 2.56 times that of"),
        (NeighbourBox(margin_px=8, least_overlap=0.5), np.nan, "overlap 0.39 with"),
        (NeighbourBox(margin_px=8, least_predicted_iou=0.6), 0.5, "predicted IoU 0.50"),
    ],
)
def test_the_reason_of_an_end_is_told_and_its_slice_is_empty(plan, predicted_iou, reason):
    case = make_case((4, 4, 14, 14), (4, 4, 20, 20), (4, 4, 20, 20))
    found = propagate(Filling(predicted_iou=predicted_iou), case, [box(0, 4, 4, 14, 14)], plan=plan)
    assert areas(found) == [100, 0, 0]
    assert reasons(found)[1].startswith(f"ended: {reason}")
    assert reasons(found)[2] == "beyond its end"
    free = propagate(Filling(), case, [box(0, 4, 4, 14, 14)], plan=NeighbourBox(margin_px=8))
    assert areas(free) == [100, 256, 256]


class Unsure(Filling):
    """Of little certainty right of column 14: a thin bridge that leads out of the object."""

    def predict(self, embedding, prompt):
        answer = super().predict(embedding, prompt)
        answer.probabilities[..., 14:] = np.where(answer.masks[..., 14:], 0.6, 0.1)
        return answer


def second_box(segmenter, plan=None):
    case = make_case(*[(4, 4, 24, 14)] * 2)
    propagate(segmenter, case, [box(0, 4, 4, 24, 14)], plan=plan)
    return segmenter.asked[1].boxes_xyxy.tolist()


def test_it_ends_on_a_slice_without_signal_whatever_the_model_says():
    class Everything(Filling):
        def predict(self, embedding, prompt):
            return super().predict(np.full_like(embedding, 255), prompt)

    case = make_case(*[(10, 10, 16, 16)] * 3, None)
    found = propagate(Everything(), case, [box(0, 10, 10, 16, 16)], plan=NeighbourBox())
    assert areas(found)[-1] == 0
    assert found.table["reason"].tolist()[-1] == "ended: the slice has no signal"


def test_what_the_model_is_not_sure_of_is_not_boxed():
    boxes = {
        least: second_box(Unsure(), NeighbourBox(margin_px=1, least_probability=least))
        for least in (0.5, 0.8)
    }
    assert boxes == {0.5: [[3, 3, 25, 15]], 0.8: [[3, 3, 15, 15]]}


def test_by_default_the_whole_mask_is_boxed_for_a_model_that_takes_boxes_alone():
    """It learned from boxes around objects, never from tighter ones."""
    either, alone = Unsure(), Unsure()
    alone.prompt_kinds = frozenset({"box"})
    assert second_box(either) == [[2, 2, 16, 16]]
    assert second_box(alone) == [[2, 2, 26, 16]]


def test_a_range_is_not_left():
    square, segmenter = (4, 4, 14, 14), Filling()
    case = make_case(*[square] * 6)
    found = propagate(segmenter, case, [box(3, *square)], slices=(2, 4), plan=PLAN)
    assert found.table["slice"].tolist() == [2, 3, 4]
    assert len(segmenter.asked) == 3
    assert found.label_map.stack("axial").any(axis=(1, 2)).tolist() == [0, 0, 1, 1, 1, 0]
    for wrong in ((4, 2), (0, 6), (-1, 3)):
        with pytest.raises(InputError, match=r"range .* does not fit: the axial slices are 0 to 5"):
            propagate(Filling(), case, [box(3, *square)], slices=wrong)
    with pytest.raises(InputError, match="a prompt is on slice 3, outside the range 4 to 5"):
        propagate(Filling(), case, [box(3, *square)], slices=(4, 5))
    with pytest.raises(InputError, match=r"prompt 0 \(slice 3\): the box .* reaches outside"):
        propagate(Filling(), case, [box(3, 4, 4, 31, 14)])


def test_a_correction_mends_its_slice_and_what_follows_and_loses_nothing():
    """The object jumps aside on slice 3, where it is lost until somebody says where it is."""
    here, there = (2, 2, 12, 12), (16, 16, 26, 26)
    case = make_case(here, here, here, there, there, there)
    first = box(1, *here)
    before = propagate(Filling(), case, [first], plan=PLAN)
    assert areas(before) == [100, 100, 100, 0, 0, 0]
    for mend in (
        box(4, *there, correction=True),
        SlicePrompt(slice=4, point_coords=((20.5, 20.5),), point_labels=(1,)),
    ):
        after = propagate(Filling(), case, [first, mend], plan=PLAN)
        assert areas(after)[:4] == areas(before)[:4]
        assert all(area > 0 for area in areas(after)[4:])
        assert reasons(after)[4:] == ["correction", "followed"]
    marked = propagate(Filling(), case, [first, box(3, *there)], plan=PLAN)
    assert reasons(marked)[:4] == ["followed", "prompt", "between two prompts", "prompt"]


def test_the_surer_of_two_labels_has_a_pixel():
    case = make_case((4, 4, 14, 14))
    found = {}
    for sure in (0.7, 0.95):

        class Two(Filling):
            def predict(self, embedding, prompt, sure=sure):
                answer = super().predict(embedding, prompt)
                answer.probabilities[1:] = np.where(answer.masks[1:], sure, 0)
                return answer

        entries = [box(0, 4, 4, 12, 14), box(0, 8, 4, 14, 14, label=300)]
        label_map = propagate(Two(certainty=0.8), case, entries).label_map
        found[sure] = [int((label_map.array == label).sum()) for label in (1, 300)]
    assert found == {0.7: [80, 20], 0.95: [40, 60]}


def test_labels_of_different_kinds_of_prompt_are_followed_together():
    square = (4, 4, 14, 14)
    case = make_case(square, square)
    point = SlicePrompt(slice=0, label=2, point_coords=((9.0, 9.0),), point_labels=(1,))
    found = propagate(Filling(), case, [box(0, *square), point], plan=PLAN)
    assert areas(found) == [100, 100]
    assert areas(found, 2)[0] == 64
