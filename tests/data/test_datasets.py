from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mskseg.data import datasets, phantom
from mskseg.data.datasets import list_subjects, load_cases
from mskseg.data.manifest import fetch, load_manifest
from mskseg.errors import InputError, OutputError


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def scanned(monkeypatch) -> list[int]:
    """Subjects whose anatomy was drawn; drawn small, for speed."""
    drawn: list[int] = []
    scan = phantom.scan_thigh

    def scan_small(number, *, sequences):
        drawn.append(number)
        return scan(number, sequences=sequences, shape=(48, 48, 4))

    monkeypatch.setattr(phantom, "scan_thigh", scan_small)
    return drawn


def test_only_the_subjects_asked_for_are_made_and_only_once(cache, scanned) -> None:
    first = load_cases("phantom_thigh", subjects=["thigh-02", "thigh-23"], progress=False)
    assert scanned == [2, 23]
    again = load_cases("phantom_thigh", subjects=["thigh-02", "thigh-23"], progress=False)
    assert scanned == [2, 23]
    assert first.fingerprint() == again.fingerprint()
    assert [case.site for case in again] == [case.site for case in first]
    assert len(first) == 4


def test_one_sequence_can_be_asked_for_and_the_other_made_later(cache, scanned) -> None:
    t1w = load_cases("phantom_thigh", subjects="thigh-01", sequences="t1w", progress=False)
    both = load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    assert [case.sequence for case in both] == ["t1w", "dixon_opposed"]
    np.testing.assert_array_equal(t1w[0].image.array, both[0].image.array)


def test_the_cache_key_holds_the_version(cache, scanned, monkeypatch) -> None:
    load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    assert (
        cache / "phantom_thigh" / f"version-{phantom.PHANTOM_VERSION}" / "thigh-01_labels.nii.gz"
    ).is_file()
    monkeypatch.setattr(phantom, "PHANTOM_VERSION", 99)
    load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    assert scanned == [1, 1]


def test_a_damaged_file_in_the_cache_is_made_again(cache, scanned) -> None:
    first = load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    damaged = next(cache.rglob("*t1w.nii.gz"))
    damaged.write_bytes(damaged.read_bytes()[:1000])
    again = load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    assert first.fingerprint() == again.fingerprint()
    assert scanned == [1, 1]


def test_the_bar_is_shown_while_making_and_can_be_switched_off(cache, scanned, capsys) -> None:
    load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    assert capsys.readouterr().err == ""
    load_cases("phantom_thigh", subjects=["thigh-02"])
    assert "phantom_thigh" in capsys.readouterr().err
    load_cases("phantom_thigh", subjects=["thigh-02"])
    assert capsys.readouterr().err == ""


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, scanned, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write"):
        load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)


def test_subjects_are_listed_by_part() -> None:
    sizes = {part: len(list_subjects("phantom_thigh", part=part)) for part in phantom.SPLIT}
    assert sizes == {"train": 12, "validation": 4, "test": 6, "inference": 2}
    assert len(set(list_subjects("phantom_thigh"))) == 24
    assert list_subjects("qmritools_thigh") == ("qmritools_thigh",)


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("phantom_tigh", {}, "unknown data set 'phantom_tigh'; choose one of .*phantom_thigh"),
        ("phantom_thigh", {"subjects": ["thigh-25"]}, "unknown subject 'thigh-25'.*thigh-24"),
        ("phantom_thigh", {"subjects": []}, "no subject chosen"),
        ("phantom_thigh", {"sequences": ["t2w"]}, "unknown sequence 't2w'.*t1w, dixon_opposed"),
        ("qmritools_thigh", {"subjects": ["someone"]}, "unknown subject 'someone'"),
        ("pymskt_knee", {}, "label map and no image"),
        ("sam_vit_b", {}, "unknown data set 'sam_vit_b'"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(cache, name, asked, message) -> None:
    with pytest.raises(InputError, match=message) as raised:
        load_cases(name, **asked)
    assert "\n" not in str(raised.value)
    assert not cache.exists()


def test_a_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="unknown part 'exam'"):
        list_subjects("phantom_thigh", part="exam")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no split of its own"):
        list_subjects("qmritools_leg", part="test")


@pytest.mark.real
@pytest.mark.parametrize("name", ["qmritools_thigh", "qmritools_leg", "tptbox_vertebra"])
def test_real_scans_load_with_their_labels_and_provenance(cache, real_data, name) -> None:
    fetch(name, from_dir=real_data)
    (case,) = load_cases(name, progress=False)
    entry = load_manifest().datasets[name]
    assert case.reference is not None
    assert set(case.reference.labels) == set(entry.labels)
    assert case.tissues == entry.labels
    assert case.reference_provenance == entry.reference.provenance
    assert case.reference_provenance != "synthetic"


@pytest.mark.real
def test_a_pair_of_images_makes_two_cases_without_reference(cache, real_data) -> None:
    fetch("qmritools_dixon", from_dir=real_data)
    cases = load_cases("qmritools_dixon", progress=False)
    assert [case.sequence for case in cases] == ["Dixon water", "Dixon fat"]
    assert cases[0].reference is None
    (fat,) = load_cases("qmritools_dixon", sequences=["Dixon fat"], progress=False)
    np.testing.assert_array_equal(fat.image.array, cases[1].image.array)


def test_every_data_set_of_the_manifest_lists_its_subjects() -> None:
    assert all(datasets.list_subjects(name) for name in load_manifest().datasets)
