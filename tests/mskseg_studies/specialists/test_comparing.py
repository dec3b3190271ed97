"""Several models on several test sets, and where their curves cross."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import mskseg_studies.specialists as package
from mskseg.errors import InputError
from mskseg.prompts import fill_boxes
from mskseg.volume import LabelMap
from mskseg_studies.specialists.arms import arm_means, score_arms
from mskseg_studies.specialists.comparing import crossings, score_families, score_test_sets
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.training import train_specialist
from mskseg_studies.specialists.volumes import Predictions


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


@pytest.mark.parametrize("name", package.__all__)
def test_the_packages_names_are_there(name):
    assert getattr(package, name).__name__ == name
    assert name in dir(package)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segment'"):
        package.segment  # noqa: B018


# arms


def test_arms_say_who_is_told_and_boxes_of_a_model_come_from_it_alone(shapes):
    case = shapes.drawn_case("s1", seed=1)
    shifted = LabelMap(np.roll(case.reference.array, 3, axis=1), case.image.affine)
    found = Predictions({case.name: shifted}, (), (3, 7))
    finder = SimpleNamespace(name="finder", miniature=True)
    filler = SimpleNamespace(name="filler", miniature=True, embed=lambda image: image)
    filler.predict = lambda image, boxes_xyxy: SimpleNamespace(
        masks=np.stack([fill_boxes(box, image.shape) for box in boxes_xyxy])[:, None],
        predicted_iou=np.full((len(boxes_xyxy), 1), np.nan),
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
    with pytest.raises(InputError, match="0 prompted and 0 automatic"):
        score_arms([shapes.drawn_case("s1", seed=1)], prompted=[], automatic=[])


def test_a_family_needs_a_model_for_each_size(shapes):
    with pytest.raises(InputError, match="SAM has 1 models for 2 sizes"):
        score_families({"SAM": [SimpleNamespace()]}, [1, 2], [shapes.drawn_case("s1", seed=1)])
