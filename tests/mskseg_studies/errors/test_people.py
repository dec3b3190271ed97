"""Real people before phantoms, another site apart, and who is asked about whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mskseg.case import CaseSet
from mskseg.datasets import fetch
from mskseg.evaluation import KeptPredictions
from mskseg.prompts import OracleBox
from mskseg_studies.errors import people
from mskseg_studies.errors.people import (
    OTHER_SITE,
    PEOPLE,
    PHANTOMS,
    list_scans,
    load_people,
    named_by_site,
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
    monkeypatch.setattr(people, "load_splits", lambda names: [n for n in names if n != "alone"])
    monkeypatch.setattr(people, "list_at_hand", lambda name, part: (name, part) in known)
    monkeypatch.setattr(people, "load_some", lambda name, n_subjects, part: known[name, part])
    return known


def test_real_people_come_first_and_those_of_another_site_apart(sets):
    names = ["drawn", "two sites", "one site", "other half", "alone"]
    groups = load_people(names, n_subjects=1)
    assert {group: [s.name for s in some] for group, some in groups.items()} == {
        PEOPLE: ["two sites", "one site", "alone"],
        OTHER_SITE: ["two sites", "other half"],
        PHANTOMS: ["drawn"],
    }
    assert list(load_people(["drawn"], n_subjects=1)) == [PHANTOMS]
    assert slice_steps(groups, real=9, phantoms=2) == {PEOPLE: 9, OTHER_SITE: 9, PHANTOMS: 2}
    listed = list_scans({group: [some[0] for some in of] for group, of in groups.items()})
    assert listed["scans"].sum() == 6


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


def test_another_site_is_named_behind_its_data_set():
    table = pd.DataFrame(
        {"data": [PEOPLE, OTHER_SITE, OTHER_SITE], "dataset": "d", "site": ["A", "B", ""]}
    )
    assert named_by_site(table)["dataset"].tolist() == ["d", "d, B", "d, other site"]


@pytest.mark.real
def test_the_vertebrae_are_people_of_two_sites(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    fetch("spine_vertebrae", roles=["vb2_17", "vb3_07"], from_dir=real_data, progress=False)
    groups = load_people(["spine_vertebrae"], n_subjects=2)
    assert {group: [case.subject for case in some[0]] for group, some in groups.items()} == {
        PEOPLE: ["VB2_17"],
        OTHER_SITE: ["VB3_07"],
    }
