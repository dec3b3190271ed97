"""The loop over slices and labels, and what is carried from one slice to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_cases import BrightFilling

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.loop import prompt_slice, prompted_slices
from mskseg.evaluation.prediction import SlicePredictor
from mskseg.prompts import NeighbourBox, OracleBox, OraclePoint, Prompt
from mskseg.prompts.tracks import Track
from mskseg.volume import LabelMap, Volume

N_SLICES, SIZE = 6, 30


@pytest.fixture
def case():
    """Label 2 in two pieces and a speck, label 5 on one slice of the four that have a label."""
    labels = np.zeros((N_SLICES, SIZE, SIZE), np.int16)
    labels[1:5, 2:10, 2:10] = labels[1:5, 2:10, 15:23] = labels[1:5, 25, 25] = 2
    labels[3, 15:22, 5:20] = 5
    grid = Volume(np.zeros((SIZE, SIZE, N_SLICES)), np.diag([1.0, 1.0, 6.0, 1.0]))
    reference = LabelMap(grid.from_stack(labels, "axial").array, grid.affine)
    image = Volume(np.where(reference.array > 0, 900, 1).astype(np.int16), grid.affine)
    return Case(subject="s1", image=image, reference=reference)


def test_each_slice_comes_with_its_labels_references_and_prompts(case):
    every = list(prompted_slices(case, OracleBox()))
    assert [len(each.labels) for each in every] == [0, 1, 1, 2, 1, 0]
    (third,) = (each for each in every if each.case_slice.index == 3)
    assert third.labels == (2, 5)
    assert third.references[5].sum() == 7 * 15
    assert [len(third.prompts[label]) for label in third.labels] == [2, 1]
    assert third.promptable_px == {2: 2 * 64, 5: 7 * 15}


def test_the_joined_prompt_is_in_the_order_of_the_labels(case):
    prompted = prompt_slice(case, case.slice(3), OracleBox())
    assert prompted.prompt.boxes_xyxy.tolist() == [[2, 2, 10, 10], [15, 2, 23, 10], [5, 15, 20, 22]]
    assert prompted.rows(2) == slice(0, 2)
    assert prompted.rows(5) == slice(2, 3)


def test_a_label_without_a_prompt_is_kept_with_an_empty_one(case):
    half_mm = case.image.affine @ np.diag([0.5, 0.5, 1, 1])
    image, reference = (replace(v, affine=half_mm) for v in (case.image, case.reference))
    case = replace(case, image=image, reference=reference)
    prompted = prompt_slice(case, case.slice(3), OraclePoint())
    assert prompted.labels == (2, 5)
    assert len(prompted.prompt) == 0
    assert prompted.promptable_px == {2: 0, 5: 0}


def test_steps_count_all_slices_or_the_labelled_ones(case):
    assert [each.case_slice.index for each in prompted_slices(case, OracleBox(), slice_step=2)] == [
        0,
        2,
        4,
    ]
    labelled = prompted_slices(case, OracleBox(), slice_step=2, labelled_only=True)
    assert [each.case_slice.index for each in labelled] == [1, 3]


def test_the_bar_counts_slices_and_is_off_by_default(case, capsys):
    assert len(list(prompted_slices(case, OracleBox()))) == N_SLICES
    assert capsys.readouterr().err == ""
    assert len(list(prompted_slices(case, OracleBox(), progress=True, description="go"))) == 6
    assert "go: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cases", "more", "message"),
    [
        ([], {}, "expected one case or more, got none"),
        (None, {"slice_step": 0}, "expected a step of 1 slice or more, got 0"),
    ],
)
def test_what_cannot_be_gone_through_is_refused(case, cases, more, message):
    with pytest.raises(InputError, match=message):
        next(prompted_slices(case if cases is None else cases, OracleBox(), **more))


def test_oracle_prompts_need_a_reference(case):
    bare = Case(subject="s1", image=case.image)
    with pytest.raises(InputError, match="has no reference, expected one"):
        next(prompted_slices(bare, OracleBox()))
    with pytest.raises(InputError, match="expected a reference to take prompts from"):
        prompt_slice(bare, bare.slice(3), OracleBox())


def test_one_box_travels_through_a_volume_without_a_reference(case):
    bare = Case(subject="s1", image=case.image)
    slices = list(bare.slices())
    tracks = {7: Track({3: Prompt(boxes_xyxy=np.array([[2.0, 2, 10, 10]]))})}
    predictor = SlicePredictor(BrightFilling())
    found = predictor.propagate(bare, slices, tracks, NeighbourBox(margin_px=1))
    assert [sorted(each) for each in found] == [[7]] * N_SLICES
    assert [int(each[7].prediction.sum()) for each in found] == [0, 64, 64, 64, 64, 0]
    assert found[4][7].prompt.boxes_xyxy.tolist() == [[1, 1, 11, 11]]
    assert not found[4][7].reference.any()
