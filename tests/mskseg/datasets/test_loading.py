"""Which people, sequences and slices a notebook shows."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.datasets.fetching import fetch
from mskseg.datasets.loading import (
    fullest_slice,
    list_subjects,
    load_some,
    load_splits,
)
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume
from mskseg_studies.people import load_companions, load_fetched


def test_people_of_the_test_part_are_shown_where_there_is_a_split():
    (split,) = load_splits(["phantom_thigh"])
    assert split.parts["test"] == list_subjects("phantom_thigh", part="test")
    cases = load_some("phantom_thigh", n_subjects=2, progress=False)
    assert cases.subjects == split.parts["test"][:2]


def test_a_data_set_of_one_person_has_no_split():
    assert load_splits(["qmritools_thigh"]) == ()
    assert len(list_subjects("qmritools_thigh")) == 1


@pytest.mark.real
def test_a_data_set_of_one_person_shows_that_person(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    fetch("qmritools_thigh", from_dir=real_data)
    assert load_some("qmritools_thigh", progress=False).subjects == ("qmritools_thigh",)


def test_the_first_sequences_are_loaded():
    cases = load_some("phantom_thigh", n_subjects=1, n_sequences=2, progress=False)
    assert len(cases.subjects) == 1
    assert [case.sequence for case in cases] == ["t1w", "dixon_opposed"]


@pytest.mark.parametrize("number", ["n_subjects", "n_sequences"])
def test_none_of_the_people_or_sequences_is_refused(number):
    with pytest.raises(InputError, match=f"no {number[2:-1]}.* chosen of phantom_thigh"):
        load_some("phantom_thigh", progress=False, **{number: 0})


def test_people_of_another_part_are_loaded_if_asked_for():
    (case,) = load_some("phantom_thigh", part="inference", progress=False)
    assert case.subject == list_subjects("phantom_thigh", part="inference")[0]


def test_what_was_not_fetched_is_not_downloaded_unasked():
    assert load_fetched("qmritools_thigh") == ()
    assert load_fetched("") == ()
    with pytest.raises(InputError, match="nowhere"):
        load_fetched("nowhere")


def test_the_fullest_slice_has_the_most_labels():
    labels = np.zeros((6, 6, 3), dtype=np.int16)
    labels[:, :, 0] = 1
    labels[0, 0, 1], labels[1, 1, 1] = 1, 2
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    case = Case(subject="a", image=Volume(labels * 1.0, affine), reference=LabelMap(labels, affine))
    assert fullest_slice(case).index == 1


def test_companions_are_of_the_same_people_on_the_same_grid():
    cases = load_some("phantom_thigh", n_subjects=1, progress=False)
    pair = load_companions(cases, ["dixon_water", "dixon_fat"])
    assert [case.sequence for case in pair] == ["dixon_water", "dixon_fat"]
    assert {case.subject for case in pair} == {cases[0].subject}
    assert {case.image.shape for case in pair} == {cases[0].image.shape}


def test_what_a_data_set_does_not_name_has_no_companions():
    cases = load_some("phantom_thigh", n_subjects=1, progress=False)
    assert load_companions(cases, ["t2_map"]) == ()
