"""Splits by subject: made once, kept, read again; and no CaseSet leaks."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mskseg.case import Case, CaseSet
from mskseg.datasets.layouts import (
    DicomNiftiLayout,
    NiftiPairsLayout,
    NnunetLayout,
    OaiZibLayout,
    SpiderLayout,
    read_folder,
)
from mskseg.errors import InputError, OutputError
from mskseg.provenance import provenance
from mskseg.splits import (
    SHARES,
    Split,
    check_nobody_twice,
    default_counts,
    load_split,
    make_split,
    save_split,
    stored_split,
)
from mskseg.volume import LabelMap, Volume
from mskseg_phantom import ANATOMIES
from mskseg_phantom.provider import PhantomSource

NAMES = [f"s{n:02}" for n in range(24)]


def _trees():
    spec = importlib.util.spec_from_file_location(
        "trees", Path(__file__).parent / "datasets" / "layouts" / "trees.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["trees"] = module
    spec.loader.exec_module(module)
    return module


def in_memory() -> CaseSet:
    image = Volume(np.ones((3, 3, 3)), np.eye(4))
    reference = LabelMap(np.ones((3, 3, 3), np.uint8), np.eye(4))
    return CaseSet(
        "own data",
        [
            Case(s, image, reference, sequence=q, side=side, visit=visit)
            for s in NAMES[:8]
            for q in ("t1w", "t2w")
            for side in ("left", "right")
            for visit in ("0", "12 months")
        ],
    )


# --- what a split guarantees


@given(
    st.sets(st.text("abc123", min_size=1, max_size=4), min_size=4, max_size=60), st.integers(0, 99)
)
def test_everybody_is_in_one_part_and_every_part_has_somebody(subjects, seed):
    split = make_split("toy", subjects, seed=seed)
    assert set(split.parts) == set(SHARES)
    assert sorted(split.subjects) == sorted(subjects)
    assert all(split.parts.values())


def test_the_default_of_24_is_that_of_the_phantoms():
    assert default_counts(24) == {"train": 12, "validation": 4, "test": 6, "inference": 2}
    assert default_counts(4) == dict.fromkeys(SHARES, 1)
    with pytest.raises(InputError, match="cannot split 3 subjects into 4 parts"):
        default_counts(3)


def test_the_hash_follows_who_is_where_and_nothing_else():
    split = make_split("toy", NAMES, seed=1)
    again = make_split("toy", NAMES[::-1], seed=1)
    assert split.sha256 == again.sha256
    swapped = dict(split.parts)
    swapped["train"], swapped["test"] = swapped["test"], swapped["train"]
    others = {
        Split("toy", swapped).sha256,
        Split("other", split.parts).sha256,
        make_split("toy", NAMES, seed=2).sha256,
    }
    assert len(others | {split.sha256}) == 4
    turned = {part: subjects[::-1] for part, subjects in split.parts.items()}
    assert Split("toy", turned).sha256 == split.sha256


def test_a_subject_in_two_parts_is_refused():
    with pytest.raises(InputError, match="has the subject 'b' in train and in test") as caught:
        Split("toy", {"train": ("a", "b"), "test": ("b",)})
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="'a' in train and in train"):
        check_nobody_twice({"train": ("a", "a")})


@pytest.mark.parametrize("parts", [{"train": ()}, {"holdout": ("a",)}])
def test_an_empty_or_unknown_part_is_refused(parts):
    with pytest.raises(InputError, match="the parts are train, validation, test, inference"):
        Split("toy", parts)


# --- kept in a file


def test_a_split_is_made_once_and_read_again(tmp_path):
    path = tmp_path / "splits" / "toy.json"
    first = stored_split(path, dataset="toy", subjects=NAMES, seed=0)
    written = path.read_bytes()
    again = stored_split(path, dataset="toy", subjects=NAMES[::-1], seed=7)
    assert again == first == load_split(path)
    assert again.seed == 0
    assert path.read_bytes() == written
    assert len(written) < 2000


def test_a_kept_split_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "toy.json"
    stored_split(path, dataset="toy", subjects=NAMES, seed=0)
    with pytest.raises(InputError, match=r"toy now has 25 \(the first that differs: new\)"):
        stored_split(path, dataset="toy", subjects=[*NAMES, "new"], seed=0)
    with pytest.raises(InputError, match="splits 24 subjects of toy, and other"):
        stored_split(path, dataset="other", subjects=NAMES, seed=0)


def test_an_edited_split_is_refused(tmp_path):
    path = tmp_path / "toy.json"
    split = make_split("toy", NAMES, seed=0)
    save_split(split, path)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["parts"]["train"].append(content["parts"]["test"].pop())
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="was edited"):
        load_split(path)
    content["parts"]["test"].append(content["parts"]["train"][-1])
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="in train and in test"):
        load_split(path)


@pytest.mark.parametrize("content", ["", "[]", '{"parts": 1}', '{"parts": {}}'])
def test_what_is_no_split_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=r"is no split \(.*\); delete it"):
        load_split(tmp_path / "x.json")


def test_a_split_that_cannot_be_kept_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        stored_split(tmp_path / "file" / "x.json", dataset="toy", subjects=NAMES, seed=0)


# --- no leakage, over every kind of CaseSet


SETS = {
    "in memory": lambda _: in_memory(),
    "spider": lambda p: read_folder(_trees().spider(p, subjects=range(1, 6)), SpiderLayout()),
    "oai_zib": lambda p: read_folder(
        _trees().oai_zib(p, subjects=["90", "91", "92", "93"]), OaiZibLayout()
    ),
    "nnunet": lambda p: read_folder(
        _trees().nnunet(
            p, names=[f"{s}_{side}" for s in "abcde" for side in ("left", "right")], channels=2
        ),
        NnunetLayout(pattern="(?P<subject>.)_(?P<side>left|right)"),
    ),
    "nifti_pairs": lambda p: read_folder(
        _trees().pairs(
            p, names=[f"{s}_{d}_V{v}" for s in "abcde" for d in ("left", "right") for v in (1, 2)]
        ),
        NiftiPairsLayout(pattern=r"images/(?P<subject>.)_(?P<side>left|right)_(?P<visit>V\d)"),
    ),
    "dicom_nifti": lambda p: read_folder(
        _trees().dicom_nifti(p, scans=[(f"S{n}", f"p{n // 2}", n % 2) for n in range(8)]),
        DicomNiftiLayout(labels="masks/{name}.nii.gz", echoes=2, subjects="annotations/*.json"),
    ),
}


@pytest.mark.parametrize("kind", SETS)
def test_no_case_set_leaks_a_subject_or_a_file(tmp_path, kind):
    cases = SETS[kind](tmp_path)
    counts = default_counts(len(cases.subjects))
    split = make_split(cases.name, cases.subjects, parts=counts, seed=3)
    parts = cases.split(counts, seed=3)
    check_nobody_twice({part: found.subjects for part, found in parts.items()})
    assert sum(len(found) for found in parts.values()) == len(cases)
    assert len(cases) > len(cases.subjects) or kind == "oai_zib"
    files = [{getattr(c, "image", c) for c in found._cases} for found in parts.values()]
    if kind != "in memory":
        assert len(set().union(*files)) == sum(map(len, files))
    assert {found.split_sha256 for found in parts.values()} == {split.sha256}


@pytest.mark.parametrize("name", [f"phantom_{anatomy}" for anatomy in ANATOMIES])
def test_no_phantom_leaks_a_subject(name):
    split = PhantomSource(name).split()
    check_nobody_twice(split.parts)
    n_test = 15 if name == "phantom_infiltrated_thigh" else 6
    assert [len(subjects) for subjects in split.parts.values()] == [12, 4, n_test, 2]


def test_the_hash_of_the_split_goes_into_provenance():
    cases = in_memory()
    train = cases.split({"train": 4, "test": 4}, seed=0)["train"]
    assert provenance(cases=train.where(sequence="t1w"))["data"]["split_sha256"] == (
        train.split_sha256
    )
    assert len(train.split_sha256) == 64
    assert provenance(cases=cases)["data"]["split_sha256"] is None
