from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import mskseg_phantom as phantom
from mskseg.datasets import loading as datasets
from mskseg.datasets.fetching import fetch
from mskseg.datasets.loading import at_hand, list_at_hand, list_subjects, load_cases, load_splits
from mskseg.datasets.manifest import Manifest, RemoteFile, load_manifest
from mskseg.errors import InputError, OutputError

THIGH_SEQUENCES = phantom.ANATOMIES["thigh"].sequences


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MSKSEG_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def scanned(monkeypatch) -> list[int]:
    """Subjects whose anatomy was drawn; drawn small, for speed."""
    drawn: list[int] = []
    scan = phantom.scan_phantom

    def scan_small(anatomy, number, **options):
        drawn.append(number)
        return scan(anatomy, number, **options, shape=(48, 48, 4))

    monkeypatch.setattr(phantom, "scan_phantom", scan_small)
    return drawn


def test_only_the_subjects_asked_for_are_made_and_only_once(cache, scanned) -> None:
    first = load_cases("phantom_thigh", subjects=["thigh-02", "thigh-23"], progress=False)
    assert scanned == [2, 23]
    again = load_cases("phantom_thigh", subjects=["thigh-02", "thigh-23"], progress=False)
    assert scanned == [2, 23]
    assert first.fingerprint() == again.fingerprint()
    assert [case.site for case in again] == [case.site for case in first]
    assert len(first) == 2 * len(THIGH_SEQUENCES)


def test_one_sequence_can_be_asked_for_and_the_other_made_later(cache, scanned) -> None:
    t1w = load_cases("phantom_thigh", subjects="thigh-01", sequences="t1w", progress=False)
    both = load_cases("phantom_thigh", subjects=["thigh-01"], progress=False)
    assert [case.sequence for case in both] == list(THIGH_SEQUENCES)
    np.testing.assert_array_equal(t1w[0].image.array, both[0].image.array)


@pytest.mark.parametrize("anatomy", phantom.ANATOMIES)
def test_every_anatomy_is_a_data_set_with_the_labels_of_the_manifest(
    cache, scanned, anatomy
) -> None:
    entry = load_manifest().datasets[f"phantom_{anatomy}"]
    cases = load_cases(f"phantom_{anatomy}", subjects=f"{anatomy}-01", progress=False)
    assert ", ".join(case.sequence for case in cases) == entry.sequence
    assert cases.tissues == entry.labels
    assert cases[0].kinds == entry.label_kinds
    assert {case.anatomy for case in cases} == {entry.anatomy}
    assert len(list_subjects(f"phantom_{anatomy}")) == entry.subjects


def test_only_what_is_missing_is_scanned(cache, scanned) -> None:
    load_cases("phantom_hip", subjects=["hip-01"], sequences="t1w", progress=False)
    first = next(cache.rglob("*t1w.nii.gz"))
    before = first.stat().st_mtime_ns
    load_cases("phantom_hip", subjects=["hip-01"], sequences=["t1w", "gre"], progress=False)
    assert first.stat().st_mtime_ns == before
    assert len(list(cache.rglob("*.nii.gz"))) == 3


def test_every_sequence_of_the_phantom_can_be_asked_for_and_echoes_come_as_cases(
    cache, scanned
) -> None:
    cases = load_cases("phantom_hip", subjects="hip-02", sequences=["dess", "mese"], progress=False)
    assert len(cases) == 9
    (echo,) = load_cases("phantom_hip", subjects="hip-02", sequences="mese_te20", progress=False)
    np.testing.assert_array_equal(echo.image.array, cases[2].image.array)
    assert scanned == [2]


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
        ("phantom_thigh", {"sequences": ["t9w"]}, "unknown sequence 't9w'.*t1w"),
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
    assert case.kinds == entry.label_kinds
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


# --- sets of many scans, in small fake trees


