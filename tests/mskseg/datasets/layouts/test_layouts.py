"""From a folder in each layout to a set of cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from mskseg.case import CaseDescription, CaseSet
from mskseg.datasets import scans as scans_module
from mskseg.datasets.layouts import (
    DicomNiftiLayout,
    NiftiPairsLayout,
    NnunetLayout,
    OaiZibLayout,
    SpiderLayout,
    read_folder,
)
from mskseg.datasets.scans import LazyCaseSet
from mskseg.errors import InputError
from mskseg.io import load_image

SIDES = NiftiPairsLayout(pattern=r"images/(?P<subject>[a-z]+)_(?P<side>left|right)_(?P<visit>V\d)")
MTR = DicomNiftiLayout(labels="masks/{name}.nii.gz", echoes=2, subjects="annotations/*.json")


@pytest.fixture
def reads(monkeypatch):
    """Paths of the images that were read."""
    read = []
    monkeypatch.setattr(
        scans_module, "load_image", lambda path, **k: (read.append(path), load_image(path, **k))[1]
    )
    return read


# --- SPIDER


def test_spider_gives_a_case_for_each_series_and_keeps_a_patient_together(trees, tmp_path):
    about = CaseDescription(
        subject="", dataset="spider", anatomy="lumbar spine", reference_provenance="semi-automatic"
    )
    cases = read_folder(trees.spider(tmp_path), SpiderLayout(), template=about)
    assert [c.subject for c in cases.scans] == ["1"] * 3 + ["2"] * 3 + ["10"] * 3
    assert {c.sequence for c in cases.scans} == {
        "T1-weighted",
        "T2-weighted",
        "T2-weighted SPACE",
    }
    case = cases[1]
    assert case.name == "spider/1/T2-weighted"
    assert case.reference.labels == (1, 100, 201)
    assert (case.anatomy, case.reference_provenance) == ("lumbar spine", "semi-automatic")
    np.testing.assert_array_equal(case.image.array, trees.voxels(101))


def test_spider_is_found_in_a_folder_of_the_archives_own_and_without_apples_litter(trees, tmp_path):
    trees.spider(tmp_path / "x", subjects=[7], kinds=["t1"])
    for role in ("images", "masks"):
        (tmp_path / "unpacked" / role).mkdir(parents=True)
        (tmp_path / "x" / role).rename(tmp_path / "unpacked" / role / role)
        (tmp_path / "unpacked" / role / "._7_t1.mha").write_bytes(b"litter")
    assert read_folder(tmp_path / "unpacked", SpiderLayout()).subjects == ("7",)


def test_spider_refuses_a_name_that_does_not_say_whose_it_is(trees, tmp_path):
    trees.spider(tmp_path, kinds=["t1", "flair"])
    with pytest.raises(InputError, match=r"1_flair.*whose it is.*rename"):
        read_folder(tmp_path, SpiderLayout())


def test_two_files_of_one_series_are_refused(trees, tmp_path):
    trees.spider(tmp_path, subjects=[1], kinds=["t1"])
    trees.write_mha(tmp_path / "images" / "again" / "1_t1.mha", trees.voxels())
    with pytest.raises(InputError, match=r"have one name; remove one"):
        read_folder(tmp_path, SpiderLayout())


# --- OAI-ZIB


def test_oai_zib_gives_the_mask_the_pose_of_its_scan(trees, tmp_path):
    cases = read_folder(
        trees.oai_zib(tmp_path),
        OaiZibLayout(),
        template=CaseDescription(subject="", sequence="DESS"),
    )
    assert cases.subjects == ("9001104", "9002430")
    for case in cases:
        assert case.image.orientation == "RAS"
        np.testing.assert_array_equal(case.reference.array == 1, case.image.array > 450)
    scan = load_image(cases.scans[0].image)
    np.testing.assert_array_equal(scan.reoriented("RAS").affine, cases[0].reference.affine)


def test_oai_zib_refuses_a_mask_of_another_shape(trees, tmp_path):
    trees.oai_zib(tmp_path, subjects=["9001104"])
    path = tmp_path / "segmentation/segmentation_masks/9001104.segmentation_masks.mhd"
    trees.write_mha(path, trees.labels(1))
    with pytest.raises(InputError, match=r"6, 5, 4.*4, 5, 7.*do not belong together"):
        read_folder(tmp_path, OaiZibLayout())[0]


@pytest.mark.parametrize("line", ["9001104: ../../etc", "9001104: /etc", "9001104"])
def test_oai_zib_refuses_paths_that_leave_the_folder(trees, tmp_path, line):
    trees.oai_zib(tmp_path, subjects=["9001104"])
    (tmp_path / "segmentation/doc/oai_mri_paths.txt").write_text(line)
    with pytest.raises(InputError, match="expected SUBJECT: a/folder/below"):
        read_folder(tmp_path, OaiZibLayout())


# --- nnU-Net


def test_nnunet_names_channels_and_labels_by_its_description(trees, tmp_path):
    cases = read_folder(trees.nnunet(tmp_path, channels=2), NnunetLayout())
    assert [c.sequence for c in cases] == ["contrast 0", "contrast 1"] * 2
    assert cases.tissues == {1: "femur", 2: "tibia"}
    assert cases.subjects == ("knee_001", "knee_002")
    np.testing.assert_array_equal(cases[0].reference.array, cases[1].reference.array)


def test_nnunet_reads_the_description_of_version_1(trees, tmp_path):
    described = {"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "a", "2": "b"}}
    cases = read_folder(trees.nnunet(tmp_path, described=described), NnunetLayout())
    assert cases.tissues == {1: "a", 2: "b"}
    assert cases[0].sequence == "MRI"


def test_nnunet_takes_the_subject_out_of_the_name(trees, tmp_path):
    trees.nnunet(tmp_path, names=["a_left", "a_right", "b_left"])
    layout = NnunetLayout(pattern="(?P<subject>.)_(?P<side>left|right)")
    cases = read_folder(tmp_path, layout)
    assert cases.subjects == ("a", "b")
    assert [scan.side for scan in cases.scans] == ["left", "right", "left"]


def test_nnunet_without_description_needs_names_from_elsewhere(trees, tmp_path):
    (trees.nnunet(tmp_path) / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"dataset\.json is missing"):
        read_folder(tmp_path, NnunetLayout())
    named = CaseDescription(subject="", tissues={1: "femur", 2: "tibia"}, sequence="DESS")
    assert read_folder(tmp_path, NnunetLayout(), template=named)[0].sequence == "DESS"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is no object"),
        (json.dumps({"labels": {"whole": [1, 2]}}), "regions of several values"),
    ],
)
def test_a_bad_description_is_one_line(trees, tmp_path, content, message):
    (trees.nnunet(tmp_path) / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path, NnunetLayout())


# --- NIfTI pairs, and DICOM with NIfTI


def test_pairs_take_subject_side_and_visit_out_of_the_name(trees, tmp_path):
    cases = read_folder(
        trees.pairs(tmp_path),
        SIDES,
        template=CaseDescription(subject="", dataset="own", sequence="pd"),
    )
    assert cases.subjects == ("a", "b")
    assert [case.name for case in cases][:2] == ["own/a/pd/left/V1", "own/a/pd/left/V2"]
    assert cases.where(side="right")[0].visit == "V1"


def test_two_cases_of_one_id_are_refused(trees, tmp_path):
    trees.pairs(tmp_path)
    layout = NiftiPairsLayout(pattern="images/(?P<subject>[a-z]+)_.*")
    with pytest.raises(InputError, match="holds own data/a/unknown more than once"):
        read_folder(tmp_path, layout)


def test_images_may_share_a_label_map_and_lie_anywhere(trees, tmp_path):
    for contrast in ("water", "fat"):
        trees.write_nifti(tmp_path / "p1" / f"{contrast}.nii.gz", trees.voxels())
    trees.write_nifti(tmp_path / "p1" / "reference.nii.gz", trees.labels(1))
    layout = NiftiPairsLayout(
        images="*/[wf]*.nii.gz",
        labels="{subject}/reference.nii.gz",
        pattern="(?P<subject>[^/]+)/(?P<sequence>.+)",
    )
    assert [case.sequence for case in read_folder(tmp_path, layout)] == ["fat", "water"]


def test_dicom_echoes_are_cases_and_lists_say_whose_they_are(trees, tmp_path):
    cases = read_folder(
        trees.dicom_nifti(tmp_path),
        MTR,
        template=CaseDescription(subject="", dataset="x", sequence="DESS"),
    )
    assert cases.subjects == ("p1", "p2")
    assert [case.name for case in cases][:3] == [
        "x/p1/DESS echo 1/0",
        "x/p1/DESS echo 2/0",
        "x/p1/DESS echo 1/1",
    ]
    first, second = (cases[k].image.array for k in (0, 1))
    np.testing.assert_array_equal(first, trees.voxels(0))
    np.testing.assert_array_equal(second, trees.voxels(1))


def test_a_dicom_scan_of_nobody_is_refused(trees, tmp_path):
    trees.dicom_nifti(tmp_path)
    (tmp_path / "annotations" / "train.json").write_text('{"images": []}')
    with pytest.raises(InputError, match="which says whose scan each is"):
        read_folder(tmp_path, MTR)
    one = {"images": [{"scan_id": "S1", "subject_id": 1}]}
    (tmp_path / "annotations" / "train.json").write_text(json.dumps(one))
    with pytest.raises(InputError, match="not known whose scan"):
        read_folder(tmp_path, MTR)


def test_fewer_echoes_than_said_are_named(trees, tmp_path):
    trees.dicom_nifti(tmp_path)
    cases = read_folder(tmp_path, MTR.model_copy(update={"echoes": 3}))
    with pytest.raises(InputError, match="holds 2 echoes, expected echo 3"):
        cases[2]


# --- bad input that all layouts share


@pytest.mark.parametrize(
    ("build", "layout", "lost", "named"),
    [
        ("spider", SpiderLayout(), "masks/2_t1.mha", "masks/2_t1.mha"),
        ("spider", SpiderLayout(), "images/2_t1.mha", "images/2_t1.mha"),
        ("oai_zib", OaiZibLayout(), "00m/0.E.1/9001104", "00m/0.E.1/9001104"),
        ("oai_zib", OaiZibLayout(), "segmentation/doc/oai_mri_paths.txt", "oai_mri_paths.txt"),
        ("nnunet", NnunetLayout(), "labelsTr/knee_002.nii.gz", "labelsTr/knee_002"),
        ("nnunet", NnunetLayout(), "imagesTr/knee_002_0000.nii.gz", "imagesTr/knee_002_0000"),
        ("pairs", SIDES, "labels/b_left_V1.nii.gz", "labels/b_left_V1"),
        ("pairs", SIDES, "images/b_left_V1.nii.gz", "images/b_left_V1.nii.gz"),
        ("dicom_nifti", MTR, "masks/S2.nii.gz", "masks/S2"),
        ("dicom_nifti", MTR, "annotations/train.json", "annotations"),
    ],
)
def test_a_folder_that_is_half_there_names_what_is_missing(
    trees, tmp_path, build, layout, lost, named
):
    getattr(trees, build)(tmp_path)
    (tmp_path / lost).rename(tmp_path.parent / f"{tmp_path.name}-lost")
    with pytest.raises(
        InputError, match=rf"(half there|missing).*{named}|{named}.*half there"
    ) as e:
        read_folder(tmp_path, layout)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "layout", [SpiderLayout(), NnunetLayout(), NiftiPairsLayout(), DicomNiftiLayout()]
)
def test_an_empty_folder_and_none_are_refused(tmp_path, layout):
    named = CaseDescription(subject="", tissues={1: "a"})
    with pytest.raises(InputError, match="holds no image"):
        read_folder(tmp_path, layout, template=named)
    with pytest.raises(InputError, match="is not a folder"):
        read_folder(tmp_path / "none", layout, template=named)


def test_a_label_value_without_a_name_is_refused_when_the_case_is_read(trees, tmp_path):
    trees.spider(tmp_path, values=(1, 77))
    named = CaseDescription(
        subject="", dataset="spider", tissues={1: "vertebra", 2: "vertebra", 100: "canal"}
    )
    cases = read_folder(tmp_path, SpiderLayout(), template=named)
    with pytest.raises(InputError, match=r"1_t1\.mha: .*\[77\].*spider.*names 1-2, 100"):
        cases[0]
    assert read_folder(tmp_path, SpiderLayout())[0].tissue(77) == "label 77"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: NiftiPairsLayout(images="../*.nii"),
        lambda: NiftiPairsLayout(labels="/etc/{name}"),
        lambda: OaiZibLayout(scans="C:/oai"),
        lambda: NiftiPairsLayout(pattern="(?P<person>.*)"),
        lambda: NiftiPairsLayout(pattern="("),
        lambda: NiftiPairsLayout(pattern="(?P<subject>.)(?P<colour>.)"),
    ],
)
def test_a_layout_stays_in_its_folder_and_says_whose_a_scan_is(wrong):
    with pytest.raises(ValidationError):
        wrong()


def test_labels_that_ask_for_what_names_do_not_say_are_refused(trees, tmp_path):
    layout = NiftiPairsLayout(labels="labels/{side}.nii.gz")
    with pytest.raises(InputError, match="asks for 'side'"):
        read_folder(trees.pairs(tmp_path), layout)


# --- lazily


def test_listing_splitting_and_choosing_read_nothing(trees, tmp_path, reads):
    cases = read_folder(trees.spider(tmp_path, subjects=range(1, 9)), SpiderLayout())
    assert len(cases) == 24
    parts = cases.split({"train": 4, "test": 4}, seed=0)
    assert isinstance(parts["train"].where(sequence="T1-weighted")[:2], LazyCaseSet)
    assert isinstance(cases, CaseSet)
    assert "24 cases, 8 subjects" in repr(cases)
    assert reads == []


def test_iterating_holds_two_cases_and_asking_again_reads_once(trees, tmp_path, reads):
    cases = read_folder(trees.spider(tmp_path), SpiderLayout())
    assert len(list(iter(cases))) == 9
    assert cases._load.cache_info().currsize == 2
    assert cases[0] is cases[0]
    assert cases[-9] is cases[0]
    assert len(reads) == 10
    with pytest.raises(IndexError):
        cases[9]


def test_the_fingerprint_is_that_of_the_cases(trees, tmp_path):
    lazy = read_folder(trees.pairs(tmp_path), SIDES)
    assert lazy.fingerprint() == CaseSet("eager", list(lazy)).fingerprint()
