"""Which data sets and models are asked, and with how many images of a slice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.case import CaseSet
from mskseg_phantom import SPLIT
from mskseg_studies.prompting import scans
from mskseg_studies.prompting.scans import (
    first_and_drawn,
    load_fine,
    load_phases,
    models_for,
    spread,
)

LITE, MINI = SimpleNamespace(name="lite"), SimpleNamespace(name="mini")


@pytest.mark.slow
def test_echoes_of_a_phantom_fade_and_share_their_reference():
    first, last = load_phases("phantom_knee", ["mese_te10", "mese_te80"], n_subjects=1)
    assert (first.sequence, last.sequence) == ("mese_te10", "mese_te80")
    assert np.array_equal(first.reference.array, last.reference.array)
    assert first.image.array.mean() > last.image.array.mean()


def test_phases_are_of_the_people_of_a_part(monkeypatch):
    asked = []

    def scan(anatomy, subject, *, sequences, shape):
        asked.append((anatomy, subject, sequences, shape))
        return [f"{subject} {sequence}" for sequence in sequences]

    monkeypatch.setattr(scans, "scan_phantom", scan)
    made = load_phases("phantom_hip", ["a", "b"], part="validation", n_subjects=2)
    first, second = SPLIT["validation"][:2]
    assert made == [f"{first} a", f"{first} b", f"{second} a", f"{second} b"]
    assert {(anatomy, shape) for anatomy, _, _, shape in asked} == {("hip", (256, 256, 8))}
    assert len(load_phases("phantom_hip", ["a"], n_subjects=99)) == len(SPLIT["test"])


@pytest.fixture
def scanned(draw_case, monkeypatch):
    """A data set in which s1 has two images on one grid and one on another, s2 has one."""
    labels = np.ones((2, 12, 10))
    cases = [
        draw_case(labels, subject="s1", sequence="t1"),
        draw_case(labels, subject="s1", sequence="t2"),
        draw_case(labels[:, :9], subject="s1", sequence="t3"),
        draw_case(labels, subject="s2", sequence="t1"),
    ]

    def load(name, **asked):
        assert asked["n_sequences"] is None
        return CaseSet(name, cases if name == "real" else cases[-1:])

    monkeypatch.setattr(scans, "load_some", load)


def test_phases_of_real_scans_are_those_on_one_grid_of_people_who_have_two(scanned):
    found = load_phases("real", n_subjects=2)
    assert [(case.subject, case.sequence) for case in found] == [("s1", "t1"), ("s1", "t2")]
    assert load_phases("real", ["t1"], n_subjects=2) == []


@pytest.mark.slow
def test_fine_phantoms_keep_their_field_of_view():
    fine, coarse = (load_fine("phantom_knee", n_subjects=1, size_px=px)[0] for px in (64, 32))
    assert fine.image.shape != coarse.image.shape
    assert max(fine.slice(4).image.shape) == 64
    assert fine.slice(4).spacing_mm == pytest.approx(np.divide(coarse.slice(4).spacing_mm, 2))


def test_real_scans_come_first_and_one_drawn_data_set_after_them():
    names = ["spine_vertebrae", "qmritools_thigh", "phantom_hip", "phantom_knee"]
    assert first_and_drawn(names) == ["spine_vertebrae", "phantom_hip"]
    assert first_and_drawn(names[2:]) == ["phantom_hip"]
    assert first_and_drawn(names[:2]) == ["spine_vertebrae"]


def test_drawings_are_shown_to_the_model_that_takes_points_alone():
    loaded = [LITE, MINI]
    assert models_for("spine_vertebrae", loaded, MINI) == loaded
    assert models_for("phantom_knee", loaded, MINI) == [MINI]
    assert models_for("phantom_knee", [LITE], MINI) == [LITE, MINI], "it was asked for by itself"
    assert models_for("spine_vertebrae", [MINI, LITE], MINI) == [MINI]


def test_items_are_spread_evenly_and_one_is_from_the_middle():
    assert spread(range(9), 1) == [4]
    assert spread(range(9), 3) == [1, 4, 7]
    assert spread(range(2), 3) == spread(range(2), None) == [0, 1]
