"""The prompts of one object on several slices: markers, corrections, what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg.prompts import Prompt, SlicePrompt
from mskseg.prompts.tracks import tracks_of

CARRIED = Prompt(boxes_xyxy=np.array([[10.0, 10, 20, 20], [30, 12, 34, 18]]))


def entry(k, box=None, point=None, sign=1, label=1, **more):
    points = {} if point is None else {"point_coords": (point,), "point_labels": (sign,)}
    boxes = {} if box is None else {"boxes_xyxy": (box,)}
    return SlicePrompt(slice=k, label=label, **boxes, **points, **more)


def track(*entries):
    return tracks_of(entries)[1]


def boxes_at(found, position, step, carried=CARRIED):
    prompt, source = found.prompt_at(position, step, carried)
    return None if prompt.boxes_xyxy is None else prompt.boxes_xyxy.tolist(), source


def test_between_two_boxes_every_side_moves_evenly_with_the_slice():
    found = track(entry(4, (0, 0, 10, 10)), entry(8, (4, 8, 22, 10)))
    assert boxes_at(found, 5, 1) == ([[1, 2, 13, 10]], "between two prompts")
    assert boxes_at(found, 7, 1) == ([[3, 6, 19, 10]], "between two prompts")
    assert boxes_at(found, 9, 1) == (CARRIED.boxes_xyxy.tolist(), "followed")
    assert boxes_at(found, 3, -1)[1] == "followed"


def test_it_is_followed_away_from_its_first_prompt_only():
    found = track(entry(6, (0, 0, 10, 10)), entry(2, (4, 0, 14, 10)))
    assert found.first == 6
    assert boxes_at(found, 5, 1) == (None, "")
    assert boxes_at(found, 5, -1) == ([[1, 0, 11, 10]], "between two prompts")
    assert boxes_at(found, 6, 1) == ([[0, 0, 10, 10]], "prompt")


def test_a_box_that_corrects_is_no_end_of_an_interpolation():
    found = track(entry(4, (0, 0, 10, 10)), entry(8, (4, 8, 20, 10), correction=True))
    assert boxes_at(found, 6, 1) == (CARRIED.boxes_xyxy.tolist(), "followed")
    assert boxes_at(found, 8, 1) == ([[4, 8, 20, 10]], "correction")
    assert boxes_at(found, 9, 1)[1] == "followed"


def test_a_correction_between_two_boxes_leaves_what_lies_before_it():
    found = track(
        entry(0, (0, 0, 10, 10)), entry(8, (8, 8, 18, 18)), entry(4, (1, 1, 5, 5), correction=True)
    )
    assert boxes_at(found, 2, 1) == ([[2, 2, 12, 12]], "between two prompts")
    assert boxes_at(found, 4, 1) == ([[1, 1, 5, 5]], "correction")
    assert boxes_at(found, 6, 1)[1] == "followed"


def test_a_point_refines_the_carried_box_widened_to_hold_it():
    found = track(entry(4, (0, 0, 10, 10)), entry(6, point=(40.5, 15.5)))
    prompt, source = found.prompt_at(6, 1, CARRIED)
    assert source == "correction"
    assert prompt.boxes_xyxy.tolist() == [[10, 10, 40.5, 20]]
    assert prompt.point_coords.tolist() == [[[40.5, 15.5]]]
    outside = track(entry(4, (0, 0, 10, 10)), entry(6, point=(40.5, 15.5), sign=0))
    assert boxes_at(outside, 6, 1)[0] == [[10, 10, 34, 20]]


def test_a_point_beyond_the_end_stands_alone_and_one_alone_is_the_first_prompt():
    ended = Prompt(boxes_xyxy=np.empty((0, 4)))
    found = track(entry(4, (0, 0, 10, 10)), entry(6, point=(5.5, 5.5)))
    assert boxes_at(found, 6, 1, ended) == (None, "correction")
    alone = track(entry(6, point=(5.5, 5.5)))
    assert boxes_at(alone, 6, 1, ended) == (None, "prompt")
    assert alone.first == 6


def test_other_numbers_of_boxes_are_followed_and_labels_have_tracks_of_their_own():
    two = SlicePrompt(slice=8, boxes_xyxy=((0, 0, 4, 4), (6, 0, 9, 4)))
    found = tracks_of([entry(4, (0, 0, 10, 10)), two, entry(5, (1, 1, 2, 2), label=9)])
    assert sorted(found) == [1, 9]
    assert boxes_at(found[1], 6, 1)[1] == "followed"
    assert tracks_of([two], first_slice=3)[1].first == 5


def test_kinds_that_one_call_cannot_answer_are_refused():
    with pytest.raises(InputError, match="label 1 on slice 4: expected prompts of one kind"):
        track(entry(4, (0, 0, 10, 10)), entry(4, point=(3.5, 3.5)))
