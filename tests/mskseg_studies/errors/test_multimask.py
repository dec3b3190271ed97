"""The choice among three masks, and bringing masks back to look at them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume
from mskseg_studies.claims.measuring import measure_table
from mskseg_studies.claims.statements import load_claims
from mskseg_studies.errors.multimask import (
    most_lost_panels,
    nesting,
    score_three_masks,
    summarise_choice,
)


def make_case(*, pieces: int = 1, subject: str = "a") -> Case:
    grid = Volume(np.zeros((40, 40, 3)), np.diag([1.0, 1.0, 5.0, 1.0]))
    stack = np.zeros((3, 40, 40), dtype=np.int16)
    stack[:2, 10:30, 10:30] = 1
    if pieces == 2:
        stack[:2, 10:30, 19:21] = 0
    reference = LabelMap(grid.from_stack(stack, "axial").array, grid.affine)
    image = Volume(reference.array * 100.0 + 1, grid.affine)
    return Case(subject=subject, image=image, reference=reference, tissues={1: "square"})


def test_the_half_that_is_rated_highest_is_chosen_and_the_whole_is_best(three_answers):
    table = score_three_masks(
        three_answers, {"people": [make_case()]}, slice_steps={"people": 1}, progress=False
    )
    assert table["prompt"].tolist() == ["point", "box"] * 2
    assert (table["best"] == 1).all()
    assert (table["worst"] == 0).all()
    assert table["chosen"].tolist() == pytest.approx([2 / 3] * 4)
    assert set(zip(table["chosen_mask"], table["best_mask"], strict=True)) == {(1, 0)}
    assert (table["single"] == 1).all()


def test_the_summary_says_what_was_lost_and_how_often_the_choice_was_right(three_answers):
    got = summarise_choice(
        score_three_masks(
            three_answers, {"people": [make_case()]}, slice_steps={"people": 1}, progress=False
        )
    )
    assert got["lost"].tolist() == pytest.approx([1 / 3] * 2)
    assert got["share_best"].tolist() == [0, 0]
    assert got["n_objects"].tolist() == [2, 2]
    assert got["data"].tolist() == ["people", "people"]


def test_a_tissue_in_two_pieces_is_left_out(three_answers):
    with pytest.raises(InputError, match="in one piece"):
        score_three_masks(
            three_answers,
            {"people": [make_case(pieces=2)]},
            slice_steps={"people": 1},
            progress=False,
        )


def test_a_model_without_an_opinion_is_refused(three_answers):
    three_answers.learned_iou = False
    with pytest.raises(InputError, match="three never learned to rate"):
        score_three_masks(
            three_answers, {"people": [make_case()]}, slice_steps={"people": 1}, progress=False
        )


def test_the_click_that_lost_most_comes_back_with_its_masks(three_answers):
    cases = [make_case(), make_case(subject="b")]
    picks = score_three_masks(
        three_answers, {"people": cases}, slice_steps={"people": 1}, progress=False
    )
    picks.loc[(picks["subject"] == "b") & (picks["slice"] == 1), "chosen"] = 0.0
    axes = most_lost_panels(picks, three_answers, {"people": cases})
    titles = ["rated 0.50, Dice 1.00", "rated 0.90, Dice 0.67", "rated 0.10, Dice 0.00"]
    assert [ax.get_title() for ax in axes] == titles
    assert axes[0].figure.get_suptitle() == "square (people): the choice that lost most"
    x, y = picks.iloc[-2][["x", "y"]]
    assert [[x, y]] in [points.get_offsets().tolist() for points in axes[0].collections]


def square(size: int, *, at: int = 0) -> np.ndarray:
    mask = np.zeros((40, 40), dtype=bool)
    mask[:size, at : at + size] = True
    return mask


@pytest.mark.parametrize(
    ("masks", "nested"),
    [
        ([square(10), square(20), square(30)], 1),
        ([square(30), square(10), square(20)], 1),  # in whatever order they come
        ([square(20), square(20), square(20)], 0),  # one object, drawn three times
        ([square(20), square(21), square(30)], 0),  # twice, and a whole
        ([square(10, at=30), square(20), square(30)], 0),  # the small one lies beside the others
        ([square(0), square(20), square(30)], 0),
    ],
)
def test_a_part_an_object_and_a_whole_are_nested_and_one_object_drawn_thrice_is_not(masks, nested):
    assert nesting(np.array(masks))["nested"] == nested


def test_nesting_takes_the_lesser_of_the_two_steps():
    got = nesting(np.array([square(10), square(20), square(30, at=10)]))
    assert got["step"] == pytest.approx(900 / 400)
    assert got["inside"] == pytest.approx(0.5)  # columns 10 to 19 of the middle one


def test_the_claim_on_three_masks_asks_whether_clicks_nest_and_not_how_many_masks_come():
    (claim,) = [c for c in load_claims().claims if c.id == "kirillov-three-masks"]
    rows = [
        {"segmenter": "sam_vit_b", "dataset": "d", "subject": k, "tissue": t, "prompt": prompt}
        | {"nested": float(prompt == "point" and (t == "thin" or k == 0))}
        for k in range(5)
        for t in ("thin", "bulk")
        for prompt in ("point", "box")
    ]
    found = measure_table(pd.DataFrame(rows), claim.measure)
    assert found.value == pytest.approx(0.6)  # of tissues within a person, then of people
    assert found.n == 5
