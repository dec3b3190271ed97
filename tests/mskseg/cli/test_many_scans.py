"""``score`` and ``evaluate`` on one scan and on many: one table, kept, resumed, and who failed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mskseg.case import Case
from mskseg.cli.main import main
from mskseg.evaluation import KeptPredictions, score_cases
from mskseg.io import load_image, load_label_map
from mskseg.prompts import OracleBox, fill_boxes
from mskseg.provenance import read_provenance

SHAPE = (24, 20, 4)
AFFINE = np.diag([1.0, 1.0, 6.0, 1.0])
SCORES = ["dice", "iou", "hd95_mm", "assd_mm", "surface_dice", "filled_box_dice"]


class MissesAColumn:
    """Fills each box but for its first column."""

    name, miniature, fingerprint, device = "misses", True, "f00d", "cpu"

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        boxes = prompt.boxes_xyxy + np.array([1, 0, 0, 0])
        masks = np.stack([fill_boxes(box, embedding.shape) for box in boxes])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.full((len(masks), 1), 0.9))


def save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scans in the form of nnU-Net, each with two blocks in noise."""
    for k in range(3):
        labels = np.zeros(SHAPE, np.uint8)
        labels[6 : 16 - k, 5:14, 1:3] = 1
        labels[17:23, 5:14, 1 : 3 + k % 2] = 2
        noise = np.random.default_rng(k).normal(20, 3, SHAPE)
        save(tmp_path / "labels" / f"p{k}.nii.gz", labels)
        save(tmp_path / "images" / f"p{k}_0000.nii.gz", (noise + 60 * labels).astype(np.float32))
        save(tmp_path / "narrow" / f"p{k}.nii.gz", np.roll(labels, 2, axis=1) * (labels > 0))
    return tmp_path


