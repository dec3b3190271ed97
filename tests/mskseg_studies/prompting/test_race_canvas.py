"""A race on the canvas: the clock, what costs, what is refused, and when Dice is seen."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from support.races import Clock, race_case

import mskseg
from mskseg.errors import InputError
from mskseg_studies.prompting.race_canvas import PROMPT_COST, RaceCanvas, RaceSession, race_score

BOX = [20.0, 10.0, 40.0, 25.0]


@pytest.fixture(scope="module")
def segmenters():
    return {"sam_vit_mini": mskseg.load_segmenter("sam_vit_mini")}


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def race(segmenters, clock):
    return RaceSession(race_case(row_mm=2.0), segmenters, label=3, seconds=60, clock=clock)


def test_it_takes_prompts_from_its_start_until_the_time_is_up(race, clock):
    with pytest.raises(InputError, match=r"has not begun; press start \(s\)"):
        race.set_box(BOX)
    with pytest.raises(InputError, match="has not begun"):
        race.preview(30.0, 15.0)
    clock.now += 500  # nobody is late before the start
    race.begin()
    clock.now += 59
    race.set_box(BOX)
    assert race.left_s == 1
    assert race.log["seconds"].tolist() == [59]
    clock.now += 1
    assert race.left_s == 0
    for late in (lambda: race.add_point(3, 3), race.undo, lambda: race.preview(3, 3)):
        with pytest.raises(InputError, match="the race is over; guess the Dice"):
            late()
    assert race.counts == (0, 1)
    with pytest.raises(InputError, match="begun already; make a new one"):
        race.begin()


def test_every_prompt_costs_also_one_that_was_taken_back(race):
    race.begin()
    race.add_point(30.0, 15.0)
    race.next_mask()
    race.undo()
    race.undo()
    assert race_score(race.log) == {"score": -PROMPT_COST, "dice": 0.0, "prompts": 1}
    race.set_box(BOX)
    dice = race.scored.dice[0]
    assert race_score(race.log) == {
        "score": dice - 2 * PROMPT_COST,
        "dice": dice,
        "prompts": 2,
    }
    assert race_score(pd.DataFrame(columns=["action", "dice"]))["score"] == 0


def test_dice_is_hidden_and_showing_it_ends_the_race(race):
    with pytest.raises(InputError, match="has not begun"):
        race.toggle_dice()
    race.begin()
    race.set_box(BOX)
    assert race.dice_hidden
    race.toggle_dice()
    assert not race.dice_hidden
    assert race.left_s == 0
    with pytest.raises(InputError, match="the race is over"):
        race.add_point(3.0, 3.0)
    race.toggle_dice()  # for another group
    assert race.dice_hidden
    assert race.left_s == 0


def test_it_starts_where_the_tissue_is_largest_and_stays_there(segmenters, race, tmp_path):
    other = RaceSession(race_case(row_mm=2.0), segmenters, label=7)
    assert (other.label, other.index) == (7, 2)
    race.begin()
    race.set_box(BOX)
    race.save_prompts(tmp_path / "prompts.json")
    for way in (
        lambda: race.go_to(0),
        lambda: race.choose_tissue(7),
        lambda: race.choose_plane("coronal"),
    ):
        with pytest.raises(InputError, match="stays on its slice and tissue"):
            way()
    for action in (
        race.propagate,
        lambda: race.choose_model("sam_vit_mini"),
        lambda: race.load_prompts(tmp_path / "prompts.json"),
    ):
        with pytest.raises(InputError, match="a race takes points and boxes alone"):
            action()
    assert race.propagation is None


def test_what_is_written_after_each_step_may_refuse_the_start(segmenters):
    steps = []

    def full():
        steps.append(len(race.log))
        if len(steps) == 1:
            raise InputError("this name is taken")

    race = RaceSession(race_case(row_mm=2.0), segmenters, label=3, on_step=full)
    with pytest.raises(InputError, match="this name is taken"):
        race.begin()
    assert not race.begun
    race.begin()
    race.set_box(BOX)
    race.undo()
    assert steps == [0, 0, 1, 2]


@pytest.mark.parametrize("seconds", [-3, 0, float("nan"), float("inf")])
def test_no_time_no_reference_and_no_such_tissue_are_refused(segmenters, seconds):
    with pytest.raises(InputError, match="expected seconds above 0 for a race"):
        RaceSession(race_case(row_mm=2.0), segmenters, label=3, seconds=seconds)
    with pytest.raises(InputError, match="label 9 is not there"):
        RaceSession(race_case(row_mm=2.0), segmenters, label=9)
    with pytest.raises(InputError, match="no reference to score against"):
        RaceSession(replace(race_case(row_mm=2.0), reference=None), segmenters, label=1)


def test_the_browser_sees_the_time_left_and_the_score_once_dice_is_shown(race, clock):
    canvas = RaceCanvas(race)
    assert canvas.readout["race"] == {"begun": False, "left_s": 60, "score": None}

    def receive(**content):
        canvas._receive(canvas, {**content, "request": 1}, [])

    receive(kind="box", box=BOX)
    assert "press start" in canvas.error
    receive(kind="begin")
    clock.now += 20
    receive(kind="box", box=BOX)
    receive(kind="clear")
    receive(kind="box", box=BOX)
    assert canvas.readout["race"] == {"begun": True, "left_s": 40, "score": None}
    assert canvas.readout["dice"] == [None]
    assert canvas.readout["n_prompts"] == 2
    receive(kind="dice")
    dice = canvas.readout["dice"][0]
    assert canvas.readout["race"]["score"] == pytest.approx(dice - 2 * PROMPT_COST)
