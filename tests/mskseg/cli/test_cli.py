"""The command line on good and bad input: exit codes, one line on stderr, nothing half written."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from mskseg.cli.main import main

SHAPE = (24, 20, 4)
AFFINE = np.diag([1.0, 1.0, 6.0, 1.0])


def _nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> dict[str, Path]:
    """A bright block in noise, its label map, and prompts for it."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:16, 5:14, 1:3] = 1
    labels[17:23, 5:14, 1:3] = 2
    noise = np.random.default_rng(0).normal(20, 3, SHAPE)
    prompts = {
        "plane": "axial",
        "prompts": [
            {"slice": 1, "label": 1, "boxes_xyxy": [[4, 3, 14, 12]]},
            {"slice": 2, "label": 7, "point_coords": [[9.5, 8.5]], "point_labels": [1]},
        ],
    }
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    return {
        "image": _nifti(tmp_path / "image.nii.gz", (noise + 60 * labels).astype(np.float32)),
        "labels": _nifti(tmp_path / "labels.nii.gz", labels),
        "prompts": tmp_path / "prompts.json",
        "csv": tmp_path / "out" / "dice.csv",
        "mask": tmp_path / "out" / "mask.nii.gz",
    }


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SAM-mini of random weights: enough for what is not about quality."""
    import torch
    from safetensors.torch import save_file

    from mskseg_mini.architecture import build_sam_mini

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    state = {key: value.contiguous() for key, value in build_sam_mini().state_dict().items()}
    save_file(
        state, path, metadata={"mskseg.architecture": "vit_mini", "mskseg.preprocessing": "sam"}
    )
    return path


def _evaluate(scan: dict[str, Path], *more: object) -> int:
    words = ["evaluate", scan["image"], "--reference", scan["labels"], "--csv", scan["csv"], *more]
    return main([str(word) for word in words])


def _segment(scan: dict[str, Path], *more: object) -> int:
    words = ["segment", scan["image"], "--prompts", scan["prompts"], "--output", scan["mask"]]
    return main([str(word) for word in (*words, *more)])


def _refused(code: int, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    """Exit code 2 and one line that holds the words."""
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("mskseg: ")
    for word in words:
        assert word in err


def _nothing_written(scan: dict[str, Path]) -> None:
    assert not scan["csv"].parent.exists()


# --- what works ----------------------------------------------------------------------------------


def test_evaluate_writes_a_row_per_label_and_slice_and_prints_label_and_mean(scan, weights, capsys):
    import pandas as pd

    assert _evaluate(scan, "--model", weights) == 0
    table = pd.read_csv(scan["csv"])
    first = ["label", "tissue", "slice", "dice", "filled_box_dice", "neighbour_box_dice"]
    assert list(table.columns[:6]) == first
    both = table[table["area_mm2"] > 0]
    assert (table["status"] == "scored").tolist() == (table["area_mm2"] > 0).tolist()
    assert table[table["status"] != "scored"]["neighbour_box_dice"].isna().all()
    assert both[["label", "slice"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert both["filled_box_dice"].tolist() == [1.0] * 4
    assert both["wide_box_dice"].between(0, 1).all()
    assert (both["wide_box_dice"] != both["dice"]).any()  # another plan's, not a copy
    assert table[table["status"] != "scored"]["wide_box_dice"].isna().all()
    assert not table.duplicated(["label", "slice"]).any()
    printed = capsys.readouterr().out
    assert "label 1" in printed
    assert "mean of labels" in printed
    assert "wide box" in printed
    assert "miniature" in printed
    assert Path(f"{scan['csv']}.provenance.json").is_file()


def test_evaluate_names_labels_and_prompts_with_points(scan, weights, tmp_path, capsys):
    names = tmp_path / "names.json"
    names.write_text('{"1": "femur", "2": "fat"}')
    assert _evaluate(scan, "--model", weights, "--prompt", "point", "--label-names", names) == 0
    assert "femur" in capsys.readouterr().out


def test_segment_writes_the_labels_on_the_grid_of_the_image(scan, weights):
    assert _segment(scan, "--model", weights) == 0
    image, mask = nib.load(scan["image"]), nib.load(scan["mask"])
    assert mask.shape == image.shape
    assert np.array_equal(mask.affine, image.affine)
    array = np.asarray(mask.dataobj)
    assert array.dtype == np.uint8
    assert set(np.unique(array[..., 1])) <= {0, 1}
    assert set(np.unique(array[..., 2])) <= {0, 7}
    assert not array[..., [0, 3]].any()


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "PIR"])
@pytest.mark.parametrize("tilt", [0.0, 0.3], ids=["straight", "oblique"])
def test_the_written_mask_lies_where_the_box_was(orientation, tilt, tmp_path):
    """A segmenter that paints its box: the world position of the paint is that of the block."""
    from mskseg.case import Case
    from mskseg.cli.segment import segment_case
    from mskseg.io import load_label_map, save_nifti
    from mskseg.prompts import boxes_from_mask, fill_boxes
    from mskseg.prompts.files import read_prompts
    from mskseg.volume import LabelMap, Volume

    rotation = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([1.0, 1.5, 6.0])
    affine[:3, 3] = 10, -20, 30
    block = np.zeros(SHAPE, np.uint8)
    block[3:9, 12:16, 2] = 1  # off centre along every axis
    labels = LabelMap(block, affine).reoriented(orientation)
    case = Case(subject="a", image=Volume(labels.array + np.float32(1), labels.affine))
    plane = "axial"
    box = boxes_from_mask(labels.slice(plane, 2) > 0, spacing_mm=(1, 1), min_area_mm2=0)[0]
    prompts = {"plane": plane, "prompts": [{"slice": 2, "label": 1, "boxes_xyxy": [list(box)]}]}
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))

    class PaintsItsBox:
        def embed(self, image):
            return SimpleNamespace(original_size=image.shape)

        def predict(self, embedding, prompt):
            masks = fill_boxes(prompt.boxes_xyxy, embedding.original_size)[None, None]
            ones = np.ones((1, 1), np.float32)
            return SimpleNamespace(
                masks=masks, probabilities=masks.astype(np.float32), predicted_iou=ones
            )

    asked = read_prompts(tmp_path / "prompts.json")
    painted = segment_case(PaintsItsBox(), case, asked, plane=plane)
    save_nifti(painted, tmp_path / "mask.nii.gz")

    def world(volume):
        voxels = np.argwhere(volume.array == 1)
        places = voxels @ volume.affine[:3, :3].T + volume.affine[:3, 3]
        return places[np.lexsort(places.round(3).T)]

    written = load_label_map(tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(world(written), world(LabelMap(block, affine)), atol=1e-3)


@pytest.mark.real
def test_an_echo_of_a_dicom_series_can_be_chosen(scan, weights, real_data, capsys):
    series = real_data / "pymskt" / "mese"
    prompts = {
        "plane": "sagittal",
        "prompts": [{"slice": 12, "label": 1, "boxes_xyxy": [[90, 90, 160, 150]]}],
    }
    scan["prompts"].write_text(json.dumps(prompts))
    scan["image"] = series
    _refused(_segment(scan, "--model", weights), capsys, "8 echoes", "--echo")
    assert _segment(scan, "--model", weights, "--echo", "12.6") == 0


def test_a_checkpoint_that_does_not_say_its_preprocessing_must_be_told(scan, weights, capsys):
    from safetensors.torch import load_file, save_file

    silent = scan["image"].parent / "silent.safetensors"
    save_file(load_file(weights), silent)
    model = ("--model", silent, "--architecture", "vit_mini")
    _refused(_evaluate(scan, *model), capsys, "silent.safetensors", "sam, medsam")
    _nothing_written(scan)
    assert _evaluate(scan, *model, "--preprocessing", "medsam") == 0
    assert "as published" not in capsys.readouterr().out


def test_a_model_that_is_not_here_is_named_with_the_command_that_fetches_it(
    scan, capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "empty"))
    _refused(_evaluate(scan, "--model", "sam_vit_b"), capsys, "mskseg models fetch sam_vit_b")
    _nothing_written(scan)


def test_an_image_given_as_reference_is_refused(scan, capsys):
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
    _nifti(scan["labels"], values)
    _refused(_evaluate(scan), capsys, "1919 labels", "is it an image?")
    _nifti(scan["labels"], -np.ones(SHAPE, np.int16))
    _refused(_evaluate(scan), capsys, "the label -1")
    _nothing_written(scan)


@pytest.mark.parametrize(("at", "value"), [(123, 7), (108, 0x7F), (70, 3), (40, 9)])
def test_damaged_header_bytes_are_never_an_error_of_ours(scan, capsys, at, value):
    """Found by fuzzing: units, offset, data type and dimension of the header."""
    plain = scan["image"].with_name("plain.nii")
    nib.save(nib.load(scan["image"]), plain)
    damaged = bytearray(plain.read_bytes())
    damaged[at : at + 4] = bytes([value]) * 4
    plain.write_bytes(damaged)
    scan["image"] = plain
    _refused(_evaluate(scan), capsys, "plain.nii")
    _nothing_written(scan)


def test_lists_name_everything_in_the_manifest(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    assert main(["data", "list"]) == 0
    assert main(["models", "list"]) == 0
    printed = capsys.readouterr().out
    for name in ("phantom_thigh", "qmritools_thigh", "sam_vit_mini", "medsam_vit_b"):
        assert name in printed


def test_fetch_of_what_is_built_in_says_so(capsys):
    assert main(["data", "fetch", "phantom_thigh"]) == 0
    assert "built in" in capsys.readouterr().out


@pytest.mark.real
def test_fetch_from_a_folder_fills_the_cache_and_verify_finds_damage(
    real_data, capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path))
    assert main(["data", "fetch", "qmritools_leg", "--from", str(real_data)]) == 0
    assert main(["data", "verify"]) == 0
    next(tmp_path.glob("qmritools_leg/*")).write_bytes(b"changed")
    capsys.readouterr()
    assert main(["data", "verify"]) == 2
    assert "damaged in the cache: qmritools_leg" in capsys.readouterr().err


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys, mskseg.cli.main; "
        "heavy = {'torch', 'pandas', 'SimpleITK', 'matplotlib', 'nibabel', 'papermill', 'numpy'}; "
        "mskseg.cli.main.build_parser(); print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == ""


# --- bad images and label maps -------------------------------------------------------------------


def test_missing_file(scan, capsys):
    scan["image"].unlink()
    _refused(_evaluate(scan), capsys, "image.nii.gz", "no such file")
    _nothing_written(scan)


def test_truncated_nifti(scan, capsys):
    whole = scan["image"].read_bytes()
    scan["image"].write_bytes(whole[: len(whole) // 2])
    _refused(_evaluate(scan), capsys, "image.nii.gz", "not a complete")
    _nothing_written(scan)


def test_empty_file(scan, capsys):
    scan["image"].write_bytes(b"")
    _refused(_segment(scan), capsys, "image.nii.gz", "0 bytes")
    _nothing_written(scan)


def test_not_an_image(scan, capsys):
    scan["image"].write_bytes(gzip.compress(b"Dear diary, " * 100))
    _refused(_evaluate(scan), capsys, "image.nii.gz")
    text = scan["image"].with_name("notes.txt")
    text.write_text("Dear diary")
    _refused(main(["evaluate", str(text), "--reference", str(scan["labels"])]), capsys, "notes.txt")


def test_four_dimensions(scan, capsys):
    _nifti(scan["image"], np.ones((*SHAPE, 3), np.float32))
    _refused(_evaluate(scan), capsys, "3-D", "4-D")
    _nothing_written(scan)


def test_label_map_of_another_shape(scan, capsys):
    other = np.diag([1.0, 1.0, 4.8, 1.0])  # one lattice would be cut to the image, with a note
    _nifti(scan["labels"], np.ones((24, 20, 5), np.uint8), other)
    _refused(_evaluate(scan), capsys, "(24, 20, 4)", "(24, 20, 5)")
    _nothing_written(scan)


def test_label_map_on_another_grid(scan, capsys):
    moved = AFFINE.copy()
    moved[0, 3] = 12.5
    _nifti(scan["labels"], np.ones(SHAPE, np.uint8), moved)
    _refused(_evaluate(scan), capsys, "different grids", "12.5")


def test_labels_with_fractions(scan, capsys):
    _nifti(scan["labels"], np.full(SHAPE, 0.5, np.float32))
    _refused(_evaluate(scan), capsys, "labels.nii.gz", "fraction")


def test_all_zero_image(scan, capsys):
    _nifti(scan["image"], np.zeros(SHAPE, np.float32))
    _refused(_segment(scan), capsys, "zero")
    _nothing_written(scan)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_or_inf_voxels(scan, capsys, value):
    array = np.ones(SHAPE, np.float32)
    array[3, :2, 1] = value
    _nifti(scan["image"], array)
    _refused(_evaluate(scan), capsys, "2 NaN or infinite voxels")


def test_label_map_with_no_label(scan, capsys):
    _nifti(scan["labels"], np.zeros(SHAPE, np.uint8))
    _refused(_evaluate(scan), capsys, "no label")


# --- unknown names -------------------------------------------------------------------------------


def test_unknown_model(scan, capsys):
    _refused(_evaluate(scan, "--model", "sam_vit_x"), capsys, "sam_vit_x", "sam_vit_mini")
    _refused(main(["run", "--model", "sam_vit_x"]), capsys, "sam_vit_x", "sam_vit_mini")
    _refused(main(["models", "fetch", "sam_vit_x"]), capsys, "sam_vit_x", "sam_vit_b")
    _nothing_written(scan)


def test_unknown_data_set(capsys, tmp_path):
    output = tmp_path / "output"
    _refused(main(["run", "--dataset", "knee_x", "--output", str(output)]), capsys, "phantom_thigh")
    _refused(main(["data", "fetch", "knee_x"]), capsys, "knee_x", "qmritools_thigh")
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--dataset", "pymskt_knee"], ["pymskt_knee", "no image"]),
        (["--dataset", "qmritools_dixon"], ["qmritools_dixon", "no reference"]),
        (["--dataset", "oai_zib"], ["oai_zib", "missing"]),
        (["--model", "sam_vit_b"], ["sam_vit_b", "mskseg models fetch sam_vit_b"]),
        (["--model", "sam_vit_mini", "--model", "sam_vit_b"], ["models fetch sam_vit_b"]),
        (["--device", "abacus"], ["'abacus' is not available here", "use 'cpu'"]),
    ],
)
def test_what_no_notebook_can_use_is_refused_before_one_is_started(
    words, told, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("mskseg.workbook.run_workbook", pytest.fail)
    output = tmp_path / "output"
    _refused(main(["run", *words, "--output", str(output)]), capsys, *told)
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (
            ["--dataset", "phantom_hip", "--dataset", "phantom_knee", "--device", "auto"],
            {"datasets": ["phantom_hip", "phantom_knee"], "device": "auto"},
        ),
        (["--published"], {"models": ["sam_vit_b"], "datasets": ["qmritools_leg"]}),
        (
            ["--published", "--model", "sam_vit_mini"],
            {"models": ["sam_vit_mini"], "datasets": ["qmritools_leg"]},
        ),
    ],
)
def test_choices_reach_the_notebooks_as_lists(words, given, monkeypatch):
    from mskseg.datasets.manifest import load_manifest

    passed_on = []
    here = {"qmritools_leg": ("qmritools_leg",)}
    fetched = [name for name, m in load_manifest().models.items() if m.miniature] + ["sam_vit_b"]
    monkeypatch.setattr("mskseg.datasets.loading.list_at_hand", lambda name: here.get(name, ()))
    monkeypatch.setattr("mskseg.datasets.fetching.is_fetched", lambda name: name in fetched)

    def run(_names, **options):
        passed_on.append(options["given"])
        raise KeyboardInterrupt

    monkeypatch.setattr("mskseg.workbook.run_workbook", run)
    assert main(["run", "--all", *words]) == 130
    assert passed_on == [given]


def test_published_without_scans_is_refused(capsys, monkeypatch):
    monkeypatch.setattr("mskseg.datasets.loading.list_at_hand", lambda _name: ())
    monkeypatch.setattr("mskseg.datasets.fetching.is_fetched", lambda _name: True)
    assert main(["run", "--all", "--published"]) == 2
    assert "got no datasets; fetch some with `mskseg data fetch NAME`" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pymskt_knee", "qmritools_dixon"])
def test_a_notebook_refuses_it_too_and_fetches_nothing(name, monkeypatch):
    from mskseg.datasets import loading
    from mskseg.errors import InputError

    monkeypatch.setattr("mskseg.datasets.loading.load_cases", pytest.fail)
    with pytest.raises(InputError, match=f"^{name} h[^\n]*$"):
        loading.load_some(name, progress=False)


def test_unknown_notebook(capsys, tmp_path):
    output = tmp_path / "output"
    _refused(main(["run", "99_x", "--output", str(output)]), capsys, "99_x", "03_segment_zero_shot")
    assert not output.exists()


def test_unknown_plane_or_size(scan, capsys):
    for words in (
        ["evaluate", "a", "--reference", "b", "--plane", "oblique"],
        ["run", "--size", "huge"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        _refused(stopped.value.code, capsys, words[-1], "--help")
    scan["prompts"].write_text('{"plane": "oblique", "prompts": [{"slice": 0}]}')
    _refused(_segment(scan), capsys, "plane", "axial")


# --- prompts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ({"slice": 1, "boxes_xyxy": [[4, 3, 60, 12]]}, "outside"),
        ({"slice": 1, "boxes_xyxy": [[14, 3, 4, 12]]}, "prompt 0 (slice 1)"),
        ({"slice": 1, "boxes_xyxy": [[4, 3, 14]]}, "boxes_xyxy"),
        ({"slice": 9, "boxes_xyxy": [[4, 3, 14, 12]]}, "slice 9 does not exist"),
        ({"slice": 1, "point_coords": [[-4, 3]], "point_labels": [1]}, "outside"),
        ({"slice": 1, "point_coords": [[4, 3]]}, "0 point_labels"),
        ({"slice": 1, "point_coords": [[4, 3]], "point_labels": [2]}, "point_labels"),
        ({"slice": 1, "label": 0, "boxes_xyxy": [[4, 3, 14, 12]]}, "label"),
        ({"slice": 1}, "expected boxes_xyxy or point_coords, got neither"),
        ({"slice": 1, "boxes": [[4, 3, 14, 12]]}, "boxes"),
    ],
)
def test_prompts_that_cannot_be_meant(scan, capsys, prompt, word):
    scan["prompts"].write_text(json.dumps({"plane": "axial", "prompts": [prompt]}))
    _refused(_segment(scan), capsys, word)
    _nothing_written(scan)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"prompts": []}', "{", '{"prompts": [{"slice": NaN}]}']
)
def test_prompt_files_that_are_none(scan, capsys, text):
    scan["prompts"].write_text(text)
    _refused(_segment(scan), capsys, "prompts.json", "expected")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"prompts": [{"slice": 1, "boxes_xyxy": [["4", 3, 14, 12]]}]}', "boxes_xyxy.0.0"),
        ('{"prompts": [{"slice": 1, "boxes_xyxy": [[true, 3, 14, 12]]}]}', "boxes_xyxy.0.0"),
        ('{"prompts": [{"slice": 1, "point_coords": [[4, null]]}]}', "point_coords.0.1"),
        (
            '{"prompts": [{"slice": 1, "point_coords": [[4, 3]], "point_labels": [true]}]}',
            "point_labels.0",
        ),
        ('{"prompts": [{"slice": true, "boxes_xyxy": [[4, 3, 14, 12]]}]}', "slice"),
        (
            '{"prompts": [{"slice": 1, "slice": 2, "boxes_xyxy": [[4, 3, 14, 12]]}]}',
            "'slice' is given twice",
        ),
        pytest.param(
            json.dumps({"prompts": [{"slice": 1, "boxes_xyxy": [[4, 3, 14, 12]] * 20_000}]}),
            "20000 boxes and points, at most 10000 are read",
            id="many",
        ),
    ],
)
def test_prompts_whose_values_are_of_another_kind(scan, capsys, text, word):
    scan["prompts"].write_text(text)
    _refused(_segment(scan), capsys, "prompts.json", word)
    _nothing_written(scan)


def test_prompts_of_another_image_are_refused(scan, weights, capsys):
    from mskseg.case import Case
    from mskseg.io import load_image

    prompts = json.loads(scan["prompts"].read_text())
    sha256 = Case("other name", load_image(scan["image"]), tissues={1: "femur"}).image_sha256
    scan["prompts"].write_text(json.dumps({**prompts, "image_sha256": sha256}))
    assert _segment(scan, "--model", weights) == 0
    scan["prompts"].write_text(json.dumps({**prompts, "image_sha256": "0" * 64}))
    capsys.readouterr()
    _refused(_segment(scan), capsys, "are of another image", "000000000000", sha256[:12])


# --- checkpoints ---------------------------------------------------------------------------------


def test_checkpoint_of_another_architecture(scan, weights, capsys):
    code = _evaluate(scan, "--model", weights, "--architecture", "vit_b")
    _refused(code, capsys, "vit_mini", "vit_b")
    _nothing_written(scan)


class _Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_pickle_that_tries_to_run_code(scan, capsys, tmp_path):
    harmful = tmp_path / "weights.pth"
    harmful.write_bytes(pickle.dumps({"weight": _Payload(tmp_path / "ran")}))
    code = _evaluate(scan, "--model", harmful, "--architecture", "vit_mini")
    _refused(code, capsys, "weights.pth")
    assert not (tmp_path / "ran").exists()
    _nothing_written(scan)


# --- outputs -------------------------------------------------------------------------------------


def test_unwritable_output_folder_is_found_before_the_work(scan, capsys, tmp_path, monkeypatch):
    (tmp_path / "out").write_text("a file where a folder is needed")
    monkeypatch.setattr("mskseg.models.checkpoints.load_segmenter", pytest.fail)
    _refused(_evaluate(scan), capsys, "cannot write", "dice.csv")
    _refused(_segment(scan), capsys, "cannot write", "mask.nii.gz")
    _refused(main(["run", "--all", "--output", str(tmp_path / "out")]), capsys, "cannot write")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a file where a folder is needed"


def test_output_of_another_format_is_refused(scan, capsys):
    scan["mask"] = scan["mask"].with_name("mask.png")
    _refused(_segment(scan), capsys, "mask.png", ".nii.gz")


def test_an_input_is_never_written_over(scan, capsys):
    before = scan["image"].read_bytes()
    scan["mask"] = scan["image"]
    _refused(_segment(scan), capsys, "is an input too")
    assert scan["image"].read_bytes() == before


def test_what_belongs_to_an_input_is_never_written_over(scan, weights, capsys, tmp_path):
    import SimpleITK as sitk

    header, raw = tmp_path / "scan.mhd", tmp_path / "scan.raw"
    sitk.WriteImage(sitk.ReadImage(str(scan["image"])), str(header))
    raw.rename(tmp_path / "scan.nii.gz")  # a name that the mask could have
    header.write_text(header.read_text().replace("scan.raw", "scan.nii.gz"))
    folder = tmp_path / "dicom"
    folder.mkdir()
    (folder / "0001.nii.gz").write_bytes(b"of the series")
    for image, mask in ((header, tmp_path / "scan.nii.gz"), (folder, folder / "0001.nii.gz")):
        before = mask.read_bytes()
        scan["image"], scan["mask"] = image, mask
        _refused(_segment(scan), capsys, f"{mask} is an input too")
        assert mask.read_bytes() == before
    model = tmp_path / "mine.csv"
    model.write_bytes(weights.read_bytes())
    scan["csv"], scan["image"] = model, tmp_path / "image.nii.gz"
    _refused(_evaluate(scan, "--model", model), capsys, "mine.csv is an input too")
    names = tmp_path / "dice.csv.provenance.json"
    names.write_text('{"1": "femur"}')
    scan["csv"] = tmp_path / "dice.csv"
    code = _evaluate(scan, "--model", weights, "--label-names", names)
    _refused(code, capsys, "dice.csv.provenance.json is an input too")
    assert names.read_text() == '{"1": "femur"}'


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_the_terminal_cannot_show_is_an_escape(scan, weights, monkeypatch, encoding):
    folder = os.fsencode(scan["image"].parent)
    image = folder + b"/Kn\xf6chel \xe8\x86\x9d.nii.gz"
    os.rename(scan["image"], image)  # noqa: PTH104  (bytes)
    scan["image"] = os.fsdecode(image)
    scan["mask"] = mask = scan["mask"].with_name("\u819d_\u017c\xf3\u0142w.nii.gz")
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", terminal)
    assert _segment(scan, "--model", weights) == 0
    terminal.flush()
    shown = terminal.buffer.getvalue().decode(encoding)
    assert ("\u819d_" if encoding == "utf-8" else r"\u819d_") in shown
    assert mask.is_file()


@pytest.mark.parametrize("command", [_evaluate, _segment])
def test_disk_full_leaves_the_earlier_result(scan, weights, capsys, monkeypatch, command):
    assert command(scan, "--model", weights) == 0
    result = scan["csv"] if command is _evaluate else scan["mask"]
    before = {path.name: path.read_bytes() for path in result.parent.iterdir()}
    capsys.readouterr()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("nibabel.save", full)
    monkeypatch.setattr("nibabel.Nifti1Image.to_filename", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    _refused(command(scan, "--model", weights), capsys, "No space left", result.name)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in result.parent.iterdir()} == before


# --- the way out ---------------------------------------------------------------------------------


def test_interruption_is_one_line_and_130(scan, capsys, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mskseg.io.load_image", interrupted)
    assert _evaluate(scan) == 130
    assert capsys.readouterr().err == "mskseg: interrupted\n"


def test_an_error_of_ours_is_one_line_without_traceback(scan, capsys, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("mskseg.io.load_image", broken)
    assert _evaluate(scan) == 3
    err = capsys.readouterr().err
    assert err.startswith("mskseg: unexpected ZeroDivisionError: division by zero")
    assert len(err.splitlines()) == 1
    monkeypatch.setenv("MSKSEG_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        _evaluate(scan)


def test_a_failing_notebook_makes_the_exit_code_1(capsys, monkeypatch, tmp_path):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "01_fail.py").write_text("# %% [markdown]\n# # Fail\n# %%\n1 / 0\n")
    (notebooks / "sizes.yaml").write_text("01_fail: {quick: {}}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--all", "--size", "quick"]) == 1
    assert "FAILED 01_fail, cell 2: ZeroDivisionError: division by zero" in capsys.readouterr().out


def test_control_characters_of_names_never_reach_the_terminal(scan, tmp_path, capsys):
    bad = "\x1b[2Jscan\x07\x9b1m\u202e\rx"
    image = scan["image"].rename(tmp_path / f"{bad}.nii.gz")
    words = ["evaluate", str(image), "--reference", str(scan["labels"])]
    assert main(words) == 0
    assert main([*words, "--label-names", f"{bad}.json"]) == 2
    said = capsys.readouterr()
    assert "scan" in said.out
    assert said.err.count("\n") == 1
    for text in (said.out, said.err):
        kept = {character for character in text if not character.isprintable()}
        assert kept <= {"\n", "\t"}


def test_lines_of_the_libraries_do_not_stand_before_ours(scan, capsys, caplog):
    image = nib.load(scan["image"])
    image.header.set_zooms((1, 1, 6))
    content = bytearray(image.to_bytes())
    content[80:92] = np.zeros(3, "<f4").tobytes()  # pixdim: nibabel logs that it sets 1 mm
    scan["image"].write_bytes(gzip.compress(bytes(content)))
    assert main(["evaluate", str(scan["image"]), "--reference", str(scan["prompts"])]) == 2
    assert all(line.startswith("mskseg: ") for line in capsys.readouterr().err.splitlines())
    assert not [record for record in caplog.records if record.name.startswith("nibabel")]