def run(capsys, *words: object) -> dict:
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words: object) -> str:
    assert main([*map(str, words)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("mskseg: ")
    return err[-1]


@pytest.fixture
def model(monkeypatch) -> list[str]:
    """Lets ``evaluate`` load `MissesAColumn`; the list has a word for each time it did."""
    loaded: list[str] = []

    def load(name, **_options):
        loaded.append(name)
        return MissesAColumn()

    monkeypatch.setattr("mskseg.models.checkpoints.load_segmenter", load)
    return loaded


# --- any tool's masks ----------------------------------------------------------------------------


def test_the_reference_scored_against_itself_is_perfect(folder, capsys):
    labels = folder / "labels" / "p1.nii.gz"
    found = run(capsys, "score", labels, "--reference", labels)
    (mean,) = found["mean"]
    assert [mean[name] for name in ("dice", "iou", "surface_dice", "volume_dice")] == [1, 1, 1, 1]
    assert (mean["hd95_mm"], mean["relative_volume_error"], mean["empty"]) == (0, 0, 0)
    assert [row["n_pairs"] for row in found["labels"]] == [2, 3]
    every = run(capsys, "score", folder / "labels", "--reference", folder / "labels")
    assert [(row["scan"], row["dice"]) for row in every["scans"]] == [
        (f"p{k}", 1) for k in range(3)
    ]


def test_what_a_model_made_scores_as_evaluate_scores_it(folder, capsys):
    image, labels = folder / "images" / "p1_0000.nii.gz", folder / "labels" / "p1.nii.gz"
    case = Case(subject="a", image=load_image(image), reference=load_label_map(labels))
    kept = KeptPredictions()
    ours = score_cases(MissesAColumn(), case, prompts=OracleBox(), kept=kept, progress=False)
    stack = np.zeros(case.image.stack("axial").shape, np.uint8)
    for row in range(len(kept)):
        stack[kept[row].case_slice.index][kept[row].prediction] = kept[row].label
    mask = save(folder / "mask.nii.gz", case.image.from_stack(stack, "axial").array)
    words = ["score", mask, "--reference", labels, "--image", image, "--csv", folder / "a.csv"]
    run(capsys, *words)
    theirs = pd.read_csv(folder / "a.csv")
    keys = ["label", "slice", "status", "area_mm2", "predicted_area_mm2", "overlap_mm2"]
    assert theirs[keys].equals(ours[keys])
    np.testing.assert_array_equal(theirs[SCORES], ours[SCORES])
    assert 0 < theirs["dice"].min() < theirs["dice"].max() < 1
    run(capsys, *(word for word in words if word not in ("--image", image)))
    assert pd.read_csv(folder / "a.csv")[SCORES].equals(theirs[SCORES])  # the image decides nothing


def test_several_tools_stand_side_by_side_and_who_lacks_a_scan_is_counted(folder, capsys):
    (folder / "narrow" / "p2.nii.gz").unlink()
    tools = [f"a<b>={folder / 'narrow'}", folder / "labels"]
    words = ["score", *tools, "--reference", folder / "labels", "--image", folder / "images"]
    found = run(capsys, *words, "--html", folder / "page.html")
    narrow, same = found["mean"]
    assert (narrow["segmenter"], same["segmenter"]) == ("a<b>", "labels")
    assert (same["dice"], same["n_missing"]) == (1, 0)
    assert narrow["n_missing"] == narrow["empty"] == 4
    assert narrow["dice"] < 0.7
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "a&lt;b&gt;" in page
    assert "a<b>" not in page
    assert page.count('src="data:image/png') == 3  # of each scan the worst slice
    assert main([*map(str, words)]) == 0
    printed = capsys.readouterr().out
    assert "p2_0000" in printed
    assert "mean of labels" in printed


def test_labels_that_the_reference_lacks_are_named_and_not_scored(folder, capsys):
    labels = load_label_map(folder / "labels" / "p0.nii.gz").array.copy()
    labels[:3, :3] = 9
    more = save(folder / "more.nii.gz", labels)
    assert main(["score", str(more), "--reference", str(folder / "labels" / "p0.nii.gz")]) == 0
    printed = capsys.readouterr().out
    assert "not scored: labels 9." in printed
    assert "label 9" not in printed


def test_predictions_that_cannot_be_meant_are_refused(folder, capsys):
    labels, reference = folder / "labels", ["--reference", folder / "labels"]
    moved = AFFINE.copy()
    moved[0, 3] = 12.5
    grid = save(folder / "moved.nii.gz", np.ones(SHAPE, np.uint8), moved)
    one = ["--reference", labels / "p0.nii.gz"]
    assert "mskseg: moved: image and label map lie on different grids" in refused(
        capsys, "score", grid, *one
    )
    image = save(folder / "i.nii.gz", np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16))
    assert "is it an image?" in refused(capsys, "score", image, *one)
    assert "two predictions are called 'labels'" in refused(
        capsys, "score", labels, labels, *reference
    )
    (folder / "empty").mkdir()
    assert "is an empty folder" in refused(capsys, "score", folder / "empty", *reference)
    save(labels / "other.nii.gz", np.ones(SHAPE, np.uint8))
    gone = refused(capsys, "score", labels, "--reference", folder / "narrow")
    assert "other.nii.gz of subject other has 0 label maps" in gone
    page = labels / "p0.html"
    page.write_text("mine")
    assert "expected a name ending in .html" in refused(
        capsys, "score", labels, *reference, "--html", folder / "page.txt"
    )


# --- many scans ----------------------------------------------------------------------------------


def evaluate(folder: Path, *more: object) -> list[object]:
    return ["evaluate", folder / "images", "--reference", folder / "labels", *more]


def test_a_folder_scores_as_its_scans_alone_with_one_model(folder, capsys, model):
    found = run(capsys, *evaluate(folder, "--output", folder / "out", "--csv", folder / "all.csv"))
    assert len(model) == 1
    table = pd.read_csv(folder / "all.csv")
    for k in range(3):
        pair = folder / "images" / f"p{k}_0000.nii.gz", folder / "labels" / f"p{k}.nii.gz"
        run(capsys, "evaluate", pair[0], "--reference", pair[1], "--csv", folder / "one.csv")
        one = pd.read_csv(folder / "one.csv")
        of_scan = table[table["subject"] == f"p{k}"].reset_index(drop=True)
        names = ["label", "slice", "status", *SCORES, "wide_box_dice", "neighbour_box_dice"]
        assert of_scan[names].equals(one[names])
        assert pd.read_csv(folder / "out" / f"p{k}_0000.csv")[names].equals(one[names])
    summary = pd.read_csv(folder / "out" / "summary.csv")
    assert summary["scan"].tolist() == [f"p{k}_0000" for k in range(3)]
    assert summary["dice"].tolist() == pytest.approx([row["dice"] for row in found["scans"]])


def test_what_is_there_is_kept_until_an_input_or_a_setting_changes(
    folder, capsys, model, monkeypatch
):
    del model
    scored: list[str] = []
    score = score_cases

    def counted(segmenter, case, **options):
        scored.append(case.subject)
        return score(segmenter, case, **options)

    monkeypatch.setattr("mskseg.evaluation.score_cases", counted)
    words = evaluate(folder, "--output", folder / "out")
    first = run(capsys, *words)
    assert run(capsys, *words) == first
    assert scored == ["p0", "p1", "p2"]
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:9, 3:9, 1:3] = 1
    save(folder / "labels" / "p1.nii.gz", labels)
    assert run(capsys, *words) != first
    assert scored[3:] == ["p1"]
    (folder / "out" / "p2_0000.csv").write_text("edited")
    run(capsys, *words)
    assert scored[4:] == ["p2"]
    run(capsys, *words, "--plane", "coronal")
    assert scored[5:] == ["p0", "p1", "p2"]


