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
from mskseg_studies.prompting import phases
from mskseg_studies.prompting.phases import (
    phase_agreement,
    phase_gains,
    proposed_boxes,
    score_phases,
)
from mskseg_studies.prompting.scans import read_echoes

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


def propose(monkeypatch, *boxes):
    monkeypatch.setattr(phases, "proposed_boxes", lambda *_, **__: np.array(boxes, float))


def test_agreement_is_symmetric_one_with_oneself_and_knows_no_reference(
    monkeypatch, bright_and_dark
):
    without = [replace(case, reference=None) for case in bright_and_dark]
    propose(monkeypatch, (10, 6, 20, 16), (0, 0, 8, 4))
    table = phase_agreement(_by_name(bright_and_dark), without)
    half = 2 * 0.5 / 1.5
    assert table.loc["bright", "dark"] == pytest.approx(half)
    assert table.loc["dark", "bright"] == table.loc["bright", "dark"]
    assert np.diag(table).tolist() == [1, 1]
    assert table.columns.tolist() == table.index.tolist() == ["bright", "dark"]


def test_boxes_that_nobody_fills_do_not_count(monkeypatch, bright_and_dark):
    propose(monkeypatch, (10, 6, 10, 16))  # without width: an empty mask from both
    table = phase_agreement(_by_name(bright_and_dark), bright_and_dark)
    assert table.isna().all(axis=None)


def test_proposals_are_boxes_of_the_best_masks_without_specks_and_background(
    monkeypatch, bright_and_dark
):
    from mskseg_studies.automatic import Candidates

    masks = np.zeros((5, ROWS, COLUMNS), bool)
    masks[0, 1:8, 2:9] = True
    masks[1, 10:18, 12:20] = masks[1, 20:23, 22:23] = True  # and a speck, that is no second box
    masks[2] = True  # the background
    masks[3, 20:22, 2:4] = True  # 4 mm2
    masks[4, 1:8, 2:10] = True  # nearly the first, rated lower
    found = Candidates(masks, np.array([0.7, 0.9, 1.0, 0.9, 0.6]), np.ones(5), np.zeros((5, 2)))
    monkeypatch.setattr(phases, "grid_candidates", lambda *_, **__: found)
    boxes = proposed_boxes(LeftPart(), bright_and_dark[0], index=0)
    assert boxes.tolist() == [[12, 10, 20, 18], [2, 1, 9, 8]]
    monkeypatch.setattr(phases, "_N_BOXES", 1)
    assert len(proposed_boxes(LeftPart(), bright_and_dark[0], index=0)) == 1
    monkeypatch.setattr(phases, "grid_candidates", lambda *_, **__: found.where([2, 3]))
    assert proposed_boxes(LeftPart(), bright_and_dark[0], index=1).shape == (0, 4)
    assert phase_agreement(LeftPart(), bright_and_dark).isna().all(axis=None)


def test_proposals_are_made_on_the_first_phase_in_the_middle(monkeypatch, bright_and_dark):
    asked = []

    def proposed(_, case, *, index):
        asked.append((case.sequence, index))
        return np.array([[10.0, 6, 20, 16]])

    monkeypatch.setattr(phases, "proposed_boxes", proposed)
    table = phase_agreement(_by_name(bright_and_dark), bright_and_dark)
    assert table.loc["bright", "dark"] == pytest.approx(2 / 3)
    assert asked == [("bright", 1)]


def test_a_single_phase_is_none(bright_and_dark):
    with pytest.raises(InputError, match="expected two phases of one person or more, got 1"):
        score_phases(LeftPart(), bright_and_dark[:1])
    for asked in (score_phases, phase_agreement):
        with pytest.raises(InputError, match="got 0"):
            asked(LeftPart(), [])


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


@pytest.mark.real
def test_echoes_of_a_real_knee_are_phases(monkeypatch, real_data):
    echoes = read_echoes(real_data / "pymskt" / "mese")
    times = [float(case.sequence.removesuffix(" ms")) for case in echoes]
    assert len(times) == 8
    assert times == sorted(times)
    propose(monkeypatch, (60, 60, 120, 140))
    table = phase_agreement(LeftPart(), echoes)
    assert table.shape == (8, 8)
