"""A reader's own files: paired by what a pattern finds in their paths."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mskseg.datasets.layouts import read_globbed
from mskseg.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("sub-1_t1", "sub-2_t1", "sub-10_t1"):
        scan(tmp_path / f"{name}_image.nii.gz", value=5)
        scan(tmp_path / f"{name}_labels.nii.gz", value=1)
    return tmp_path


def scan(path: Path, *, value: int) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    nib.save(nib.Nifti1Image(np.full((4, 4, 2), value, np.uint8), np.eye(4)), path)


def read(folder: Path, pattern: str = "sub-[0-9]+", images: str = "*_image.nii.gz"):
    return read_globbed(
        str(folder / images), str(folder / "*_labels.nii.gz"), subject_pattern=pattern
    )


def test_images_meet_their_label_maps_in_the_order_that_people_count(folder):
    cases = read(folder)
    assert [case.subject for case in cases] == ["sub-1", "sub-2", "sub-10"]
    assert all(case.reference.labels == (1,) for case in cases)
    assert cases[0].sequence == "sub-1_t1_image"


@pytest.mark.parametrize("pattern", [r"sub-(\d+)", r"sub-(?P<subject>\d+)_(?P<sequence>\w+?)_"])
def test_the_subject_is_the_named_or_the_first_group(folder, pattern):
    assert read(folder, pattern).subjects == ("1", "10", "2")
    if "sequence" in pattern:
        assert read(folder, pattern)[0].sequence == "t1"


def test_one_label_map_serves_several_images_of_a_subject(folder):
    scan(folder / "sub-1_t2_image.nii.gz", value=7)
    cases = read(folder)
    assert [c.subject for c in cases].count("sub-1") == 2


def test_a_group_tells_the_visits_of_a_subject_apart(folder):
    for visit in ("a", "b"):
        scan(folder / f"p-1_v-{visit}_image.nii.gz", value=7)
        scan(folder / f"p-1_v-{visit}_labels.nii.gz", value=2)
    images, labels = (str(folder / f"p-*_{what}.nii.gz") for what in ("image", "labels"))
    with pytest.raises(InputError, match=r"has 2 label maps \(p-1_v-a_labels.nii.gz, p-1_v-b"):
        read_globbed(images, labels, subject_pattern=r"p-(\d+)")
    cases = read_globbed(images, labels, subject_pattern=r"p-(?P<subject>\d+)_v-(?P<visit>\w)_")
    assert [case.visit for case in cases] == ["a", "b"]


@pytest.mark.parametrize(
    ("pattern", "images", "match"),
    [
        ("patient-[0-9]+", "*_image.nii.gz", "'patient-.*' matches no subject in .*sub-1_t1_image"),
        ("", "*_image.nii.gz", "matches no subject"),
        ("sub-([0-9]+", "*_image.nii.gz", "is not a regular expression"),
        ("sub-[0-9]+", "*.mha", r"no file matches .*\.mha', expected the images"),
    ],
)
def test_what_matches_nothing_is_said(folder, pattern, images, match):
    with pytest.raises(InputError, match=match):
        read(folder, pattern, images)


def test_an_image_without_a_label_map_is_named(folder):
    (folder / "sub-2_t1_labels.nii.gz").unlink()
    with pytest.raises(
        InputError, match=r"sub-2_t1_image.nii.gz of subject sub-2 has 0 label maps"
    ):
        read(folder)


def test_a_file_that_both_globs_match_is_refused(tmp_path):
    for name in ("s-1_image.nii.gz", "s-1_labels.nii.gz", "s-2_image.nii.gz", "s-2_labels.nii.gz"):
        (tmp_path / name).touch()
    said = r"2 files are matched by both globs, the first is .*s-1_labels\.nii\.gz"
    with pytest.raises(InputError, match=said):
        read_globbed(f"{tmp_path}/*.nii.gz", f"{tmp_path}/*_labels*", subject_pattern="s-.")
    (tmp_path / "other").symlink_to(tmp_path)
    with pytest.raises(InputError, match="matched by both globs"):
        read_globbed(f"{tmp_path}/*.gz", f"{tmp_path}/other/*_labels*", subject_pattern="s-.")
    one = str(tmp_path / "s-1_image.nii.gz")
    with pytest.raises(InputError, match=r"s-1_image\.nii\.gz is image and label map at once"):
        read_globbed(one, one)


@pytest.mark.parametrize("folder", ["scans [1]", "[a-z]", "x[!y]", "plain"])
def test_brackets_that_stand_in_a_name_are_no_pattern(tmp_path, folder):
    for subject in ("1", "2", "3"):
        for kind in ("image", "labels"):
            path = tmp_path / folder / f"s-{subject}[t2]_{kind}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    given = [f"{tmp_path}/{folder}/s-*[t2]_{kind}.nii.gz" for kind in ("image", "labels")]
    assert len(read_globbed(*given, subject_pattern=r"s-\d")) == 3
    given = [f"{tmp_path}/{folder}/s-[12]*_{kind}.nii.gz" for kind in ("image", "labels")]
    assert len(read_globbed(*given, subject_pattern=r"s-\d")) == 2  # where none does, they are one


@pytest.mark.parametrize("pattern", ["(.+)+\n", "(s|s)*X", r"(\w*)*(\w*)*#"])
def test_a_pattern_that_backtracks_for_ever_is_refused(tmp_path, monkeypatch, pattern):
    monkeypatch.setattr("mskseg.datasets.layouts.nifti._PATTERN_S", 1.0)
    for kind in ("image", "labels"):
        (tmp_path / f"s-{'s' * 60}_{kind}.nii.gz").touch()
    with pytest.raises(InputError, match=r"takes more than 1 s on 2 paths; write it without"):
        read_globbed(f"{tmp_path}/*_image*", f"{tmp_path}/*_labels*", subject_pattern=pattern)
