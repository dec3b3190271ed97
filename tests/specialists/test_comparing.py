"""Several models on several test sets, and where their curves cross."""

from __future__ import annotations

import pandas as pd
import pytest

import mskseg.specialists as package
from mskseg.errors import InputError
from mskseg.specialists.comparing import crossings, score_test_sets
from mskseg.specialists.config import SpecialistConfig
from mskseg.specialists.training import train_specialist


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


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segment'"):
        package.segment  # noqa: B018
