"""Several models on several test sets, fair arms, efforts, and where curves cross."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.result import FineTuneResult
from mskseg.prompts import fill_boxes
from mskseg.volume import LabelMap
from mskseg_studies.specialists import comparison
from mskseg_studies.specialists.comparison import (
    Finder,
    arm_means,
    by_test_set,
    crossings,
    effort_table,
    finder_table,
    rank_all,
    rank_finders,
    score_arms,
    score_families,
    score_found,
    score_test_sets,
    told_sentence,
)
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.nnunet.config import NnunetConfig
from mskseg_studies.specialists.nnunet.running import NnunetRun
from mskseg_studies.specialists.predictions import Predictions
from mskseg_studies.specialists.specialist import HISTORY, Specialist
from mskseg_studies.specialists.training import train_specialist


def curves(**heights):
    rows = [(name, x, y) for name, points in heights.items() for x, y in points.items()]
    return pd.DataFrame(rows, columns=["model", "n", "dice"])


def test_a_crossing_is_found_between_the_points():
    found = crossings(curves(a={1: 0.2, 3: 0.8}, b={1: 0.4, 3: 0.4}), x="n", series="model")
    (row,) = found.to_dict("records")
    assert row["at"] == pytest.approx(1 + 2 * 0.2 / 0.6)
    assert (row["ahead_before"], row["ahead_after"]) == ("b", "a")


def test_curves_that_do_not_cross_say_who_is_ahead():
    (row,) = crossings(
        curves(a={1: 0.2, 3: 0.3}, b={1: 0.4, 3: 0.5}), x="n", series="model"
    ).to_dict("records")
    assert pd.isna(row["at"])
    assert row["ahead_before"] == row["ahead_after"] == "b"


def test_a_crossing_exactly_on_a_point_is_found():
    (row,) = crossings(
        curves(a={1: 0.2, 2: 0.5, 4: 0.8}, b={1: 0.4, 2: 0.5, 4: 0.6}), x="n", series="model"
    ).to_dict("records")
    assert row["at"] == 2
    assert (row["ahead_before"], row["ahead_after"]) == ("b", "a")


def test_curves_that_touch_do_not_cross():
    (row,) = crossings(
        curves(a={1: 0.2, 2: 0.5, 4: 0.3}, b={1: 0.4, 2: 0.5, 4: 0.6}), x="n", series="model"
    ).to_dict("records")
    assert pd.isna(row["at"])
    assert row["ahead_before"] == row["ahead_after"] == "b"


def test_a_tie_is_nobodys_lead():
    (row,) = crossings(
        curves(a={1: 0.4, 3: 0.8}, b={1: 0.4, 3: 0.5}), x="n", series="model"
    ).to_dict("records")
    assert pd.isna(row["at"])
    assert (row["ahead_before"], row["ahead_after"]) == ("tie", "a")


def test_curves_without_two_common_points_are_left_out():
    assert crossings(curves(a={1: 0.2}, b={3: 0.4}), x="n", series="model").empty


def test_two_heights_at_one_place_are_refused():
    twice = pd.concat([curves(a={1: 0.2}), curves(a={1: 0.3})])
    with pytest.raises(InputError, match="two values at one n"):
        crossings(twice, x="n", series="model")


def test_an_automatic_model_is_not_asked_about_tissues_it_has_no_word_for(shapes):
    people = [shapes.drawn_case(f"s{seed}", seed=seed) for seed in range(3)]
    other = shapes.drawn_case("s4", seed=4)
    renamed = type(other)(
        subject="s4", image=other.image, reference=other.reference, tissues={3: "ball", 7: "kite"}
    )
    tests = {"inside": people[2:], "other tissues": [renamed]}
    short = {"encoder": "mobilenet_v2", "frame_px": 32, "steps": 1}
    models = [
        train_specialist(people[:1], people[1:2], SpecialistConfig(prompt=prompt, **short))
        for prompt in ("box", "none")
    ]
    table = score_test_sets(models, tests, trained_on=people[:2], margins_px=[0, 2])
    asked = table.groupby("segmenter")["test_set"].unique().map(sorted).to_dict()
    assert asked == {
        "U-Net, automatic": ["inside"],
        "U-Net, box channel": ["inside", "other tissues"],
    }
    boxed = table[table["segmenter"] == "U-Net, box channel"]
    assert set(boxed["box_source"]) == {"oracle", "oracle, margin 2 px"}
    laid_out = by_test_set(table)
    assert list(laid_out) == list(tests)
    tight = boxed[(boxed["box_source"] == "oracle") & (boxed["test_set"] == "inside")]
    found = laid_out.loc[("U-Net, box channel", "oracle"), "inside"]
    assert found == pytest.approx(nested_mean(tight)["dice"].item())
    assert by_test_set(table[:0]).empty


def test_each_row_says_what_its_scan_is_to_the_models_that_were_trained(shapes):
    train, inside, elsewhere = (
        shapes.drawn_case(f"s{seed}", seed=seed, anatomy="knee", site=site)
        for seed, site in enumerate(["A", "A", "B"])
    )
    tests = {"inside": [inside], "another site": [elsewhere], "leak": [train]}
    table = score_test_sets([filler()], tests, trained_on=[train])
    assert table.groupby("test_set")["role"].unique().map(list).to_dict() == {
        "inside": ["same site"],
        "another site": ["other site"],
        "leak": ["training data"],
    }


# arms


def filler():
    """A prompted model that fills its boxes."""
    model = SimpleNamespace(name="filler", miniature=True, embed=lambda image: image)
    model.predict = lambda image, prompt: SimpleNamespace(
        masks=np.stack([fill_boxes(box, image.shape) for box in prompt.boxes_xyxy])[:, None],
        predicted_iou=np.full((len(prompt), 1), np.nan),
    )
    return model


@dataclass(frozen=True)
class Named:
    """A model that is only spoken of."""

    name: str
    fingerprint: str = "f"
    miniature: bool = True


def test_the_finder_is_the_best_on_validation_people_and_reports_on_others(shapes):
    validation, test = (shapes.drawn_case(f"s{seed}", seed=seed) for seed in (1, 2))

    def moved(case, by):
        return LabelMap(np.roll(case.reference.array, by, axis=1), case.image.affine)

    def found(on_validation, on_test):
        maps = {validation.name: moved(validation, on_validation), test.name: moved(test, on_test)}
        return Predictions(maps, (), (3, 7))

    candidates = [(Named("lucky"), found(9, 0)), (Named("chosen"), found(1, 3))]
    finders = rank_finders(candidates, [validation])
    assert [finder.name for finder in finders] == ["chosen", "lucky"]
    found = score_found(dict(candidates), {"inside": [test], "another site": [validation]})
    table = finder_table(finders, found)
    assert table["finding"].tolist() == [True, False]
    assert table.loc["lucky", "inside"] == 1, "in the set in which it was lucky"
    assert table["another site"].tolist() == table["validation_dice"].tolist()
    arms = arm_means(score_arms([test], prompted=[filler()], finders=finders)).set_index("arm")
    assert arms["finding"].to_dict() == {
        "filler, reference boxes": True,
        "filler, boxes of chosen": True,
        "chosen alone": True,
        "lucky alone": False,
    }
    assert arms.loc["lucky alone", "volume_dice"] == 1, "the test people select nothing"
    gap = arms.loc["filler, boxes of chosen", "volume_dice"]
    gap -= arms.loc["filler, reference boxes", "volume_dice"]
    said = told_sentence(arms.reset_index(), filler(), finders[0])
    assert said == f"filler: {gap:+.2f} with the boxes of chosen, not the reference's"


def test_a_network_that_is_told_the_boxes_is_no_finder(shapes, tmp_path):
    case = shapes.drawn_case("s1", seed=1)
    found = Predictions({case.name: case.reference}, (), (3, 7))
    (tmp_path / "log.txt").touch()
    alone, told = (
        NnunetRun(tmp_path, NnunetConfig(box_channels=boxes), {3: "disc"})
        for boxes in (False, True)
    )
    finders, informed = rank_all({Named("U-Net"): found, told: found, alone: found}, [case])
    assert [each.name for each in finders] == ["U-Net", alone.name]
    assert [each.name for each in informed] == [told.name]


def test_nothing_is_concluded_from_a_finder_under_the_floor(shapes):
    case = shapes.drawn_case("s1", seed=1)
    shifted = LabelMap(np.roll(case.reference.array, 9, axis=1), case.image.affine)
    (guess,) = rank_finders(
        [(Named("guess"), Predictions({case.name: shifted}, (), (3, 7)))], [case]
    )
    arms = arm_means(score_arms([case], prompted=[filler()], finders=[guess]))
    assert arms.set_index("arm")["finding"].tolist() == [True, False, False]
    said = told_sentence(arms, filler(), guess)
    assert said.startswith("No automatic model finds enough yet: guess")
    assert "+" not in said


def test_arms_say_who_is_told_and_boxes_of_a_model_come_from_it_alone(shapes):
    case = shapes.drawn_case("s1", seed=1)
    shifted = LabelMap(np.roll(case.reference.array, 3, axis=1), case.image.affine)
    found = Predictions({case.name: shifted}, (), (3, 7))
    perfect_answer = Predictions({case.name: case.reference}, (), (3, 7))
    table = score_arms(
        [case],
        prompted=[filler()],
        finders=[Finder(Named("finder"), found, 0.6)],
        informed=[Finder(Named("finder + box channels"), perfect_answer, 1.0)],
    )
    means = arm_means(table).set_index("arm")
    assert means["told"].to_dict() == {
        "filler, reference boxes": "told where",
        "finder + box channels": "told where",
        "filler, boxes of finder": "finds it",
        "finder alone": "finds it",
    }
    told, informed, boxed, alone = means["volume_dice"]
    assert told > boxed
    assert told > alone
    assert informed == 1
    assert (means["n_subjects"] == 1).all()
    perfect_finder = Finder(Named("finder"), perfect_answer, 1.0)
    perfect = score_arms([case], prompted=[filler()], finders=[perfect_finder])
    same = arm_means(perfect)["volume_dice"].tolist()
    assert same[0] == same[1]
    assert same[2] == 1


# efforts


def test_steps_are_those_done_and_those_kept(tmp_path):
    epochs = pd.DataFrame({"epoch": [0, 1, 2], "step": [0, 20, 40], "validation_dice": [0, 1, 0]})
    tuning = FineTuneResult(
        segmenter=SimpleNamespace(name="SAM"),
        history=epochs,
        best_epoch=1,
        trainable_parameters=5,
        seconds=7.0,
        peak_memory_mb=1.0,
        stopped="all epochs",
        config=FineTuneConfig(learning_rate=3e-4, slices_per_step=2, prompts_per_slice=None),
        base={},
        data={},
    )
    history = pd.DataFrame([(10, 1.0, 0.8, 2.0), (15, 1.0, 0.6, 3.0)], columns=list(HISTORY))
    config = SpecialistConfig(steps=15, prompt="none")
    specialist = Specialist(nn.Identity(), config, {3: "disc"}, history=history)
    lines = [
        f"mskseg: epoch {n} of 2, loss 0.5, pseudo Dice 0.1, rate 0.01, {9 * n}.0 s\n"
        for n in (1, 2)
    ]
    (tmp_path / "log.txt").write_text("".join(lines), encoding="utf-8")
    run = NnunetRun(tmp_path, NnunetConfig(iterations_per_epoch=6), {3: "disc"})

    table = effort_table([tuning, specialist, run])
    assert list(table.index) == [
        "SAM",
        "U-Net, automatic",
        "nnU-Net 2d (not converged: 12 iterations)",
    ]
    assert table["steps"].tolist() == [40, 15, 12]
    assert table["kept_step"].tolist() == [20, 10, 12]
    assert table["each_step"].tolist() == [
        "2 slices, all objects of each",
        "8 slices",
        "as many patches as planned",
    ]
    assert table["start"].tolist() == ["pretrained", "random", "random"]
    np.testing.assert_equal(table["seconds"].tolist(), [7.0, 3.0, 18.0])


def test_a_model_that_stands_for_every_number_of_people_is_scored_once(monkeypatch):
    asked = []

    def score(model, *_, **__):
        asked.append(model)
        return pd.DataFrame({"dice": [0.5]})

    monkeypatch.setattr(comparison, "_score", score)
    table = score_families({"flat": ["a", "a"], "own": ["b", "c"]}, [1, 2], [])
    assert asked == ["a", "b", "c"]
    rows = [["flat", 1], ["flat", 2], ["own", 1], ["own", 2]]
    assert table[["family", "n_train"]].to_numpy().tolist() == rows
