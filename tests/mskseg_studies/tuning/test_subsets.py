"""The seven training subsets: what they hold and how scans are related to them."""

from __future__ import annotations

import pytest

from mskseg.datasets.loading import list_subjects
from mskseg.errors import InputError
from mskseg_studies.tuning.subsets import SUBSETS, describe_subsets, find_subset


def test_there_are_seven_by_anatomy_sequence_and_diversity():
    table = describe_subsets()
    assert table["chosen by"].value_counts().to_dict() == {
        "anatomy": 4,
        "sequence": 2,
        "diversity": 1,
    }
    assert table.loc["T1-weighted", "sequences"] == "t1w"


def test_subjects_are_shared_out_over_the_data_sets():
    loaded = find_subset("T1-weighted").load("train", n_subjects=4, progress=False)
    assert len(loaded) == len({case.dataset for case in loaded}) == 4
    assert {case.sequence for case in loaded} == {"t1w"}
    trained = {name for d in find_subset("T1-weighted").datasets for name in _train(d)}
    assert set(loaded.subjects) <= trained


def _train(dataset):
    return list_subjects(dataset, part="train")


def test_as_many_subjects_are_loaded_as_asked_for():
    loaded = find_subset("T1-weighted").load("validation", n_subjects=5, progress=False)
    assert len(loaded) == 5


def test_no_subject_of_one_part_is_in_another():
    parts = [set(find_subset("thigh").load(part, n_subjects=2, progress=False).subjects)
             for part in ("train", "validation")]  # fmt: skip
    assert not parts[0] & parts[1]
    assert [len(part) for part in parts] == [2, 2]


@pytest.mark.parametrize(
    ("subset", "dataset", "sequence", "kin"),
    [
        ("thigh", "phantom_thigh", "t1w", "in"),
        ("thigh", "phantom_thigh", "dixon_fat", "other sequence"),
        ("thigh", "phantom_knee", "t1w", "out"),
        ("T1-weighted", "phantom_knee", "t1w", "in"),
        ("T1-weighted", "phantom_knee", "pdw_fs", "other sequence"),
    ],
)
def test_kinship_tells_what_was_trained_on(subset, dataset, sequence, kin):
    assert find_subset(subset).kinship(dataset, sequence) == kin


def test_a_data_set_is_a_subset_of_its_own():
    own = find_subset("phantom_infiltrated_thigh")
    assert own.datasets == ("phantom_infiltrated_thigh",)
    assert all(subset.name != own.name for subset in SUBSETS)


def test_an_unknown_name_and_no_subject_are_refused():
    with pytest.raises(InputError, match="'shoulder' is neither a subset nor a data set"):
        find_subset("shoulder")
    with pytest.raises(InputError, match="each of the 4 data sets of diverse, got 3"):
        find_subset("diverse").load("train", n_subjects=3)