def test_a_bad_scan_is_named_and_the_others_are_done(folder, capsys, model):
    (folder / "images" / "p1_0000.nii.gz").write_bytes(b"Dear diary")
    words = evaluate(folder, "--output", folder / "out")
    said = refused(capsys, *words)
    assert "1 of 3 scans failed, the others are done: p1_0000: " in said
    assert len(model) == 1
    assert {path.name for path in (folder / "out").glob("*.csv")} == {
        "p0_0000.csv", "p2_0000.csv", "summary.csv"
    }  # fmt: skip
    failed = pd.read_csv(folder / "out" / "summary.csv").set_index("scan")["failed"].dropna()
    assert list(failed.index) == ["p1_0000"]
    (folder / "out" / "p2_0000.csv").unlink()
    assert "p1_0000.nii.gz" in refused(capsys, *words, "--fail-fast")
    assert not (folder / "out" / "p2_0000.csv").exists()
    for path in (folder / "images").iterdir():
        path.write_bytes(b"Dear diary")
    assert "all of 3 scans failed, the first is p0_0000: " in refused(capsys, *words)


def test_an_error_of_ours_in_one_scan_does_not_stop_the_others(folder, capsys, model, monkeypatch):
    del model
    score = score_cases

    def broken(segmenter, case, **options):
        if case.subject == "p1":
            raise ZeroDivisionError("by zero")
        return score(segmenter, case, **options)

    monkeypatch.setattr("mskseg.evaluation.score_cases", broken)
    said = refused(capsys, *evaluate(folder))
    assert "1 of 3 scans failed" in said
    assert said.endswith("p1_0000: unexpected ZeroDivisionError: by zero")


def test_every_table_says_what_it_was_made_of(folder, capsys, model):
    del model
    words = ("--output", folder / "out", "--csv", folder / "all.csv")
    run(capsys, *evaluate(folder, *words))
    facts = [read_provenance(folder / name) for name in ("all.csv", "out/summary.csv")]
    assert facts[0]["inputs_sha256"] == facts[1]["inputs_sha256"]
    assert facts[0]["segmenter"]["sha256"] == "f00d"
    assert read_provenance(folder / "out" / "p1_0000.csv")["data"]["subjects"] == ["p1"]
    save(folder / "labels" / "p1.nii.gz", np.ones(SHAPE, np.uint8))
    run(capsys, *evaluate(folder, *words))
    assert read_provenance(folder / "all.csv")["inputs_sha256"] != facts[0]["inputs_sha256"]


def test_parts_share_the_work_and_a_call_without_sums_up(folder, capsys, model):
    words = evaluate(folder, "--output", folder / "out")
    whole = run(capsys, *evaluate(folder))
    for part, names in (("1/2", {"p0_0000", "p2_0000"}), ("2/2", {"p1_0000"})):
        found = run(capsys, *words, "--part", part)
        assert {row["scan"] for row in found["scans"]} == names
        assert not (folder / "out" / "summary.csv").exists()
    assert run(capsys, *words)["mean"] == whole["mean"]
    assert "part 5/5 of 3 scans holds none" in refused(capsys, *words, "--part", "5/5")
    with pytest.raises(SystemExit):
        main([*map(str, words), "--part", "3/2"])
    assert "3/2" in capsys.readouterr().err


def test_a_pattern_pairs_what_is_named_otherwise(folder, capsys, model):
    for path in (folder / "labels").iterdir():
        path.rename(path.with_name(f"truth_{path.name}"))
    assert "has 0 label maps" in refused(capsys, *evaluate(folder))
    assert len(run(capsys, *evaluate(folder, "--subject-pattern", "p[0-9]"))["scans"]) == 3
    words = ["score", folder / "narrow", "--reference", f"{folder}/labels/*_p[01].nii.gz"]
    narrow = folder / "narrow" / "p2.nii.gz"
    narrow.unlink()
    assert len(run(capsys, *words, "--subject-pattern", "p[0-9]")["scans"]) == 2


