"""``mskseg segment`` on the command line: boxes, propagation, and everything that it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import mskseg
from mskseg.cli import segment as segment_module
from mskseg.cli.main import main
from mskseg.cli.segment import drawn_prompts
from mskseg.io import load_label_map
from mskseg.prompts import fill_boxes

SHAPE = (96, 80, 6)


class Filling:
    """Answers a box with what is bright in it."""

    name, miniature, fingerprint = "filling", True, "0" * 64
    prompt_kinds = frozenset({"box", "point"})

    def embed(self, image):
        return SimpleNamespace(image=image, original_size=image.shape)

    def predict(self, embedding, prompt):
        bright = embedding.image > 128
        masks = np.stack([fill_boxes(box, bright.shape) & bright for box in prompt.boxes_xyxy])
        none = np.full((len(masks), 1), np.nan)
        return SimpleNamespace(
            masks=masks[:, None], probabilities=masks[:, None] * 0.9, predicted_iou=none
        )


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bright block on slices 1 to 4 of six, in noise."""
    monkeypatch.setattr("mskseg.cli.segment.load_model", lambda _: Filling())
    image = np.random.default_rng(0).normal(20, 3, SHAPE)
    image[20:60, 25:55, 1:5] += 120
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(image.astype(np.float32), np.diag([1.0, 1.0, 6.0, 1.0])), path)
    return path


def segment(scan: Path, *more: object) -> int:
    return main(
        ["segment", str(scan), "-o", str(scan.parent / "out" / "m.nii.gz"), *map(str, more)]
    )


BOX = "2 36 25 76 55 5"  # the block: columns from the patient's right


