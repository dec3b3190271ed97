"""Several images of one slice: single, averaged, at their maximum, and against each other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mskseg.errors import InputError
from mskseg.prompts import OracleBox, OraclePoint
from mskseg.volume import Volume
from mskseg_studies.prompting.phases import (
    phase_gains,
    score_phases,
)

ROWS, COLUMNS = 24, 30


class LeftPart:
    """Gives each box's left part with a probability that the image's mean tells.

    An image brighter than 128 gives the whole box at 0.6, a darker one its left half at 0.9.
    """

    name, miniature, learned_iou = "left part", True, True

    def embed(self, image):
        return image

    def predict(self, embedding, prompt=None, *, boxes_xyxy=None):
        boxes_xyxy = boxes_xyxy if prompt is None else prompt.boxes_xyxy
        bright = embedding.mean() > 128
        probabilities = np.zeros((len(boxes_xyxy), 1, *embedding.shape), np.float32)
        for k, (x0, y0, x1, y1) in enumerate(np.asarray(boxes_xyxy).astype(int)):
            end = x1 if bright else (x0 + x1) // 2
            probabilities[k, 0, y0:y1, x0:end] = 0.6 if bright else 0.9
        return SimpleNamespace(masks=probabilities > 0.5, probabilities=probabilities)


@pytest.fixture
def bright_and_dark(draw_case):
    labels = np.zeros((2, ROWS, COLUMNS))
    labels[:, 6:16, 10:20] = 1
    case = draw_case(labels, sequence="bright")
    tilted = np.linspace(1, 2, case.image.array.size).reshape(case.image.shape)
    bright, dark = tilted.copy(), tilted**12
    return [
        replace(case, image=case.image.with_array(bright**0.1), sequence="bright"),
        replace(case, image=case.image.with_array(dark), sequence="dark"),
    ]


def by_way(table):
    return table.groupby("phase", sort=False)["dice"].first().to_dict()


def test_phases_average_and_maximum_score_what_they_should(bright_and_dark):
    assert bright_and_dark[0].slice(0).image.mean() != bright_and_dark[1].slice(0).image.mean()
    table = score_phases(_by_name(bright_and_dark), bright_and_dark)
    half = 2 * 50 / (100 + 50)
    # average: left half (0.6 + 0.9) / 2, right half 0.3; maximum: 0.9 and 0.6
    assert by_way(table) == pytest.approx(
        {"bright": 1, "dark": half, "average": half, "maximum": 1}
    )
    agreed = table.groupby("phase")["agreement"].first()
    assert agreed[["bright", "dark"]].tolist() == pytest.approx([half, half])
    assert agreed[["average", "maximum"]].isna().all()
    assert len(table) == 2 * 4
    assert set(table["tissue"]) == {"muscle"}


class _by_name(LeftPart):
    """Tells the bright phase by its very pixels."""

    def __init__(self, cases):
        self.bright = {cases[0].slice(k).image.tobytes() for k in range(2)}

    def embed(self, image):
        return np.full(image.shape, 255 if image.tobytes() in self.bright else 0, np.uint8)


def test_each_person_is_scored_by_their_own_phases_under_each_plan(bright_and_dark):
    others = [replace(case, subject="s2") for case in bright_and_dark]
    plans = [OracleBox(), OracleBox(margin_px=2)]
    table = score_phases(
        _by_name(bright_and_dark), [*bright_and_dark, *others], plans=plans, n_slices=1
    )
    assert len(table) == 2 * 2 * 4
    assert not table.duplicated(["subject", "box_source", "phase"]).any()
    tight = table[table["box_source"] == "oracle"].set_index(["subject", "phase"])["dice"]
    wide = table[table["box_source"] == "oracle, margin 2 px"].set_index(["subject", "phase"])
    assert (tight.xs("bright", level="phase") == 1).all()
    assert (wide["dice"].xs("bright", level="phase") < 1).all()
    assert set(table["prompt"]) == {"box"}
    assert set(table["group"]) == {"other"}


def test_points_are_placed_once_for_all_phases(bright_and_dark):
    segmenter = _Points()
    table = score_phases(segmenter, bright_and_dark, plans=[OraclePoint(n=3)], n_slices=1)
    bright, dark = segmenter.asked
    assert np.array_equal(bright, dark)
    assert bright.shape == (1, 3, 2)
    assert set(table["prompt"]) == {"point"}


class _Points(LeftPart):
    """Keeps the points that it was asked about."""

    def __init__(self):
        self.asked = []

    def predict(self, embedding, prompt):
        self.asked.append(prompt.point_coords)
        return SimpleNamespace(probabilities=np.ones((len(prompt), 1, *embedding.shape)))


def test_gains_are_within_a_person(bright_and_dark):
    others = [replace(case, subject="s2", dataset="d") for case in bright_and_dark]
    table = score_phases(_by_name(bright_and_dark), [*bright_and_dark, *others])
    gains = phase_gains(table).set_index(["comparison", "dataset"])
    half = 2 / 3  # Dice of the dark image and of the average; the bright one and the maximum have 1
    assert set(gains["prompt"]) == {"box"}
    assert set(gains["n_subjects"]) == {1}
    for comparison, change in (
        ("maximum less average", 1 - half),
        ("average less a single image", half - (1 + half) / 2),
        ("average less a person's best", half - 1),
    ):
        assert gains.loc[comparison, "change"].tolist() == pytest.approx([change] * 2)


def test_an_interval_is_over_the_people_of_one_data_set():
    rng = np.random.default_rng(0)
    rows = [
        {"model": "m", "miniature": True, "prompt": "point", "dataset": dataset}
        | {"subject": person, "tissue": "bone"}
        | {"phase": phase, "dice": rng.random()}
        for dataset in ("thigh", "knee")
        for person in range(6)
        for phase in ("t1w", "average", "maximum")
    ]
    table = pd.DataFrame(rows)
    gains = phase_gains(table).set_index(["comparison", "dataset"])
    wide = table[table["dataset"] == "knee"].pivot(index="subject", columns="phase", values="dice")
    known = stats.ttest_1samp(wide["maximum"] - wide["average"], 0).confidence_interval(0.95)
    row = gains.loc["maximum less average", "knee"]
    assert (row["low"], row["high"]) == pytest.approx((known.low, known.high))
    assert row["n_subjects"] == 6


def test_slices_are_spread_evenly_and_one_alone_is_from_the_middle(draw_case):
    labels = np.zeros((10, ROWS, COLUMNS))
    labels[1:9, 6:16, 10:20] = 1
    first = draw_case(labels, sequence="bright")
    cases = [first, replace(first, sequence="dark")]
    for count, taken in ((1, {5}), (2, {3, 7}), (9, set(range(1, 9))), (None, set(range(1, 9)))):
        assert set(score_phases(LeftPart(), cases, n_slices=count)["slice"]) == taken


def test_a_single_phase_is_none(bright_and_dark):
    with pytest.raises(InputError, match="expected two phases of one person or more, got 1"):
        score_phases(LeftPart(), bright_and_dark[:1])
    with pytest.raises(InputError, match="got 0"):
        score_phases(LeftPart(), [])


def test_phases_are_of_one_person_on_one_grid_with_names_of_their_own(bright_and_dark):
    first, second = bright_and_dark
    with pytest.raises(InputError, match="expected two phases of one person or more, got 1"):
        score_phases(LeftPart(), [first, second, replace(second, subject="s2")])
    with pytest.raises(InputError, match="told apart by their sequence, got bright, bright"):
        score_phases(LeftPart(), [first, replace(second, sequence="bright")])
    affine = second.image.affine.copy()
    affine[0, 3] += 1
    moved = replace(second, image=Volume(second.image.array, affine), reference=None)
    with pytest.raises(InputError, match="bright and dark"):
        score_phases(LeftPart(), [first, moved])


def test_phases_without_a_reference_cannot_be_scored(bright_and_dark):
    with pytest.raises(InputError, match="has no reference"):
        score_phases(LeftPart(), [replace(case, reference=None) for case in bright_and_dark])
