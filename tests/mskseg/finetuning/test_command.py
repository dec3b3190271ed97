"""``mskseg finetune`` on files: what it writes, and one line for each thing that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mskseg.cli.main import main
from mskseg.errors import InputError
from mskseg.models.weights import read_weights
from mskseg.provenance import read_provenance

QUICK = ("--epochs", "1", "--steps-per-epoch", "2", "--slices-per-step", "2", "--seed", "3",
         "--prompts-per-slice", "2")  # fmt: skip


def write(folder: Path, cases, *, affine=None) -> Path:
    folder.mkdir(exist_ok=True)
    for i, case in enumerate(cases):
        grid = case.image.affine
        nib.save(nib.Nifti1Image(case.image.array, grid), folder / f"sub-{i}_image.nii.gz")
        labels = nib.Nifti1Image(case.reference.array, grid if affine is None else affine)
        nib.save(labels, folder / f"sub-{i}_labels.nii.gz")
    (folder / "names.json").write_text('{"1": "muscle", "2": "bone"}')
    return folder


def told_by(path: Path) -> dict:
    """What the tuned weights say of how they came about."""
    return json.loads(read_weights(path)[1]["mskseg.fine_tuning"])


def finetune(folder: Path, *more: str, pattern: str = "sub-[0-9]+") -> int:
    return main([
        "finetune", "--images", f"{folder}/*_image.nii.gz", "--labels", f"{folder}/*_labels.nii.gz",
        "--subject-pattern", pattern, "--label-names", f"{folder}/names.json",
        "--output", f"{folder}/tuned", *QUICK, *more,
    ])  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, cases):
    """Three subjects: one trains, one selects, one is reported."""
    folder = write(tmp_path_factory.mktemp("own"), cases("own", n=3))
    assert finetune(folder) == 0
    return folder


def test_weights_scores_history_and_picture_are_written(tuned):
    output = tuned / "tuned"
    table = pd.read_csv(output / "scores.csv")
    assert set(table["segmenter"]) == {"sam_vit_mini", "sam_vit_mini, decoder tuned"}
    assert table["subject"].nunique() == 1
    assert set(table["tissue"]) == {"muscle", "bone"}
    told = told_by(output / "tuned.safetensors")
    assert told["config"]["seed"] == 3
    assert told["config"]["learning_rate"] == 3e-4  # a miniature's
    facts = read_provenance(output / "scores.csv")
    assert facts["base"] == "sam_vit_mini"
    assert facts["train_sha256"] == told["data"]["train"]
    assert facts["held_out"] == "subjects"
    assert read_provenance(output / "before_and_after.png")["seed"] == 3
    assert len(pd.read_csv(output / "history.csv")) == 2


def test_evaluate_takes_the_tuned_weights(tuned, capsys):
    words = [
        "evaluate",
        f"{tuned}/sub-0_image.nii.gz",
        "--reference",
        f"{tuned}/sub-0_labels.nii.gz",
    ]
    assert main([*words, "--model", f"{tuned}/tuned/tuned.safetensors"]) == 0
    assert "sam_vit_mini, decoder tuned (a miniature" in capsys.readouterr().out


def test_called_again_it_goes_on_from_what_is_there(tuned, capsys):
    assert finetune(tuned) == 0
    printed = capsys.readouterr().out
    assert "on 1 held-out subject;" in printed
    assert "no evidence" not in printed
    assert finetune(tuned, "--seed", "4") == 2
    assert "another folder to start anew" in capsys.readouterr().err


def test_one_subject_is_split_by_slab_and_said_to_prove_nothing(tmp_path, cases, capsys):
    folder = write(tmp_path, cases("one", n=1, n_slices=9))
    assert finetune(folder, "--mode", "lora") == 0
    printed = capsys.readouterr().out
    assert "sub-0 (test slab)" in printed
    assert printed.count("no evidence of generalisation") == 2
    assert read_provenance(folder / "tuned" / "scores.csv")["held_out"] == (
        "slabs of the same subjects"
    )


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (("--epochs", "0"), "epochs is 0, expected a number greater than 0"),
        (("--model", "sam_vit_z"), "neither a model's name nor a file"),
        (("--images", "nowhere/*.nii"), "no file matches 'nowhere/*.nii'"),
        (("--mode", "all"), "invalid choice: 'all'"),
        (("--output", "/proc/nowhere"), "cannot write /proc/nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tuned, more, match, capsys):
    try:
        code = finetune(tuned, *more)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    err = capsys.readouterr().err
    assert match in err
    assert len(err.splitlines()) == 1


def test_a_pattern_that_matches_no_subject(tuned, capsys):
    assert finetune(tuned, pattern="patient-[0-9]+") == 2
    assert "matches no subject in" in capsys.readouterr().err


def test_labels_of_another_grid_are_named_with_their_file(tmp_path, cases, capsys):
    folder = write(tmp_path, cases("own", n=3), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    assert finetune(folder) == 2
    err = capsys.readouterr().err
    assert "grid" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("fault", ["torn", "empty", "image", "negative", "taken", "input"])
def test_whatever_is_wrong_is_found_before_anything_is_trained(tmp_path, cases, capsys, fault):
    folder = write(tmp_path, cases("own", n=3))
    for path in folder.glob("sub-*_labels.nii.gz"):  # whoever is held out
        labels = nib.load(path)
        array, image = np.asarray(labels.dataobj), nib.load(str(path).replace("labels", "image"))
        changed = {
            "empty": np.zeros_like(array),
            "image": np.arange(array.size, dtype=np.int32).reshape(array.shape),
            "negative": np.where(array == 1, -1, array.astype(np.int16)),
        }
        if path.name.startswith("sub-2") or fault == "empty":
            if fault == "torn":
                path.write_bytes(path.read_bytes()[:-40])
            elif fault in changed:
                nib.save(nib.Nifti1Image(changed[fault], image.affine), path)
    more = ["--label-names", str(folder / "none.json")] if fault != "torn" else []
    (folder / "none.json").write_text("{}")
    if fault == "taken":
        (folder / "tuned" / "history.csv.provenance.json").mkdir(parents=True)
    if fault == "input":
        (folder / "tuned").mkdir()
        (folder / "tuned" / "scores.csv").write_text("1,muscle")
        more = ["--label-names", str(folder / "tuned" / "scores.csv")]
    assert finetune(folder, *more) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "parameters" not in said.out
    assert not (folder / "tuned" / "training").exists()


def test_the_weights_are_there_whatever_becomes_of_the_scores(tmp_path, cases, monkeypatch):
    def fail(*_, **__):
        raise InputError("no scores today")

    folder = write(tmp_path, cases("own", n=3))
    monkeypatch.setattr("mskseg.evaluation.score_cases", fail)
    assert finetune(folder) == 2
    assert told_by(folder / "tuned" / "tuned.safetensors")["config"]["seed"] == 3
