"""``mskseg segment`` on the command line: boxes, propagation, and everything that it writes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import mskseg
from mskseg.cli.main import main
from mskseg.cli.segment import drawn_prompts
from mskseg.io import load_label_map
from mskseg.prompts import fill_boxes

SHAPE = (96, 80, 6)


class Filling:
    """Answers a box with what is bright in it."""

    name, miniature, fingerprint = "filling", True, "0" * 64

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
        refused(segment(scan, "--point", "2 56 40", *more), capsys, "expected boxes", "got points")
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
