"""Training subsets of any data sets, and what is scored beside them."""

from __future__ import annotations

import pytest
from support.tuning_cases import draw_case

from mskseg.case import CaseSet
from mskseg.datasets.loading import list_subjects
from mskseg.errors import InputError
from mskseg.splits import Split
from mskseg_studies.tuning import subsets as module
from mskseg_studies.tuning.subsets import Subset, choose_subsets, describe_subsets, load_parts

PHANTOMS = ("phantom_knee", "phantom_spine", "phantom_hip", "phantom_thigh")
PARTS = {"train": ("p1", "p2"), "validation": ("p3",), "test": ("p4", "p5"), "inference": ("p6",)}


class Drawn:
    """A data set under a name that no phantom has."""

    def __init__(self, name, sequences, *, parts=PARTS):
        self.name, self._sequences, self._parts = name, sequences, parts

    def subjects(self):
        return tuple(s for part in self._parts.values() for s in part) or ("p0", "p1")

    def subjects_in(self, part):
        return self._parts[part]

    def split(self):
        return Split(self.name, self._parts) if self._parts else None

    def sequences(self):
        return self._sequences

    def default_sequences(self, subjects):
        return self._sequences

    def load(self, subjects, sequences):
        return CaseSet(
            self.name,
            [
                draw_case(subject, seed=1, dataset=self.name, sequence=sequence)
                for subject in subjects
                for sequence in sequences
            ],
        )


@pytest.fixture
def own_data(monkeypatch):
    """Two data sets that can train, and a third one that is too small for a split."""
    here = {
        "shoulders": Drawn("shoulders", ("pd", "t2")),
        "ankles": Drawn("ankles", ("t1", "pd")),
        "one_hip": Drawn("one_hip", ("t1",), parts={}),
    }
    monkeypatch.setattr(module, "source_of", lambda name, **_: here[name])
    monkeypatch.setattr(module, "check_can_be_scored", lambda name: None)
    monkeypatch.setattr(
        module, "load_cases", lambda name, *, subjects, sequences, progress: here[name].load(
            subjects, sequences)
    )  # fmt: skip
    return tuple(here)


def test_the_phantoms_give_seven_as_the_study_has():
    chosen = choose_subsets(["anatomy", "t1w", "pdw_fs_8x", "diverse"], PHANTOMS)
    by = describe_subsets(chosen)["chosen by"].value_counts().to_dict()
    assert by == {"anatomy": 4, "sequence": 2, "diversity": 1}
    assert {dataset for dataset, _ in chosen[-1].scans} == set(PHANTOMS)
    assert chosen[0].scans == (("phantom_knee", "pdw_fs"),)


def test_any_data_set_with_people_enough_trains_and_the_others_only_report(own_data):
    chosen = choose_subsets(["anatomy", "pd", "t1", "diverse"], own_data)
    assert [(subset.name, subset.scans) for subset in chosen] == [
        ("shoulders", (("shoulders", "pd"),)),
        ("ankles", (("ankles", "t1"),)),
        ("pd", (("shoulders", "pd"), ("ankles", "pd"))),
        ("diverse", (("shoulders", "pd"), ("shoulders", "t2"), ("ankles", "t1"), ("ankles", "pd"))),
    ]


def test_what_is_trained_on_is_tested_on_and_whole_volumes_are_of_the_first_sequence(own_data):
    chosen = choose_subsets(["anatomy", "pd"], own_data)
    parts = load_parts(chosen, own_data, n_of_part={"test": 1, "inference": 2}, progress=False)
    scans = {part: [(c.dataset, c.subject, c.sequence) for c in parts[part]] for part in parts}
    assert scans["test"] == [
        ("shoulders", "p4", "pd"),
        ("ankles", "p4", "t1"),
        ("ankles", "p4", "pd"),
        ("one_hip", "p0", "t1"),
    ]
    assert scans["inference"] == [("shoulders", "p6", "pd"), ("ankles", "p6", "t1")]


def test_undersampled_scans_are_tested_on_undersampled_scans():
    chosen = choose_subsets(["anatomy", "pdw_fs_8x"], PHANTOMS[:2])
    parts = load_parts(chosen, PHANTOMS[:2], n_of_part={"test": 1}, progress=False)
    assert [case.sequence for case in parts["test"]] == ["pdw_fs", "pdw_fs_8x", "t1w", "pdw_fs_8x"]


def test_of_other_anatomies_only_first_sequences_and_no_whole_volumes_are_asked_for(own_data):
    chosen = choose_subsets(["anatomy", "pd"], own_data)
    cases = load_parts(chosen, own_data, n_of_part={"test": 1}, progress=False)["test"]
    asked = [(c.dataset, c.sequence) for c in chosen[0].asks_for(cases, part="test")]
    assert asked == [("shoulders", "pd"), ("ankles", "t1"), ("one_hip", "t1")]
    inside = chosen[0].asks_for(cases, part="inference")
    assert {case.dataset for case in inside} == {"shoulders"}


def test_subjects_are_shared_out_over_the_data_sets(own_data):
    (subset,) = choose_subsets(["diverse"], own_data)
    loaded = subset.load("train", n_subjects=3, progress=False)
    assert [(c.dataset, c.subject, c.sequence) for c in loaded] == [
        ("shoulders", "p1", "pd"),
        ("shoulders", "p1", "t2"),
        ("shoulders", "p2", "pd"),
        ("shoulders", "p2", "t2"),
        ("ankles", "p1", "t1"),
        ("ankles", "p1", "pd"),
    ]


def test_no_subject_of_one_part_is_in_another():
    thigh = Subset("thigh", "anatomy", (("phantom_thigh", "t1w"),))
    train, validation = (
        set(thigh.load(part, n_subjects=2, progress=False).subjects)
        for part in ("train", "validation")
    )
    assert train <= set(list_subjects("phantom_thigh", part="train"))
    assert not train & validation


def test_nothing_to_train_on_and_too_few_subjects_are_refused(own_data):
    with pytest.raises(InputError, match="got none from anatomy, t9 and one_hip; give a data set"):
        choose_subsets(["anatomy", "t9"], ["one_hip"])
    (diverse,) = choose_subsets(["diverse"], own_data)
    with pytest.raises(InputError, match="each of the 2 data sets of diverse, got 1"):
        diverse.load("train", n_subjects=1)


def test_a_forgotten_comma_is_told():
    with pytest.raises(InputError, match="with both commas"):
        Subset("mine", "sequence", ("phantom_thigh", "dixon_fat"))
