"""The real scans of a first run: who is reported, what is at hand, and what is fetched."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import CaseDescription
from mskseg.cli.run import bring_real_scans
from mskseg.datasets import (
    at_hand,
    fetch,
    list_at_hand,
    list_subjects,
    load_cases,
    load_manifest,
    load_splits,
    real_scans,
)
from mskseg.datasets import fetching as fetching_module
from mskseg.errors import InputError
from mskseg_studies.people import load_fetched

SPINE = "spine_vertebrae"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no downloads, and no package that holds a scan."""
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MSKSEG_OFFLINE", "1")
    monkeypatch.setattr(
        fetching_module, "_is_in_package", lambda entry: entry.package == "mskseg_mini"
    )
    return tmp_path / "cache"


@pytest.fixture
def internet(monkeypatch):
    """Downloads are allowed and fail; gives the names of the files that were tried."""
    tried = []

    def download(file, _target, **options):
        tried.append((file.name, options["timeout_s"]))
        raise InputError("no connection")

    monkeypatch.delenv("MSKSEG_OFFLINE")
    monkeypatch.setattr(fetching_module, "_download", download)
    return tried


def test_the_split_is_that_of_the_manifest(monkeypatch):
    monkeypatch.delenv("MSKSEG_OFFLINE")
    (split,) = load_splits([SPINE])
    assert {part: len(people) for part, people in split.parts.items()} == {
        "train": 6, "validation": 2, "test": 5, "inference": 10,
    }  # fmt: skip
    assert {name[:3] for name in split.parts["inference"]} == {"VB3"}
    assert {s[:3] for part, names in split.parts.items() if part != "inference" for s in names} == {
        "VB2"
    }
    entry = load_manifest().datasets[SPINE]
    assert entry.subjects == len(split.subjects) == len(entry.files) - len(entry.layout.passed_over)
    assert "VB2_04" not in split.subjects


def test_those_who_are_reported_belong_to_a_first_run():
    wanted = real_scans()
    assert {"qmritools_thigh", "qmritools_leg", "tptbox_vertebra"} <= wanted.keys()
    assert len(wanted[SPINE]) == 15
    assert not any(list_at_hand(name) for name in wanted)


@pytest.mark.real
def test_half_of_the_people_are_shown_where_only_half_are_here(real_data):
    half = ["vb2_17", "vb2_18", "vb3_07"]
    fetch(SPINE, roles=half, from_dir=real_data, progress=False)
    assert list_at_hand(SPINE) == ("VB2_17", "VB2_18", "VB3_07")
    assert list_at_hand(SPINE, part="test") == ("VB2_17", "VB2_18")
    assert list_subjects(SPINE, part="test") == ("VB2_17", "VB2_18")
    cases = load_cases(SPINE, part="test", progress=False)
    assert cases.subjects == ("VB2_17", "VB2_18")
    assert cases.split_sha256 == load_splits([SPINE])[0].sha256
    assert [case.subject for case in load_fetched(SPINE)] == ["VB2_17", "VB2_18", "VB3_07"]
    with pytest.raises(InputError, match="expected 6 people of spine_vertebrae/train, got none"):
        load_cases(SPINE, part="train", progress=False)


@pytest.mark.real
def test_a_real_spine_is_sagittal_with_bodies_of_one_kind(real_data):
    fetch(SPINE, roles=["vb2_17"], from_dir=real_data, progress=False)
    (case,) = load_cases(SPINE, subjects=["VB2_17"], progress=False)
    assert (case.plane, case.site) == ("sagittal", "VB2")
    assert {case.kind(label) for label in case.reference.labels} == {"vertebra"}
    # The bodies stand one above the other: a column, long from S to I and thin from R to L.
    mask = case.reference.reoriented("RAS").array
    centres = [np.argwhere(mask == label).mean(axis=0) for label in case.reference.labels]
    right, anterior, superior = np.ptp(centres, axis=0)
    assert superior > 3 * anterior > 3 * right


@pytest.mark.real
def test_the_damaged_pair_is_refused_if_it_is_read_all_the_same(real_data):
    layout = load_manifest().datasets[SPINE].layout.model_copy(update={"passed_over": {}})
    folder = real_data / "fastcleverseg" / "VB2"
    layout = layout.model_copy(update={"pattern": "(?P<subject>.+)"})
    scan = layout.list_scans(folder, CaseDescription(subject=""))[0]
    with pytest.raises(InputError, match=r"04\.mat has an image .*76\) and a label map .*77\)"):
        scan.load()


def test_the_first_failed_download_ends_the_try(internet, capsys):
    bring_real_scans(offline=False, progress=False)
    assert internet == [("thigh_image.nii.gz", 3.0)]
    assert "no answer within three seconds" in capsys.readouterr().out


def test_offline_does_not_try(internet, capsys):
    bring_real_scans(offline=True, progress=False)
    assert internet == []
    assert "spine_vertebrae 0 of 15" in capsys.readouterr().out


@pytest.mark.real
def test_nothing_is_fetched_where_all_is_here(real_data, internet, capsys):
    for name, entry in load_manifest().datasets.items():
        if entry.first_run:
            fetch(name, from_dir=real_data, progress=False)
    bring_real_scans(offline=False, progress=False)
    assert internet == []
    assert "spine_vertebrae 15 of 15" in capsys.readouterr().out


def test_what_is_not_here_is_left_out_and_named(capsys, tmp_path):
    weights = tmp_path / "tuned.safetensors"
    weights.touch()
    names = [SPINE, "phantom_knee", "sam_vit_b", "sam_vit_mini", str(weights)]
    assert at_hand(names) == ["phantom_knee", "sam_vit_mini", str(weights)]
    (line,) = capsys.readouterr().out.splitlines()
    assert "spine_vertebrae (run mskseg data fetch spine_vertebrae)" in line
    assert "sam_vit_b (" in line


def test_nothing_at_hand_is_refused():
    with pytest.raises(InputError, match="expected what is here, got spine_vertebrae"):
        at_hand(["spine_vertebrae"])
    with pytest.raises(InputError, match="'nowhere' is not in the manifest"):
        at_hand(["nowhere"])
