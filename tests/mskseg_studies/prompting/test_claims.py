"""The claims of this chapter, judged on tables as its own functions write them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg.prompts import OracleBox, OraclePoint
from mskseg_studies.claims.measuring import AbsentError, measure_table
from mskseg_studies.claims.rules import verdict
from mskseg_studies.claims.statements import load_claims
from mskseg_studies.claims.views import rule_text
from mskseg_studies.prompting.clicks import click_curves
from mskseg_studies.prompting.phases import phase_gains, score_phases
from mskseg_studies.prompting.resolutions import resolution_changes, score_resolutions

CLAIMS = {claim.id: claim for claim in load_claims().claims}
HEIGHT, WIDTH, ROWS, COLUMNS = 32, 64, (8, 24), (16, 48)
PLANS = [OracleBox(), OraclePoint(n=3)]


class LeftPart:
    """Answers with the left part of the one rectangle; `part` tells how much of it."""

    name, miniature = "left part", True

    def __init__(self, part):
        self.part = part

    def embed(self, image):
        return image

    def predict(self, embedding, prompt, *, multimask=False):
        mask = np.zeros(embedding.shape, np.float32)
        rows, columns = (
            [round(edge * have / full) for edge in edges]
            for edges, have, full in zip(
                (ROWS, COLUMNS), embedding.shape, (HEIGHT, WIDTH), strict=True
            )
        )
        end = columns[0] + round((columns[1] - columns[0]) * self.part(embedding, prompt))
        mask[slice(*rows), columns[0] : end] = 0.9
        answers = np.broadcast_to(mask, (len(prompt), 3 if multimask else 1, *mask.shape))
        return SimpleNamespace(
            masks=answers > 0.5,
            probabilities=answers,
            predicted_iou=np.ones(answers.shape[:2], np.float32),
            low_res_logits=answers,
        )


@pytest.fixture
def people(draw_case):
    labels = np.zeros((1, HEIGHT, WIDTH))
    labels[0, slice(*ROWS), slice(*COLUMNS)] = 1
    return [draw_case(labels, subject=f"s{k}", sequence="a") for k in range(5)]


def judged(name, table):
    claim = CLAIMS[name]
    found = measure_table(table, claim.measure)
    return found.value, verdict(claim.rule, found.value, interval=found.interval, n=found.n)[0]


def dice_of(part):
    return 2 * part / (1 + part)


def clicked(people, part):
    return click_curves(LeftPart(part), people, n_points=[1, 5], progress=False)


def test_a_box_is_compared_with_two_clicks_not_with_the_most(people):
    def part(_, prompt):
        return 0.75 if prompt.boxes_xyxy is not None else prompt.point_coords.shape[1] / 5

    table = clicked(people, part)
    value, found = judged("hoyer-boxes-best", table)
    assert value == pytest.approx(dice_of(0.75) - dice_of(0.4), abs=0.03)
    assert found == "holds here"  # although five clicks are better than the box
    several = table.assign(n_boxes=2, dice=0.0)
    assert judged("hoyer-boxes-best", pd.concat([several, table]))[0] == value
    with pytest.raises(AbsentError, match="no second click"):
        judged("hoyer-boxes-best", table[table["n_points"] != 2])


def test_points_at_once_and_corrections_are_judged_apart(people):
    def part(_, prompt):
        return 1.0 if prompt.mask_logits is not None else 0.25

    table = clicked(people, part)
    assert judged("hu-more-points", table) == (0, "does not hold here")
    value, found = judged("hu-more-corrections", table)
    assert (value, found) == (pytest.approx(1 - dice_of(0.25)), "holds here")
    alone = click_curves(LeftPart(part), people, n_points=[], progress=False)
    with pytest.raises(AbsentError, match="takes boxes alone"):
        judged("hu-more-points", alone)


def changes(people, parts):
    segmenter = LeftPart(lambda image, _: parts[max(image.shape)])
    scores = score_resolutions(
        segmenter, people, image_sizes=list(parts), frame_sizes=[], plans=PLANS
    )
    return resolution_changes(scores)


def test_not_always_asks_for_one_pair_of_which_the_finer_is_worse(people):
    falls_once = changes(people, {16: 0.5, 32: 1.0, 64: 0.75})  # from end to end it rises
    value, found = judged("hu-resolution-image", falls_once)
    assert (value, found) == (pytest.approx(dice_of(0.75) - 1), "holds here")
    rises = changes(people, {16: 0.5, 32: 0.75, 64: 1.0})
    assert judged("hu-resolution-image", rises)[1] == "does not hold here"
    with pytest.raises(AbsentError, match="a single size"):
        judged("hu-resolution-image", rises[rises["prompt"] == "box"])
    assert "allows for how many" in rule_text(CLAIMS["hu-resolution-image"])


def test_not_always_does_not_fail_while_one_pair_may_be_worse(people):
    rises = changes(people, {16: 0.5, 32: 0.75, 64: 1.0})
    unsure = rises.assign(low=rises["low"].where(rises["coarser_px"] != 32, -0.1))
    assert judged("hu-resolution-image", unsure)[1] == "inconclusive"


@pytest.mark.parametrize(
    ("name", "kind"), [("hu-max-over-average", "point"), ("belief-phases-help", "box")]
)
def test_phases_are_judged_by_the_prompt_of_the_study_in_every_data_set(people, name, kind):
    bright = {case.slice(0).image.tobytes() for case in people}
    dark = [
        replace(
            case, image=case.image.with_array(case.image.array.astype(float) ** 8), sequence="b"
        )
        for case in people
    ]
    asked = {"box": False, "point": True}

    def part(image, prompt):
        is_point = prompt.boxes_xyxy is None
        return 1.0 if image.tobytes() in bright or is_point != asked[kind] else 0.5

    scores = score_phases(LeftPart(part), [*people, *dark], plans=PLANS)
    table = phase_gains(scores)
    value, _ = judged(name, table)
    expected = {"point": 1 - dice_of(0.5), "box": dice_of(0.5) - (1 + dice_of(0.5)) / 2}
    assert value == pytest.approx(expected[kind])
    other = table.assign(dataset="other", change=-0.5, low=-0.6, high=-0.4)
    assert judged(name, pd.concat([table, other], ignore_index=True)) == (
        -0.5,
        "does not hold here",
    )