def refused(code: int, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err


def test_a_box_is_followed_and_a_table_says_why_it_ends(scan, capsys):
    out = scan.parent / "out"
    code = segment(
        scan, "--box", BOX, "--propagate", "--csv", out / "m.csv", "--overlay", out / "pictures"
    )
    assert code == 0
    mask = load_label_map(out / "m.nii.gz")
    assert mask.labels == (5,)
    assert mask.mask(5)[20:60, 25:55, 1:5].all()
    assert mask.mask(5).sum() == 40 * 30 * 4
    table = pd.read_csv(out / "m.csv")
    assert table["slice"].tolist() == list(range(6))
    ended = "ended: nothing was predicted"
    assert table["reason"].tolist() == [ended, "followed", "prompt", "followed", "followed", ended]
    assert (out / "m.csv.provenance.json").is_file()
    labelled = {f"axial_{k:03d}.png" for k in table[table["area_mm2"] > 0]["slice"]}
    assert {path.name for path in (out / "pictures").iterdir()} == labelled
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1
    assert "label 5: slices 1 to 4 (below: nothing was predicted; above: nothing was" in printed


def test_points_are_one_prompt_with_the_box_of_their_label_and_slice():
    points = ["2 50.5 40.5 5", "2 10 12 -5", "2 20 30"]
    first, second = drawn_prompts(SimpleNamespace(box=[BOX], point=points))
    assert (first.slice, first.label, first.boxes_xyxy) == (2, 5, ((36, 25, 76, 55),))
    assert (first.point_coords, first.point_labels) == (((50.5, 40.5), (10, 12)), (1, 0))
    assert (second.label, second.point_coords, second.point_labels) == (1, ((20, 30),), (1,))


def test_a_point_segments_and_a_model_that_takes_boxes_alone_says_so(scan, capsys, monkeypatch):
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    monkeypatch.setattr("mskseg.cli.segment.load_model", lambda _: segmenter)
    assert segment(scan, "--point", "2 56 40 5") == 0
    mask, out = load_label_map(scan.parent / "out" / "m.nii.gz"), scan.parent / "out"
    assert mask.labels == (5,)
    assert mask.mask(5)[40, 40, 2]
    (out / "m.nii.gz").unlink()
    capsys.readouterr()
    segmenter.prompt_kinds = frozenset({"box"})
    for more in ((), ("--propagate",)):
        refused(
            segment(scan, "--point", "2 56 40", *more),
            capsys,
            "trained with boxes alone",
            "got points",
        )
    assert list(out.iterdir()) == []


def test_without_propagation_only_the_slice_of_the_box_is_segmented(scan):
    assert segment(scan, "--box", BOX, "--box", "3 36 25 76 55") == 0
    mask = load_label_map(scan.parent / "out" / "m.nii.gz")
    assert mask.labels == (1, 5)
    assert mask.stack("axial").any(axis=(1, 2)).tolist() == [0, 0, 1, 1, 0, 0]


def test_a_file_and_boxes_come_together_within_a_range(scan, tmp_path):
    file = tmp_path / "p.json"
    file.write_text(
        '{"plane": "axial", "prompts": [{"slice": 4, "label": 5, '
        '"boxes_xyxy": [[36, 25, 76, 55]]}]}'
    )
    more = ("--propagate", "--range", 2, 4, "--csv", tmp_path / "m.csv")
    assert segment(scan, "--prompts", file, "--box", BOX, *more) == 0
    table = pd.read_csv(tmp_path / "m.csv")
    assert table["slice"].tolist() == [2, 3, 4]
    assert table["reason"].tolist() == ["prompt", "between two prompts", "prompt"]
    assert segment(scan, "--prompts", file, "--plane", "coronal") == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], ["expected prompts, got none", "--box"]),
        (["--box", "2 14 12 32"], ["--box '2 14 12 32'", "SLICE X0 Y0 X1 Y1"]),
        (["--box", "2.5 1 1 9 9"], ["2.5 1 1 9 9", "whole"]),
        (["--box", "2 1 1 9 9 0"], ["2 1 1 9 9 0", "whole"]),
        (["--box", "2 1 1 nan 9"], ["nan", "five or six numbers"]),
        (["--box", "2 30 12 14 26"], ["inverted"]),
        (["--box", "2 1 1 9 9 1 1"], ["five or six numbers"]),
        (["--point", ""], ["--point ''", "SLICE X Y [LABEL]", "three or four numbers"]),
        (["--point", "2 14"], ["three or four numbers"]),
        (["--point", "2 14 12 0"], ["the label from 1"]),
        (["--point", "2 14 200"], ["prompt 0 (slice 2)", "outside the slice"]),
        (["--box", BOX, "--box", BOX, "--point", "2 50 40 5"], ["points with one box at most"]),
        (["--box", "9 1 1 9 9"], ["slice 9"]),
        (["--box", BOX, "--range", "1", "3"], ["give --propagate"]),
        (["--box", BOX, "--csv", "m.csv"], ["give --propagate"]),
        (["--box", BOX, "--propagate", "--range", "3", "9"], ["the axial slices are 0 to 5"]),
        (["--box", BOX, "--propagate", "--csv", "m.txt"], ["m.txt", ".csv"]),
        (["--box", BOX, "--dicom-seg", "m.dcm"], ["folder of a DICOM series"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(scan, capsys, more, words):
    refused(segment(scan, *more), capsys, *words)
    assert not (scan.parent / "out").exists()


def test_no_output_is_written_over_an_input(scan, capsys, tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    image = series / "i.dcm"
    image.write_bytes(b"an image")
    more = ("--box", BOX, "--dicom-seg", image)
    refused(segment(series, *more), capsys, "i.dcm is an input too")
    pictures = scan.parent / "pictures"
    pictures.write_text("a file")
    refused(segment(scan, "--box", BOX, "--overlay", pictures), capsys, "is a file")
    assert image.read_bytes() == b"an image"


# --- many scans ----------------------------------------------------------------------------------


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three scans of a bright block, and prompts for each."""
    loaded: list[str] = []
    monkeypatch.setattr(
        "mskseg.cli.inputs.load_model", lambda a: loaded.append(a.model) or Filling()
    )
    image = np.random.default_rng(0).normal(20, 3, SHAPE)
    image[20:60, 25:55, 1:5] += 120
    for k in range(3):
        for kind in ("images", "prompts"):
            (tmp_path / kind).mkdir(exist_ok=True)
        nib.save(
            nib.Nifti1Image((image + k).astype(np.float32), np.diag([1.0, 1.0, 6.0, 1.0])),
            tmp_path / "images" / f"p{k}_0000.nii.gz",
        )
        boxes = f'{{"slice": 2, "label": {k + 1}, "boxes_xyxy": [[36, 25, 76, 55]]}}'
        (tmp_path / "prompts" / f"p{k}.json").write_text(f'{{"prompts": [{boxes}]}}')
    monkeypatch.setattr("mskseg.cli.segment.load_model", pytest.fail)
    return tmp_path


def many(scans: Path, *more: object) -> int:
    words = ["segment", scans / "images", "--prompts", scans / "prompts", "-o", scans / "out"]
    return main([*map(str, words), *map(str, more)])


def test_a_folder_of_scans_is_followed_scan_by_scan_with_one_model(scans, capsys, monkeypatch):
    models = iter([Filling()])  # to load another would be an error
    monkeypatch.setattr("mskseg.cli.inputs.load_model", lambda _: next(models))
    assert many(scans, "--propagate", "--json", "--csv", scans / "all.csv") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["scan"] for row in found["scans"]] == ["p0_0000", "p1_0000", "p2_0000"]
    volume_ml = 40 * 30 * 4 * 6 / 1000
    assert [row["n_masks"] for row in found["scans"]] == [4, 4, 4]
    assert [row["volume_ml"] for row in found["labels"]] == pytest.approx([volume_ml] * 3)
    assert found["sum"][0]["volume_ml"] == pytest.approx(3 * volume_ml)
    for k in range(3):
        mask = load_label_map(scans / "out" / f"p{k}_0000.nii.gz")
        assert mask.mask(k + 1).sum() == 40 * 30 * 4
        table = pd.read_csv(scans / "out" / f"p{k}_0000.csv")
        assert table["reason"].tolist()[:3] == [
            "ended: nothing was predicted",
            "followed",
            "prompt",
        ]
    assert len(pd.read_csv(scans / "all.csv")) == 18
    assert pd.read_csv(scans / "out" / "summary.csv")["n_masks"].tolist() == [4, 4, 4]


def test_a_scan_is_done_again_only_for_other_prompts_or_a_mask_that_changed(scans, monkeypatch):
    done: list[str] = []
    segmented = segment_module.segmented

    def counted(arguments, model):
        done.append(arguments.image.name[:2])
        return segmented(arguments, model)

    monkeypatch.setattr(segment_module, "segmented", counted)
    assert many(scans) == 0
    first = (scans / "out" / "summary.csv").read_bytes()
    assert many(scans) == 0
    assert done == ["p0", "p1", "p2"]
    assert (scans / "out" / "summary.csv").read_bytes() == first
    (scans / "out" / "p0_0000.nii.gz").unlink()
    (scans / "out" / "p1_0000.nii.gz").write_bytes(b"edited")
    assert many(scans) == 0
    assert done[3:] == ["p0", "p1"]
    prompts = scans / "prompts" / "p2.json"
    prompts.write_text(prompts.read_text().replace("76", "70"))
    assert many(scans, "--part", "1/1") == 0
    assert done[5:] == ["p2"]
    assert many(scans, "--propagate") == 0
    assert done[6:] == ["p0", "p1", "p2"]


def test_a_bad_scan_or_bad_prompts_are_named_and_the_others_are_done(scans, capsys):
    (scans / "images" / "p0_0000.nii.gz").write_bytes(b"Dear diary")
    prompts = scans / "prompts" / "p2.json"
    prompts.write_text(prompts.read_text().replace("76", "760"))
    assert many(scans, "--propagate") == 2
    (err,) = capsys.readouterr().err.splitlines()
    assert "2 of 3 scans failed, the others are done: p0_0000: " in err
    assert "p2_0000: prompt 0 (slice 2)" in err
    assert [path.name for path in (scans / "out").glob("*.nii.gz")] == ["p1_0000.nii.gz"]
    failed = pd.read_csv(scans / "out" / "summary.csv")["failed"]
    assert failed.notna().sum() == 2


def test_prompts_and_scans_that_do_not_pair_are_refused(scans, capsys):
    prompts = scans / "prompts" / "p1.json"
    prompts.rename(scans / "prompts" / "p9.json")
    refused(many(scans), capsys, "p1_0000.nii.gz of subject p1 has 0 prompts files", "expected one")
    shutil.copy(scans / "prompts" / "p9.json", prompts)
    refused(many(scans), capsys, "p9.json has no scan, as 1 of 4 prompts files")
    for path in (scans / "prompts").iterdir():
        path.unlink()
    refused(many(scans), capsys, "prompts is an empty folder, expected the prompts")
    (scans / "prompts" / "note.txt").write_text("Dear diary")
    refused(many(scans), capsys, "prompts holds no prompts, expected a JSON file for each scan")
    assert not (scans / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--box", BOX], ["--box is for one scan"]),
        (["--overlay", "pictures"], ["--overlay is for one scan"]),
        (["--dicom-seg", "m.dcm"], ["--dicom-seg is for one scan"]),
        (["--range", "1", "3"], ["--range and --memory are about a propagation"]),
        (["-o", "{}/images"], ["images holds the inputs; choose another folder"]),
        (["-o", "{}/m.nii.gz"], ["names a file, expected a folder for many label maps"]),
        (["--csv", "{}/m.txt"], ["m.txt", ".csv"]),
        (["--part", "7/7"], ["part 7/7 of 3 scans holds none"]),
    ],
)
def test_options_that_many_scans_cannot_have_are_refused(scans, capsys, more, words):
    refused(many(scans, *(word.format(scans) for word in more)), capsys, *words)
    assert not (scans / "out").exists()


@pytest.mark.parametrize(
    "flag", [["--json"], ["--workers", "2"], ["--part", "1/2"], ["--fail-fast"]]
)
def test_options_of_many_scans_are_refused_for_one(scan, capsys, flag):
    refused(segment(scan, "--box", BOX, *flag), capsys, f"{flag[0]} is for many scans")


def test_a_folder_without_scans_is_refused(scans, capsys):
    for path in (scans / "images").iterdir():
        path.rename(path.with_name(f"{path.name}.txt"))
    refused(many(scans), capsys, "images")
    assert not (scans / "out").exists()
