"""Prompt plans: what they ask for, from which mask, and how the table will call them."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg.prompts.plans import (
    NeighbourBox,
    OracleBox,
    OraclePoint,
)

HOW = {"spacing_mm": (1.0, 1.0), "key": ("case", "axial", 7, 3)}


@pytest.fixture
def mask():
    """Two large squares and a speck of 4 mm2."""
    mask = np.zeros((60, 80), dtype=bool)
    mask[10:20, 5:25] = mask[30:50, 40:60] = mask[55:57, 70:72] = True
    return mask


def test_an_oracle_box_is_tight_and_leaves_the_speck_out(mask):
    given = OracleBox().prompt_for(mask, **HOW)
    assert given.boxes_xyxy.tolist() == [[5, 10, 25, 20], [40, 30, 60, 50]]
    assert len(given) == 2


def test_a_margin_widens_every_side(mask):
    given = OracleBox(margin_px=3).prompt_for(mask, **HOW)
    assert given.boxes_xyxy[0].tolist() == [2, 7, 28, 23]


def test_jitter_moves_every_side_within_its_amount_and_not_all_alike(mask):
    tight = OracleBox().prompt_for(mask, **HOW).boxes_xyxy
    moved = OracleBox(jitter_px=4).prompt_for(mask, **HOW).boxes_xyxy - tight
    assert np.abs(moved).max() <= 4
    assert len(np.unique(moved)) == 8


def test_jitter_depends_on_seed_and_key_alone(mask):
    plan = OracleBox(jitter_px=4)
    first = plan.prompt_for(mask, **HOW).boxes_xyxy
    assert (plan.prompt_for(mask, **HOW).boxes_xyxy == first).all()
    other_slice = plan.prompt_for(mask, **{**HOW, "key": ("case", "axial", 8, 3)})
    other_seed = OracleBox(jitter_px=4, seed=1).prompt_for(mask, **HOW)
    assert (other_slice.boxes_xyxy != first).any()
    assert (other_seed.boxes_xyxy != first).any()


@pytest.mark.parametrize("n", [1, 4])
def test_oracle_points_lie_inside_their_own_component(mask, n):
    given = OraclePoint(n=n).prompt_for(mask, **HOW)
    assert given.point_coords.shape == (2, n, 2)
    assert (given.point_labels == 1).all()
    boxes = OracleBox().prompt_for(mask, **HOW).boxes_xyxy
    for points, (x0, y0, x1, y1) in zip(given.point_coords, boxes, strict=True):
        assert (points > (x0, y0)).all()
        assert (points < (x1, y1)).all()


def test_the_first_point_is_the_central_one_whatever_the_number(mask):
    one, five = (OraclePoint(n=n).prompt_for(mask, **HOW).point_coords for n in (1, 5))
    assert (one[:, 0] == five[:, 0]).all()


def test_an_empty_mask_gives_no_prompts():
    for plan in (OracleBox(jitter_px=2, margin_px=1), OraclePoint(n=3)):
        assert len(plan.prompt_for(np.zeros((9, 9), dtype=bool), **HOW)) == 0


def test_the_neighbour_plan_boxes_what_was_predicted(mask):
    given = NeighbourBox(margin_px=2).next_prompt(mask, spacing_mm=(1, 1))
    assert given.boxes_xyxy.tolist() == [[3, 8, 27, 22], [38, 28, 62, 52]]


def test_the_neighbour_plan_has_nothing_to_box_where_nothing_was_predicted():
    empty = np.zeros((9, 9), dtype=bool)
    given = NeighbourBox(margin_px=2).next_prompt(empty, spacing_mm=(1, 1))
    assert given.boxes_xyxy.shape == (0, 4)


def test_fragments_of_a_prediction_do_not_multiply_from_slice_to_slice(mask, monkeypatch):
    monkeypatch.setattr("mskseg.prompts.plans.MAX_BOXES", 1)
    given = NeighbourBox(margin_px=0).next_prompt(mask, spacing_mm=(1, 1))
    assert given.boxes_xyxy.tolist() == [[40, 30, 60, 50]]  # the largest of three


@pytest.mark.parametrize(
    ("plan", "prompt", "box_source"),
    [
        (OracleBox(), "box", "oracle"),
        (OracleBox(jitter_px=5), "box", "oracle, jitter 5 px"),
        (
            OracleBox(jitter_px=5, margin_px=2, seed=3),
            "box",
            "oracle, margin 2 px, jitter 5 px, seed 3",
        ),
        (OraclePoint(), "point", "oracle"),
        (OraclePoint(n=10), "point", "oracle, 10 points"),
        (NeighbourBox(margin_px=2), "box", "neighbour, margin 2 px"),
        (
            NeighbourBox(least_probability=0.8, least_overlap=0.5),
            "box",
            "neighbour, margin 2 px, p above 0.8, overlap from 0.5",
        ),
    ],
)
def test_the_table_names_plans_so_that_they_can_be_told_apart(plan, prompt, box_source):
    assert (plan.kind, plan.box_source) == (prompt, box_source)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OracleBox(jitter_px=-1), "jitter_px is -1"),
        (lambda: OracleBox(margin_px=float("nan")), "margin_px is nan"),
        (lambda: NeighbourBox(margin_px=-2), "margin_px is -2"),
        (lambda: OraclePoint(n=0), "n is 0, expected a number greater than 0"),
    ],
)
def test_amounts_that_make_no_sense_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
