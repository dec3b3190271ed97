"""Real people before phantoms, another site apart, and who is asked about whom."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import CaseDescription, CaseSet
from mskseg.datasets import fetch
from mskseg.evaluation import KeptPredictions
from mskseg.prompts import OracleBox
from mskseg_studies import people
from mskseg_studies.people import (
    OTHER_SITE,
    PEOPLE,
    PHANTOMS,
    asked_about,
    by_site,
    coarser_steps,
    list_scans,
    load_people,
    role_of,
    score_people,
    slice_steps,
)


@pytest.fixture
def sets(monkeypatch, draw_case):
    """Data sets by name and part: a phantom, real people of two sites, of one, without a split."""
    labels = np.zeros((3, 40, 60))
    labels[:, 4:24, 4:24] = 1

    def made(name, provenance, site):
        case = replace(draw_case(labels), dataset=name, site=site, reference_provenance=provenance)
        return CaseSet(name, [case])

    known = {
        ("drawn", "test"): made("drawn", "synthetic", "A"),
        ("drawn", "inference"): made("drawn", "synthetic", "B"),
        ("two sites", "test"): made("two sites", "manual", "A"),
        ("two sites", "inference"): made("two sites", "manual", "B"),
        ("one site", "test"): made("one site", "automatic", "A"),
        ("one site", "inference"): made("one site", "automatic", "A"),
        ("other half", "inference"): made("other half", "manual", "B"),
        ("alone", None): made("alone", "unknown", ""),
    }
    source = SimpleNamespace(default_sequences=lambda subjects: ("t1w",))
    monkeypatch.setattr(people, "is_drawn", lambda name: name == "drawn")
    monkeypatch.setattr(people, "load_splits", lambda names: [n for n in names if n != "alone"])
    monkeypatch.setattr(people, "source_of", lambda name: source)
    monkeypatch.setattr(
        people, "list_at_hand", lambda name, part: [part] if (name, part) in known else []
    )
    monkeypatch.setattr(people, "load_cases", lambda name, subjects, **_: known[name, subjects[0]])
    monkeypatch.setattr(
        people, "load_some", lambda name, **_: known[name, "test" if name == "drawn" else None]
    )
    return known


def test_real_people_come_first_and_those_of_another_site_apart(sets):
    names = ["drawn", "two sites", "one site", "other half", "alone"]
    groups = load_people(names, n_people=1, n_drawn=1)
    assert {group: [s.name for s in some] for group, some in groups.items()} == {
        PEOPLE: ["two sites", "one site", "alone"],
        OTHER_SITE: ["two sites", "other half"],
        PHANTOMS: ["drawn"],
    }
    assert list(load_people(["drawn"], n_people=1, n_drawn=1)) == [PHANTOMS]
    assert slice_steps(groups, real=9, phantoms=2) == {PEOPLE: 9, OTHER_SITE: 9, PHANTOMS: 2}
    listed = list_scans({group: [some[0] for some in of] for group, of in groups.items()})
    assert listed["scans"].sum() == 6


def test_a_coarser_step_shows_slices_of_the_finer_one(draw_case):
    case, steps = draw_case(np.ones((3, 40, 60))), {"a": 1, "b": 2, "c": 4}
    coarser = coarser_steps(steps, {name: [case] for name in steps})
    assert coarser == {"a": 2, "b": 2, "c": 8}  # of 3 slices: every second one, the middle one

    def shown(step):
        return {case_slice.index for case_slice in case.slices(step=step)}

    assert all(shown(coarser[name]) <= shown(steps[name]) for name in steps)


class Published:
    """A slow model that is asked like any other."""

    name, miniature = "published", False

    def __init__(self, model):
        self.embed, self.predict = model.embed, model.predict


@pytest.mark.parametrize(
    ("drawn_too", "asked"),
    [(False, {PEOPLE}), (True, {PEOPLE, PHANTOMS})],
)
def test_a_published_model_is_spared_phantoms_where_a_miniature_can_be_asked(
    sets, filling, drawn_too, asked
):
    groups = {PEOPLE: sets["alone", None], PHANTOMS: sets["drawn", "test"]}
    plan = {"prompts": OracleBox(), "slice_steps": {PEOPLE: 1, PHANTOMS: 2}}
    published, kept = Published(filling), KeptPredictions()
    table = score_people(
        [published, filling], groups, published_on_phantoms=drawn_too, kept=kept, **plan
    )
    assert set(table.loc[table["segmenter"] == "published", "data"]) == asked
    counts = table[table["segmenter"] == filling.name].groupby("data").size()
    assert counts.to_dict() == {PEOPLE: 3, PHANTOMS: 2}
    assert table["data"].tolist() == sorted(table["data"])  # group after group
    assert len(kept) == len(table)
    alone = score_people([published], groups, **plan)
    assert set(alone["data"]) == {PEOPLE, PHANTOMS}
    drawn = score_people([published, filling], {PHANTOMS: groups[PHANTOMS]}, **plan)
    assert set(drawn["segmenter"]) == {"published", filling.name}


def test_sites_of_a_data_set_are_named_and_one_site_is_not():
    table = pd.DataFrame({"dataset": ["a", "a", "b", "c"], "site": ["x", "", "z", ""], "dice": 1})
    named = by_site(table)["dataset"].tolist()
    assert named == ["a, x", "a, unnamed site", "b", "c"]
    assert table["dataset"].tolist() == ["a", "a", "b", "c"]


def test_a_published_model_is_not_asked_about_drawings_beside_a_miniature():
    lite, mini = (SimpleNamespace(miniature=small) for small in (False, True))
    drawn, real = ([SimpleNamespace(reference_provenance=p)] for p in ("synthetic", "manual"))
    assert asked_about(drawn, [lite, mini]) == [mini]
    assert asked_about(real, [lite, mini]) == [lite, mini]
    assert asked_about(drawn, [lite]) == [lite]


def test_a_phantom_is_a_drawing():
    (drawn,) = load_people(["phantom_spine"], n_people=2, n_drawn=1)[PHANTOMS]
    assert drawn.subjects == ("spine-17",)


@pytest.mark.real
def test_people_of_both_sites_are_sets_of_their_own_and_only_those_who_are_here(
    real_data, tmp_path, monkeypatch
):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    roles = ["vb2_20", "vb3_09", "vb2_05"]
    fetch("spine_vertebrae", roles=roles, from_dir=real_data, progress=False)
    groups = load_people(["spine_vertebrae"], n_people=2, n_drawn=1)
    assert {group: [some.subjects for some in sets] for group, sets in groups.items()} == {
        PEOPLE: [("VB2_20",)],
        OTHER_SITE: [("VB3_09",)],
    }
    assert all(some.split_sha256 for sets in groups.values() for some in sets)


def scan(subject="s1", *, anatomy="thigh", dataset="d", site="A", sequence="t1w"):
    return CaseDescription(subject, anatomy=anatomy, dataset=dataset, site=site, sequence=sequence)


@pytest.mark.parametrize(
    ("case", "role"),
    [
        (scan("s1"), "training data"),
        (scan("s1", sequence="t2w", site="B"), "training data"),
        (scan("s9"), "same site"),
        (scan("s9", sequence="t2w"), "other sequence"),
        (scan("s9", site="B"), "other site"),
        (scan("s9", site="B", sequence="t2w"), "other site"),
        (scan("s9", dataset="e"), "other site"),
        (scan("s1", dataset="e"), "other site"),
        (scan("s9", anatomy="knee"), "other anatomy"),
        (scan("s9", anatomy="knee", site="B", sequence="t2w"), "other anatomy"),
    ],
)
def test_a_role_is_the_farthest_difference_from_the_training_data(case, role):
    assert role_of(case, [scan("s0"), scan("s1")]) == role


def test_a_role_asks_what_was_trained_on_together():
    """Hip in T2 was not trained on, though the hip was, and though T2 was."""
    trained = [scan("s1", sequence="t2w"), scan("s2", anatomy="hip")]
    assert role_of(scan("s9", anatomy="hip", sequence="t2w"), trained) == "other sequence"
    assert role_of(scan("s9", sequence="t2w"), iter(trained)) == "same site"