@pytest.fixture
def trees():
    path = Path(__file__).parent / "layouts" / "trees.py"
    spec = importlib.util.spec_from_file_location("trees", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_data_set_that_is_one_file_or_builtin_lists_its_subjects(cache) -> None:
    for name, entry in load_manifest().datasets.items():
        if entry.layout is None:
            assert datasets.list_subjects(name)
        else:
            with pytest.raises(InputError, match=name):
                datasets.list_subjects(name)


@pytest.mark.parametrize("where", ["MSKSEG_DATA", "cache"])
def test_spider_loads_from_wherever_its_folder_is(
    cache, trees, tmp_path, monkeypatch, where
) -> None:
    folder = (cache if where == "cache" else tmp_path / "brought") / "spider"
    trees.spider(folder)
    if where == "MSKSEG_DATA":
        monkeypatch.setenv("MSKSEG_DATA", str(folder.parent))
    assert list_subjects("spider") == ("1", "2", "10")
    cases = load_cases("spider", subjects=["10", "1"], sequences="T2-weighted")
    assert [case.name for case in cases] == ["spider/10/T2-weighted", "spider/1/T2-weighted"]
    assert cases[0].tissue(1) == "vertebra L5"
    assert cases[0].reference_provenance == "semi-automatic"


def zipped(folder: Path, target: Path) -> RemoteFile:
    with zipfile.ZipFile(target, "w") as opened:
        for path in sorted(folder.rglob("*.mha")):
            opened.write(path, path.relative_to(folder.parent))
    return RemoteFile(
        name=target.name,
        url=f"https://example.org/{target.name}",
        sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
    )


@pytest.fixture
def small_spider(cache, trees, tmp_path, monkeypatch) -> Path:
    """SPIDER with archives of ours, which lie in the cache as if they had been downloaded."""
    trees.spider(tmp_path / "made", subjects=range(1, 7), kinds=["t1", "t2"])
    (cache / "spider").mkdir(parents=True)
    files = {
        role: zipped(tmp_path / "made" / role, cache / "spider" / f"{role}.zip")
        for role in ("images", "masks")
    }
    whole = load_manifest()
    entry = whole.datasets["spider"].model_copy(update={"files": files})
    changed = whole.model_copy(update={"datasets": {**whole.datasets, "spider": entry}})
    use_manifest(changed, tmp_path / "manifest.yaml", monkeypatch)
    return cache / "spider"


def use_manifest(manifest: Manifest, path: Path, monkeypatch) -> None:
    path.write_text(yaml.safe_dump(manifest.model_dump(mode="json", exclude_none=True)))
    monkeypatch.setenv("MSKSEG_MANIFEST", str(path))


def test_archives_are_unpacked_on_first_use_and_not_needed_after(small_spider) -> None:
    assert list_subjects("spider") == ("1", "2", "3", "4", "5", "6")
    first = load_cases("spider", progress=False)
    assert len(first) == 12
    for path in small_spider.glob("*.zip"):
        path.unlink()
    assert load_cases("spider", progress=False).fingerprint() == first.fingerprint()


def test_listing_subjects_downloads_nothing(small_spider) -> None:
    (small_spider / "masks.zip").unlink()
    with pytest.raises(InputError, match="mskseg data fetch spider"):
        list_subjects("spider")
    assert not (small_spider / "unpacked").exists()


def test_a_damaged_archive_is_not_unpacked(small_spider, monkeypatch) -> None:
    (small_spider / "masks.zip").write_bytes(b"something else")
    monkeypatch.setattr("mskseg.datasets.fetching._download", _refuse)
    with pytest.raises(InputError, match=r"would download masks\.zip"):
        load_cases("spider", progress=False)
    assert not (small_spider / "unpacked").exists()


def test_a_folder_that_a_person_brought_is_at_hand_without_its_archives(
    trees, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("MSKSEG_DATA", str(tmp_path / "brought"))
    trees.spider(tmp_path / "brought" / "spider", subjects=[1, 2], kinds=["t1"])
    assert list_at_hand("spider") == ("1", "2")
    assert at_hand(["spider"]) == ["spider"]


def _refuse(file, target, **_options):
    raise InputError(f"would download {file.name}")


def test_the_split_of_a_folder_is_kept_beside_the_cache_and_in_every_set(
    cache, small_spider
) -> None:
    whole = load_cases("spider", progress=False)
    (split,) = load_splits(["spider"])
    assert (cache / "splits" / "spider-seed0.json").is_file()
    found = [load_cases("spider", part=part, progress=False) for part in split.parts]
    assert sorted(s for part in found for s in part.subjects) == sorted(whole.subjects)
    assert {cases.split_sha256 for cases in [whole, *found]} == {split.sha256}
    assert list_subjects("spider", part="test") == split.parts["test"]
    with pytest.raises(InputError, match=r"unknown subject .* of spider/test"):
        load_cases("spider", part="test", subjects=list(split.parts["train"]), progress=False)


def test_a_phantom_carries_the_hash_of_its_own_split(cache, scanned) -> None:
    asked = list(list_subjects("phantom_thigh", part="test"))[:1]
    cases = load_cases(
        "phantom_thigh", part="test", subjects=asked, sequences="t1w", progress=False
    )
    assert cases.split_sha256 == load_splits(["phantom_thigh"])[0].sha256
    with pytest.raises(InputError, match="unknown subject 'thigh-01' of phantom_thigh/test"):
        load_cases("phantom_thigh", part="test", subjects=["thigh-01"], progress=False)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("missing", r"the folder of k2s is missing: .*To get it: ask the organisers"),
        ("empty", r"the folder of k2s is empty"),
        ("half", r"half there: 1 files of k2s are missing \(labels/b\.nii\.gz\)"),
    ],
)
def test_a_registration_folder_that_is_missing_or_half_there(
    trees, tmp_path, cache, state, message
) -> None:
    if state != "missing":
        (cache / "k2s").mkdir(parents=True)
    if state == "half":
        trees.pairs(cache / "k2s", names=["a", "b"])
        (cache / "k2s" / "labels" / "b.nii.gz").unlink()
    with pytest.raises(InputError, match=message) as raised:
        load_cases("k2s")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "names", "subjects"),
    [
        ("iwoai_2019", ["train_01_V00", "train_01_V01", "test_02_V00"], {"train_01", "test_02"}),
        ("myosegmentum_spine", ["01_muscle_WATER", "01_vertebrae_FAT", "02_muscle_FAT"],
         {"01", "02"}),
        ("myosegmentum_thigh", ["01_V1_WATER", "01_V1_FAT", "01_V2_FAT"], {"01"}),
        ("k2s", ["a", "b"], {"a", "b"}),
    ],
)  # fmt: skip
def test_the_names_that_instructions_ask_for_are_understood(
    trees, cache, name, names, subjects
) -> None:
    trees.pairs(cache / name, names=names)
    assert set(load_cases(name).subjects) == subjects
    assert len(load_cases(name)) == len(names)


