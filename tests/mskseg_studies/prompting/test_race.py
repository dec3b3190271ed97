"""The race of several readers: their logs in a folder, the leaderboard, the simulated reader."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.races import Clock, race_case

import mskseg
from mskseg.case import Case
from mskseg.errors import InputError
from mskseg_studies.prompting import SIMULATED, Race, leaderboard
from mskseg_studies.prompting.race_canvas import PROMPT_COST


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


@pytest.fixture
def enter(segmenter, tmp_path):
    def enter(reader, *, case=None, tissue="femur", clock=None, **options):
        case = case or race_case()
        clock = clock or Clock()
        return Race(case, tissue, folder=tmp_path, reader=reader, segmenter=segmenter,
                    clock=clock, **options)  # fmt: skip

    return enter


def play(race, *boxes, after_s=1.0):
    race.session.begin()
    for box in boxes:
        race.session.clock.now += after_s
        race.session.set_box(box)
    return race


def log_of(folder, reader):
    return pd.read_csv(folder / f"{reader}.csv")


def box_of(race):
    rows, columns = np.nonzero(race.session.reference)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_the_leaderboard_ranks_dice_less_what_the_prompts_cost(enter, tmp_path):
    ann, bob, cid = enter("Ann"), enter("Bob"), enter("Cid")
    play(ann, box_of(ann))
    play(bob, *[box_of(bob)] * 3, after_s=2.0)
    play(cid)  # began, and has set nothing yet
    board = leaderboard(tmp_path)
    assert board["reader"].tolist() == ["Ann", "Bob"]
    assert board.index.tolist() == [1, 2]
    assert board["prompts"].tolist() == [1, 3]
    assert board["seconds"].tolist() == [1, 6]
    dice = ann.session.scored.dice[0]
    assert board["score"].tolist() == pytest.approx(
        [dice - PROMPT_COST, dice - 3 * PROMPT_COST], abs=6e-4
    )


def test_of_equal_scores_the_quicker_one_leads(enter, tmp_path):
    for reader, seconds in (("Ann", 9.0), ("Bob", 3.0)):
        race = enter(reader)
        play(race, box_of(race), after_s=seconds)
    assert leaderboard(tmp_path)["reader"].tolist() == ["Bob", "Ann"]


def test_the_simulated_reader_plays_along_and_stops_when_a_click_gains_too_little(enter, tmp_path):
    ann = play(enter("Ann"))
    ann.session.set_box(box_of(ann))
    board = ann.leaderboard().set_index("reader")
    assert set(board.index) == {"Ann", SIMULATED}
    log = log_of(tmp_path, SIMULATED)
    clicks = log[log["action"] == "point"]
    assert len(clicks) == board.loc[SIMULATED, "prompts"] >= 1
    assert clicks["seconds"].tolist() == [1.5 * (k + 1) for k in range(len(clicks))]
    gains = np.diff([0.0, *clicks["dice"]])
    assert (gains[:-1] > PROMPT_COST).all()
    assert gains[-1] <= PROMPT_COST
    assert board.loc[SIMULATED, "dice"] == pytest.approx(clicks["dice"].max(), abs=6e-4)
    before = log.to_csv()
    ann.leaderboard()
    assert log_of(tmp_path, SIMULATED).to_csv() == before  # it plays once


def test_the_simulated_reader_ends_with_the_time(enter, tmp_path):
    enter("Ann", seconds=2.0).leaderboard()
    assert len(log_of(tmp_path, SIMULATED)) == 1


def test_the_simulated_reader_draws_a_box_for_a_model_that_takes_nothing_else(
    enter, tmp_path, segmenter, monkeypatch
):
    monkeypatch.setattr(segmenter, "prompt_kinds", frozenset({"box"}))
    board = enter("Ann").leaderboard()
    assert board["prompts"].tolist() == [1]
    assert log_of(tmp_path, SIMULATED)["boxes"].tolist() == [1]


def test_a_name_belongs_to_one_reader(enter):
    early, late = enter("Ann"), enter("Ann")
    play(early)
    with pytest.raises(InputError, match=r"Ann\.csv is there already; give this reader another"):
        late.session.begin()
    assert not late.session.begun


@pytest.mark.parametrize("reader", ["", "../Ann", "a/b", ".hidden", "x" * 100])
def test_a_name_that_no_file_can_have_is_refused(enter, reader):
    with pytest.raises(InputError, match="use letters, digits and spaces"):
        enter(reader)


def test_an_unknown_tissue_and_a_negative_time_are_refused(enter):
    with pytest.raises(InputError, match=r"no tissue 'tibia' in .*; choose one of femur, patella"):
        enter("Ann", tissue="tibia")
    with pytest.raises(InputError, match="expected seconds above 0 for a race, got -5"):
        enter("Ann", seconds=-5)
    bare = Case(subject="b", image=race_case().image)
    with pytest.raises(InputError, match="choose one of none: it has no reference"):
        enter("Ann", case=bare)


def test_files_that_are_no_logs_of_this_race_are_named(enter, tmp_path):
    with pytest.raises(InputError, match=r"expected logs of one race in .*, got nothing"):
        leaderboard(tmp_path)
    ann = enter("Ann")
    play(ann, box_of(ann))
    (tmp_path / "notes.txt").write_text("not looked at")
    (tmp_path / ".partial-x.csv").write_text("being written")
    assert len(leaderboard(tmp_path)) == 1
    foreign = tmp_path / "patients.csv"
    for content in ("age,sex\n40,f\n", "", "\x00"):
        foreign.write_text(content)
        with pytest.raises(InputError, match=r"patients\.csv") as caught:
            leaderboard(tmp_path)
        assert "\n" not in str(caught.value)
    foreign.unlink()
    whole = (tmp_path / "Ann.csv").read_text()
    (tmp_path / "Bob.csv").write_text(whole[:-9])
    with pytest.raises(InputError, match=r"Bob\.csv ends in the middle of a line"):
        leaderboard(tmp_path)
    (tmp_path / "Bob.csv").unlink()
    play(enter("Bob", case=race_case("b")), [3, 3, 20, 20])
    with pytest.raises(InputError, match=r"logs of one race .* got .*Ann\.csv and .*Bob\.csv"):
        leaderboard(tmp_path)
