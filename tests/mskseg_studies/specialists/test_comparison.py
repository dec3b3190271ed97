"""Several models on several test sets, fair arms, efforts, and where curves cross."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.result import FineTuneResult
from mskseg.prompts import fill_boxes
from mskseg.volume import LabelMap
from mskseg_studies.specialists.comparison import (
    arm_means,
    crossings,
    effort_table,
    score_arms,
    score_families,
    score_test_sets,
)
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.nnunet.config import NnunetConfig
from mskseg_studies.specialists.nnunet.conversion import Labels
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
        train_specialist(
            people[:1], people[1:2], SpecialistConfig(prompt=prompt, **short), progress=False
        )
        for prompt in ("box", "none")
    ]
    table = score_test_sets(models, tests)
    asked = table.groupby("segmenter")["test_set"].unique().map(sorted).to_dict()
    assert asked == {
        "U-Net, automatic": ["inside"],
        "U-Net, box channel": ["inside", "other tissues"],
    }


# arms


def test_arms_say_who_is_told_and_boxes_of_a_model_come_from_it_alone(shapes):
    case = shapes.drawn_case("s1", seed=1)
    shifted = LabelMap(np.roll(case.reference.array, 3, axis=1), case.image.affine)
    found = Predictions({case.name: shifted}, (), (3, 7))
    finder = SimpleNamespace(name="finder", miniature=True)
    filler = SimpleNamespace(name="filler", miniature=True, embed=lambda image: image)
    filler.predict = lambda image, prompt: SimpleNamespace(
        masks=np.stack([fill_boxes(box, image.shape) for box in prompt.boxes_xyxy])[:, None],
        predicted_iou=np.full((len(prompt), 1), np.nan),
    )
    knowing = SimpleNamespace(name="finder + box channels", fingerprint="f", miniature=True)
    perfect_answer = Predictions({case.name: case.reference}, (), (3, 7))
    table = score_arms(
        [case],
        prompted=[filler],
        automatic=[(finder, found)],
        informed=[(knowing, perfect_answer)],
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
    perfect = score_arms(
        [case],
        prompted=[filler],
        automatic=[(finder, perfect_answer)],
    )
    same = arm_means(perfect)["volume_dice"].tolist()
    assert same[0] == same[1]
    assert same[2] == 1


def test_arms_need_both_kinds_of_model(shapes):
    with pytest.raises(InputError, match="got 0 prompted and 0 automatic"):
        score_arms([shapes.drawn_case("s1", seed=1)], prompted=[], automatic=[])


def test_a_family_needs_a_model_for_each_size(shapes):
    with pytest.raises(InputError, match="SAM has 1 models for 2 sizes"):
        score_families({"SAM": [SimpleNamespace()]}, [1, 2], [shapes.drawn_case("s1", seed=1)])


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
    run = NnunetRun(tmp_path, NnunetConfig(iterations_per_epoch=6), Labels((3,), {3: "disc"}))

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