def test_oaizib_cm_and_oai_zib_load_by_name(trees, cache) -> None:
    trees.oai_zib(cache / "oai_zib")
    assert load_cases("oai_zib")[0].tissues[1] == "femur"
    trees.nnunet(cache / "oaizib_cm", names=["oaizib_001", "oaizib_002"])
    for folder in ("images", "labels"):
        (cache / "oaizib_cm" / f"{folder}Ts").mkdir()
    for path in list((cache / "oaizib_cm").glob("*Tr/*002*")):
        path.rename(str(path).replace("Tr/", "Ts/"))
    (cache / "oaizib_cm" / "dataset.json").unlink()
    assert load_cases("oaizib_cm").subjects == ("001", "002")


def test_skm_tea_loads_by_name_with_its_echoes(trees, cache) -> None:
    trees.dicom_nifti(cache / "skm_tea")
    (cache / "skm_tea" / "segmentation_masks").mkdir()
    (cache / "skm_tea" / "masks").rename(cache / "skm_tea" / "segmentation_masks" / "dicom-track")
    (cache / "skm_tea" / "annotations" / "v1.0.0").mkdir()
    listed = cache / "skm_tea" / "annotations" / "train.json"
    listed.rename(listed.parent / "v1.0.0" / "train.json")
    cases = load_cases("skm_tea")
    assert len(cases) == 6
    assert cases[0].sequence == "quantitative DESS echo 1"


@pytest.mark.real
def test_a_label_value_that_the_manifest_does_not_name_is_refused(
    cache, real_data, tmp_path, monkeypatch
) -> None:
    fetch("qmritools_leg", from_dir=real_data)
    whole = load_manifest()
    entry = whole.datasets["qmritools_leg"]
    fewer = {value: name for value, name in entry.labels.items() if value != 20}
    entry = entry.model_copy(update={"labels": fewer})
    changed = whole.model_copy(update={"datasets": {"qmritools_leg": entry}})
    use_manifest(changed, tmp_path / "manifest.yaml", monkeypatch)
    with pytest.raises(InputError, match=r"\[20\], which qmritools_leg does not name"):
        load_cases("qmritools_leg", progress=False)


_ONE_SCAN = """
from functools import partial
import mskseg_phantom
from mskseg.datasets.loading import load_cases
mskseg_phantom.scan_phantom = partial(mskseg_phantom.scan_phantom, shape=(48, 48, 4))
case, = load_cases("phantom_hip", subjects="hip-02", sequences="t1w", progress=False)
print(case.fingerprint)
"""


def test_two_processes_that_make_one_scan_at_once_get_the_same(cache, scanned) -> None:
    """Real processes, started together on an empty cache."""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _ONE_SCAN], stdout=subprocess.PIPE, encoding="utf-8"
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0]
    assert said[0] == said[1]
    (later,) = load_cases("phantom_hip", subjects="hip-02", sequences="t1w", progress=False)
    assert later.fingerprint == said[0]
    assert scanned == []
    assert not [path for path in cache.rglob("*") if path.name.startswith(".partial")]


@pytest.mark.parametrize("name", ["phantom_knee", "phantom_spine", "phantom_hip"])
def test_a_cache_that_fills_the_disk_is_named_and_keeps_no_half_scan(
    cache, scanned, monkeypatch, name
) -> None:
    def full_disk(image, path) -> None:
        Path(path).write_bytes(b"half a scan")
        raise OSError(28, "No space left on device")

    subject = list_subjects(name)[0]
    with monkeypatch.context() as full:
        full.setattr("mskseg.io.writing.nib.save", full_disk)
        with pytest.raises(OutputError, match="No space left on device; choose a folder"):
            load_cases(name, subjects=[subject], progress=False)
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert len(load_cases(name, subjects=[subject], progress=False)) > 0  # space again: all is made