@pytest.fixture
def bids(folder: Path) -> Path:
    """The scans as a BIDS folder: a person without sessions, one with two, masks of one reader."""
    root = folder / "bids"
    for k, name in enumerate(("sub-1", "sub-2_ses-a", "sub-2_ses-b")):
        inside = Path(*name.split("_")) / "anat"
        masks = root / "derivatives" / "reader" / inside
        for target in (root / inside, masks):
            target.mkdir(parents=True)
        (folder / "images" / f"p{k}_0000.nii.gz").rename(root / inside / f"{name}_T1w.nii.gz")
        form = "{}_T1w_dseg.nii.gz" if k else "{}_space-orig_label-all_mask.nii.gz"
        (folder / "labels" / f"p{k}.nii.gz").rename(masks / form.format(name))
    (root / "dataset_description.json").write_text("{}")
    return root


def test_a_bids_folder_is_read_as_it_is(folder, bids, capsys, model):
    del model
    names = ["sub-1_T1w", "sub-2_ses-a_T1w", "sub-2_ses-b_T1w"]
    found = run(capsys, "evaluate", bids, "--csv", folder / "a.csv")
    assert [row["scan"] for row in found["scans"]] == names
    table = pd.read_csv(folder / "a.csv", dtype=str).drop_duplicates("visit")
    assert table["subject"].tolist() == ["sub-1", "sub-2", "sub-2"]
    assert table["visit"].tolist()[1:] == ["a", "b"]
    assert set(table["sequence"]) == {"T1w"}
    assert run(capsys, "evaluate", bids, "--reference", bids / "derivatives" / "reader") == found
    perfect = run(capsys, "score", bids / "derivatives" / "reader", "--reference", bids)
    assert [row["dice"] for row in perfect["scans"]] == [1, 1, 1]
    for path in (folder / "narrow").iterdir():  # as `segment` names what it writes
        path.rename(path.with_name(f"{names[int(path.name[1])]}.nii.gz"))
    ours = run(capsys, "score", folder / "narrow", "--reference", bids, "--image", bids)
    assert [row["scan"] for row in ours["scans"]] == names
    other = bids / "derivatives" / "other" / "sub-1" / "anat" / "sub-1_dseg.nii.gz"
    save(other, np.ones(SHAPE, np.uint8))
    said = refused(capsys, "evaluate", bids)
    assert "sub-1_T1w.nii.gz of subject sub-1 has 2 label maps" in said
    shutil.rmtree(bids / "derivatives")
    assert "has 0 label maps (none), expected one" in refused(capsys, "evaluate", bids)


def test_an_nnunet_folder_is_read_as_it_is(folder, capsys, model):
    del model
    root = folder / "Dataset001_Blocks"
    (folder / "images").rename(folder / "imagesTr")
    root.mkdir()
    for name in ("imagesTr", "labels"):
        (folder / name).rename(root / name.replace("labels", "labelsTr"))
    for k in range(3):
        shutil.copy(*(root / "imagesTr" / f"p{k}_000{channel}.nii.gz" for channel in (0, 1)))
    described = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"upper": 1, "lower": 2}}
    (root / "dataset.json").write_text(json.dumps(described | {"file_ending": ".nii.gz"}))
    found = run(capsys, "evaluate", root, "--csv", folder / "a.csv")
    assert [row["scan"] for row in found["scans"]][:2] == ["p0_0000", "p0_0001"]
    assert [row["tissue"] for row in found["labels"]] == ["upper", "lower"]
    assert set(pd.read_csv(folder / "a.csv")["sequence"]) == {"T1", "T2"}
    words = ("score", folder / "narrow", "--reference", root)
    assert len(run(capsys, *words)["scans"]) == 3
    assert len(run(capsys, *words, "--image", root)["scans"]) == 3  # of each one channel


def test_folders_that_hold_no_pairs_are_refused_in_one_line_and_nothing_is_written(
    folder, capsys, model
):
    del model
    output = folder / "out"
    (folder / "none").mkdir()
    (folder / "text").mkdir()
    (folder / "text" / "note.txt").write_text("Dear diary")
    for images, told in (("none", "is an empty folder"), ("text", "text"), ("gone", "gone")):
        said = refused(capsys, *evaluate(folder, "--output", output)[:1], folder / images,
                       "--reference", folder / "labels", "--output", output)  # fmt: skip
        assert told in said
    moved = AFFINE.copy()
    moved[0, 3] = 12.5
    save(folder / "labels" / "p1.nii.gz", np.ones(SHAPE, np.uint8), moved)
    said = refused(capsys, *evaluate(folder))
    assert "1 of 3 scans failed" in said
    assert "p1_0000: image and label map lie on different grids" in said
    assert not output.exists()
