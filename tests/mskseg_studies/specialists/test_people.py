"""Whom a comparison trains on and is tested on, for any data set of the manifest."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.case import CaseSet
from mskseg.errors import InputError
from mskseg.volume import LabelMap
from mskseg_studies.specialists import people
from mskseg_studies.specialists.people import (
    check_no_shared_people,
    load_people,
    load_test_sets,
)


@pytest.fixture
def loaded(shapes, monkeypatch):
    """Three people of a data set "near", two elsewhere, two of "far"; what was asked for."""
    cases = [shapes.drawn_case(f"s{seed}", seed=seed, dataset="near") for seed in range(3)]

    def load_some(name, *, n_subjects, part=None, progress):
        return CaseSet(name, cases[: min(n_subjects, 2 if part == "inference" else 3)])

    split = SimpleNamespace(parts={"test": (), "inference": ()})
    source = SimpleNamespace(default_sequences=lambda _: ("t1w", "t2w"), split=lambda: split)
    monkeypatch.setattr(people, "load_some", load_some)
    monkeypatch.setattr(people, "load_cases", lambda name, **_: CaseSet(name, cases[:1]))
    monkeypatch.setattr(people, "source_of", lambda _: source)
    return split


def test_more_people_than_there_are_is_an_error_in_one_line(loaded):
    assert len(load_people("near", "train", 3)) == len(load_people("near", "train")) == 3
    with pytest.raises(InputError, match="expected 4 people in the part 'train' of near, got 3"):
        load_people("near", "train", 4)


def test_a_data_set_without_a_split_cannot_be_trained_on():
    with pytest.raises(InputError, match="has no split of its own"):
        load_people("tptbox_vertebra", "train", 1)


def test_the_test_sets_are_those_that_a_data_set_has(loaded):
    test = load_people("near", "test", 3)
    sets = load_test_sets(test, sequences=["t2w", "flair"], datasets=["near", "far"], n=3)
    assert {name: len(cases) for name, cases in sets.items()} == {
        "inside": 3,
        "another sequence (t2w)": 1,
        "another site": 2,
        "another data set (far)": 3,
    }
    del loaded.parts["inference"]
    assert list(load_test_sets(test, sequences=[], datasets=[], n=3)) == ["inside"]


def test_the_same_people_under_another_name_are_no_test_set(loaded):
    test = load_people("spine_vertebrae", "test", 3)
    with pytest.raises(InputError, match="under other names"):
        load_test_sets(test, sequences=[], datasets=["myosegmentum_spine"], n=3)


def test_labels_of_one_name_become_one(shapes):
    case = shapes.drawn_case("s1", seed=1)
    counted = type(case)(
        subject="s1", image=case.image, reference=case.reference, tissues={3: "body", 7: "body"}
    )
    (merged,) = people._named_once(CaseSet("d", [counted]))
    assert merged.tissues == {3: "body"}
    assert merged.reference.labels == (3,)
    assert np.array_equal(merged.reference.array > 0, case.reference.array > 0)
    (kept,) = people._named_once(CaseSet("d", [case]))
    assert kept is case
    assert isinstance(merged.reference, LabelMap)


def test_one_persons_scans_under_two_names_are_refused():
    with pytest.raises(InputError, match="has people of spine_vertebrae under other names"):
        check_no_shared_people(["spine_vertebrae"], "myosegmentum_spine")
    with pytest.raises(InputError, match="has people of iwoai_2019"):
        check_no_shared_people(["phantom_knee", "iwoai_2019"], "oai_zib")
    check_no_shared_people(["phantom_knee"], "oai_zib")
