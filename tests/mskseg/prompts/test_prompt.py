"""One `Prompt` for all kinds: length, parts, joining, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg.prompts import Prompt

BOXES = np.array([[0, 0, 2, 2.0], [1, 1, 4, 4], [2, 2, 5, 5]])


def points(n, each=1):
    coords = np.arange(2.0 * n * each).reshape(n, each, 2)
    return Prompt(point_coords=coords, point_labels=np.ones((n, each), np.int64))


def test_a_prompt_is_as_long_as_what_it_holds():
    assert len(Prompt()) == len(Prompt(boxes_xyxy=np.empty((0, 4)))) == 0
    assert len(Prompt(boxes_xyxy=BOXES)) == len(points(3, each=2)) == 3
    assert len(Prompt(mask_logits=np.zeros((2, 8, 8), np.float32))) == 2


def test_a_part_keeps_every_kind_for_the_same_objects():
    logits = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((4, 4), np.float32)
    part = Prompt(boxes_xyxy=BOXES, mask_logits=logits)[1:]
    assert len(part) == 2
    assert part.boxes_xyxy.tolist() == BOXES[1:].tolist()
    assert part.mask_logits[:, 0, 0].tolist() == [1, 2]
    assert part.point_coords is None


def test_prompts_are_joined_in_order_and_empty_ones_left_out():
    joined = Prompt.joined([Prompt(boxes_xyxy=BOXES[:1]), Prompt(), Prompt(boxes_xyxy=BOXES[1:])])
    assert joined.boxes_xyxy.tolist() == BOXES.tolist()
    assert joined.point_coords is None
    assert points(2).point_coords.tolist() == Prompt.joined([points(2)]).point_coords.tolist()


def test_nothing_joined_is_nothing_of_the_same_kind():
    assert len(Prompt.joined([])) == 0
    assert Prompt.joined([Prompt(boxes_xyxy=np.empty((0, 4)))]).boxes_xyxy.shape == (0, 4)


@pytest.mark.parametrize("other", [points(1), Prompt(boxes_xyxy=BOXES, mask_logits=BOXES)])
def test_different_kinds_are_not_joined(other):
    with pytest.raises(InputError, match="expected prompts of one kind"):
        Prompt.joined([Prompt(boxes_xyxy=BOXES), other])


def test_prompts_of_different_numbers_of_points_are_not_joined():
    with pytest.raises(InputError, match="equally many points"):
        Prompt.joined([points(1, each=1), points(1, each=2)])


def test_a_single_box_and_the_points_of_one_prompt_get_their_first_axis():
    checked = Prompt.checked([1, 2, 3, 4], [[1, 2], [3, 4]], [1, 0], image_shape=(20, 30))
    assert len(checked) == 1
    assert checked.boxes_xyxy.shape == (1, 4)
    assert checked.point_coords.shape == (1, 2, 2)
    assert checked.point_labels.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "expected a prompt, got none; pass boxes_xyxy"),
        ({"point_coords": [[1, 2]]}, "together with point_labels"),
        ({"boxes_xyxy": [[1, 2, 3, 21]]}, "outside the slice"),
        ({"mask_logits": np.zeros(5)}, r"expected mask logits of shape \(N, h, w\), got \(5,\)"),
        ({"boxes_xyxy": BOXES, "mask_logits": np.zeros((2, 8, 8))}, "got boxes for 3, mask"),
    ],
)
def test_what_does_not_fit_a_slice_is_refused(prompt, message):
    with pytest.raises(InputError, match=message):
        Prompt.checked(**prompt, image_shape=(20, 30))
