"""nnU-Net: export and import without it, and whole runs of the real package on a tiny phantom."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from mskseg.case import Case
from mskseg.errors import InputError, OutputError
from mskseg.evaluation.scoring import score_label_maps
from mskseg.evaluation.tables import volume_table
from mskseg.io import load_image, load_label_map, save_nifti
from mskseg.volume import LabelMap, Volume
from mskseg_phantom import make_phantom
from mskseg_studies.specialists.nnunet import running
from mskseg_studies.specialists.nnunet.config import NnunetConfig, names_a_side
from mskseg_studies.specialists.nnunet.conversion import (
    case_id,
    export_training,
    import_predictions,
    names_of,
    to_nnunet,
    to_ours,
)
from mskseg_studies.specialists.nnunet.running import learning_curves, train_nnunet, train_nnunets
from mskseg_studies.specialists.nnunet.worker import (
    DATASET,
    adapted_plans,
    model_folder,
    plateaus,
    stopped_rising,
)
from mskseg_studies.specialists.predictions import known_labels


@pytest.fixture
def parts(shapes):
    people = [shapes.drawn_case(f"s{seed}", seed=seed) for seed in range(4)]
    return people[:2], people[2:3], people[3:]


# labels


def test_labels_become_consecutive_and_come_back(parts):
    case = parts[0][0]
    labels = known_labels(parts[0])
    exported = to_nnunet(case.reference, labels)
    assert set(np.unique(exported.array)) == {0, 1, 2}
    assert np.array_equal(to_ours(exported.array, labels), case.reference.array)
    assert names_of(labels) == {"background": 0, "disc": 1, "triangle": 2}


def test_a_name_that_comes_twice_is_told_apart():
    named = names_of({4: "bone", 9: "bone"})
    assert named == {"background": 0, "bone (4)": 1, "bone (9)": 2}


@pytest.mark.parametrize(
    ("names", "sided"),
    [
        (["left femur", "sacrum"], True),
        (["medial meniscus"], True),
        (["vastus lateralis"], True),
        (["bilateral oedema", "femur"], False),
        (["rightful owner", "L1"], False),
    ],
)
def test_mirroring_is_off_where_a_label_names_a_side(names, sided):
    assert names_a_side(names) is sided


# export


def exported(parts, folder, **more):
    named = dict(zip(("train", "validation"), parts, strict=True))
    export_training(named, known_labels(parts[0]), folder, **more)


def test_export_writes_raw_format_with_our_own_split(parts, tmp_path):
    exported(parts[:2], tmp_path)
    raw = tmp_path / "raw" / DATASET
    described = json.loads((raw / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "disc": 1, "triangle": 2}
    assert described["numTraining"] == 3
    (split,) = json.loads((raw / "splits_final.json").read_text())
    assert split == {part: [case_id(c) for c in cases] for part, cases in
                     zip(("train", "val"), parts, strict=False)}  # fmt: skip
    for case in (*parts[0], *parts[1]):
        image = load_image(raw / "imagesTr" / f"{case_id(case)}_0000.nii.gz")
        labels = load_label_map(raw / "labelsTr" / f"{case_id(case)}.nii.gz")
        assert np.array_equal(image.array, case.image.array)
        np.testing.assert_allclose(labels.affine, case.image.affine, atol=1e-5)


def test_box_channels_hold_the_filled_boxes(parts, tmp_path):
    exported(parts[:2], tmp_path, box_channels=True)
    raw = tmp_path / "raw" / DATASET
    case = parts[0][0]
    box = load_image(raw / "imagesTr" / f"{case_id(case)}_0001.nii.gz").array
    disc = case.reference.mask(3)
    assert box[disc].all()
    assert box.sum() == 3 * 15**2, "three slices show a disc 15 pixels across"
    channels = json.loads((raw / "dataset.json").read_text())["channel_names"]
    assert channels == {"0": "unknown", "1": "noNorm", "2": "noNorm"}


def test_a_subject_in_both_parts_is_refused(parts, tmp_path):
    with pytest.raises(InputError, match="'s0' in train and in validation"):
        exported((parts[0], parts[0][:1]), tmp_path)


def test_a_changed_image_gets_another_name(parts):
    case = parts[0][0]
    brighter = replace(case, image=case.image.with_array(case.image.array + 1))
    assert case_id(case) != case_id(brighter)
    assert case_id(case).startswith("own-data-s0-unknown-")


# import


@pytest.fixture
def elsewhere(parts, tmp_path):
    """Predictions as another machine would have left them: the references, exported."""
    labels = known_labels(parts[0])
    for case in parts[0]:
        renumbered = to_nnunet(case.reference, labels)
        save_nifti(renumbered, tmp_path / f"{case_id(case)}.nii.gz")
        one_hot = np.stack([renumbered.array == value for value in range(3)]).astype(np.float32)
        stored = one_hot.transpose(0, 3, 2, 1)  # nnU-Net's order of axes
        np.savez_compressed(tmp_path / f"{case_id(case)}.npz", probabilities=stored)
    return tmp_path, parts[0], labels


def test_a_run_done_elsewhere_is_imported_on_our_grid_in_our_labels(elsewhere):
    folder, cases, labels = elsewhere
    found = import_predictions(folder, cases, labels=labels)
    assert found.missing == ()
    for case in cases:
        assert np.array_equal(found.label_maps[case.name].array, case.reference.array)
        assert np.array_equal(found.label_maps[case.name].affine, case.image.affine)
        assert np.array_equal(found.probabilities(case.name)[1] > 0.5, case.reference.mask(3))


def test_predictions_missing_for_a_case_are_counted_and_score_0(elsewhere):
    folder, cases, labels = elsewhere
    (folder / f"{case_id(cases[1])}.nii.gz").unlink()
    found = import_predictions(folder, cases, labels=labels)
    assert found.missing == (cases[1].name,)
    model = running.NnunetRun(folder, NnunetConfig(), labels)
    (folder / "log.txt").touch()
    table = score_label_maps(model, cases, found.label_maps, progress=False)
    by_subject = volume_table(table).groupby("subject")["volume_dice"].mean()
    assert by_subject.to_dict() == {"s0": 1, "s1": 0}
    with pytest.raises(InputError, match="no probabilities of 'own data/s1/unknown'"):
        found.probabilities(cases[1].name)


def test_probabilities_that_do_not_sum_to_one_are_refused(elsewhere):
    folder, cases, labels = elsewhere
    path = folder / f"{case_id(cases[0])}.npz"
    with np.load(path) as stored:
        half = stored["probabilities"] * 0.5
    np.savez_compressed(path, probabilities=half)
    found = import_predictions(folder, cases, labels=labels)
    with pytest.raises(InputError, match=r"sum to 0.5 in a voxel"):
        found.probabilities(cases[0].name)


def test_a_prediction_on_another_grid_is_refused(elsewhere):
    folder, cases, labels = elsewhere
    path = folder / f"{case_id(cases[0])}.nii.gz"
    image = nibabel.load(path)
    moved = image.affine + np.eye(4, k=3) * 7
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), moved), path)
    with pytest.raises(InputError, match="does not lie on the image of own data/s0"):
        import_predictions(folder, cases, labels=labels)


def test_a_label_that_was_never_exported_is_refused(elsewhere):
    folder, cases, _ = elsewhere
    with pytest.raises(InputError, match="holds label 2, and 1 labels were exported"):
        import_predictions(folder, cases, labels={3: "disc"})


def test_a_folder_that_is_not_there_is_said(elsewhere):
    folder, cases, labels = elsewhere
    with pytest.raises(InputError, match=r"got .*nowhere: no folder"):
        import_predictions(folder / "nowhere", cases, labels=labels)


# configuration


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"configuration": "3d_lowres"}, "choose 2d or 3d_fullres"),
        ({"epochs": 0}, "epochs is 0"),
        ({"patch_size": (64, 64, 64)}, "3 axes, expected 2 for 2d"),
        ({"optimiser": "lion"}, "choose sgd or adam"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        NnunetConfig(**wrong)


def test_only_a_stock_run_is_no_miniature(tmp_path):
    labels = {3: "disc"}
    assert not running.NnunetRun(tmp_path, NnunetConfig(), labels).miniature
    assert running.NnunetRun(tmp_path, NnunetConfig(epochs=10), labels).miniature
    assert running.NnunetRun(tmp_path, NnunetConfig(base_features=8), labels).miniature


def test_a_smaller_patch_gets_a_shallower_network():
    planned = {
        "spacing": [1.0, 1.0],
        "patch_size": [512, 512],
        "batch_size": 12,
        "architecture": {"arch_kwargs": {"features_per_stage": [32, 64, 128, 256, 512, 512, 512]}},
    }
    plans = {"configurations": {"2d": planned, "3d_fullres": {}}}
    settings = {"configuration": "2d", "batch_size": 4, "patch_size": (60, 64), "base_features": 8}
    adapted = adapted_plans(plans, settings)
    configuration = adapted["configurations"]["2d"]
    network = configuration["architecture"]["arch_kwargs"]
    assert configuration["patch_size"] == [64, 64]
    assert configuration["batch_size"] == 4
    assert network["features_per_stage"] == [8, 16, 32, 64, 128]
    assert len(network["strides"]) == len(network["n_conv_per_stage"]) == network["n_stages"] == 5
    assert adapted["mskseg"] == settings
    assert planned["batch_size"] == 12, "the plans given were changed"


def test_each_run_has_a_folder_of_its_own_with_a_short_name(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_work", lambda *_, **__: None)
    train, validation, _ = parts

    def run_folder(train, validation, config=TINY):
        return train_nnunet(train, validation, config, folder=tmp_path).folder

    folder = run_folder(train, validation)
    assert folder == run_folder(list(reversed(train)), validation)
    assert folder.parent == tmp_path
    assert len(folder.name) == 12
    others = {
        run_folder(train, validation, replace(TINY, seed=1)),
        run_folder(train[:1], validation),
        run_folder(validation, train),
    }
    assert len(others | {folder}) == 4


def test_a_run_is_known_by_the_weights_that_predict(tmp_path):
    run = running.NnunetRun(tmp_path, NnunetConfig(), {3: "disc"})
    with pytest.raises(InputError, match="no trained weights yet"):
        run.fingerprint  # noqa: B018
    weights = model_folder(tmp_path, "2d") / "fold_0" / "checkpoint_final.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"abc")
    assert run.fingerprint.startswith("ba7816bf"), "the sha256 of abc"


# when a training has converged

RISING = np.linspace(0.2, 0.8, 40).tolist()


@pytest.mark.parametrize(
    ("curve", "stopped"),
    [
        (RISING, False),
        ([*RISING, *[0.8] * 14], False),
        ([*RISING, *[0.8] * 20], True),
        ([0.6] * 19, False),
        ([0.6] * 20, True),
        ([0.6, 0.5] * 10, True),
        ([0.6] * 10 + [0.606] * 10, False),
        ([0.0] * 100, False),
        ([0.6] * 19 + [float("nan")], False),
    ],
)
def test_a_curve_has_stopped_rising_where_two_windows_are_level_and_not_empty(curve, stopped):
    assert stopped_rising(curve, n=10, gain=0.005) is stopped


def test_each_plateau_is_counted_from_the_one_before():
    curve = [*[0.5] * 20, *[0.7] * 20, 0.7]
    assert plateaus(curve, n=10, gain=0.005) == [20, 40]
    assert plateaus(curve[:39], n=10, gain=0.005) == [20]


def logged_run(folder, dice, config):
    lines = [
        f"mskseg: epoch {n} of 9, loss 0.5, pseudo Dice {d}, rate 0.003, {2 * n}.0 s\n"
        for n, d in enumerate(dice, start=1)
    ]
    (folder / "log.txt").write_text("".join(lines), encoding="utf-8")
    return running.NnunetRun(folder, config, {3: "disc"})


def test_a_run_that_still_rises_is_not_called_nnunets_result(tmp_path):
    config = NnunetConfig.short(hours=1, patch=(64, 64), features=4)
    n = config.plateau_iterations // config.iterations_per_epoch
    flat, short = [0.6] * (2 * n), [0.6] * (2 * n - 1)
    assert logged_run(tmp_path, flat, config).name == "nnU-Net 2d (2000 iterations)"
    for dice in (short, np.linspace(0.2, 0.8, 2 * n).tolist()):
        run = logged_run(tmp_path, dice, config)
        assert run.name == f"nnU-Net 2d (not converged: {50 * len(dice)} iterations)"
    config = NnunetConfig.short(length=(3, 250), patch=(64, 64), features=4)
    assert not logged_run(tmp_path, [0.6] * 7, config).converged
    assert logged_run(tmp_path, [0.6] * 8, config).converged


def test_a_longer_time_limit_goes_on_with_the_same_run(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_work", lambda *_, **__: None)
    one, six = (NnunetConfig.short(hours=h, patch=(64, 64), features=4) for h in (1, 6))
    first, second = (train_nnunet(*parts[:2], config, folder=tmp_path) for config in (one, six))
    assert first.folder == second.folder
    job = json.loads((second.folder / "job.json").read_text())
    assert job["settings"]["time_limit_s"] == 6 * 3600


def test_each_kind_is_trained_alone_and_told_for_minutes_or_for_hours(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_work", lambda *_, **__: None)
    size = {"length": [3, 25], "hours": 0, "patch": [64, 64], "features": 4}

    def trained(**more):
        call = {"seed": 1, "folder": tmp_path, "device": "mps"}
        kinds = [f"{kind}{told}" for kind in ("2d", "3d_fullres") for told in ("", " + boxes")]
        return train_nnunets(*parts[:2], kinds, size | more, **call)

    configs = [run.config for run in trained()]
    assert [(c.configuration, c.box_channels) for c in configs] == [
        ("2d", False),
        ("2d", True),
        ("3d_fullres", False),
        ("3d_fullres", True),
    ]
    assert {(c.epochs, c.iterations_per_epoch, c.seed) for c in configs} == {(3, 25, 1)}
    assert {c.device for c in configs} == {"mps"}
    long = trained(hours=2)[0].config
    expected = NnunetConfig.short(hours=2, patch=[64, 64], features=4, seed=1)
    assert long == replace(expected, device="mps")
    assert (long.time_limit_s, long.plateau_iterations) == (7200, 1000)


def test_the_curve_is_read_from_what_there_is(tmp_path):
    config = NnunetConfig.short(hours=1, patch=(64, 64), features=4)
    run = logged_run(tmp_path, [0.2, 0.4], config)
    curve = learning_curves([run])
    assert set(curve["model"]) == {run.name}
    assert curve["iterations"].tolist() == [50, 100]
    assert curve["validation_dice"].tolist() == [0.2, 0.4]
    assert curve["seconds"].tolist() == [2, 4]
    (tmp_path / "log.txt").write_text("")
    assert learning_curves([run]).empty


# whole runs of the real package

KEPT = (2, 8)  # two large muscles: what a network learns in a few hundred steps


def tiny_thigh(number: int) -> Case:
    """A thigh of 64 x 64 x 6 voxels, askew, its axes in an order of their own."""
    case = make_phantom("thigh", number, shape=(64, 64, 6))
    angle = np.radians(8)
    askew = np.eye(4)
    askew[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    image = Volume(case.image.array, askew @ case.image.affine).reoriented("SPL")
    labels = np.where(np.isin(case.reference.array, KEPT), case.reference.array, 0)
    reference = LabelMap(labels, askew @ case.image.affine).reoriented("SPL")
    return replace(case, image=image, reference=reference)


TINY = NnunetConfig(
    epochs=15,
    iterations_per_epoch=20,
    validation_iterations=1,
    patch_size=(64, 64),
    batch_size=4,
    base_features=8,
    optimiser="adam",
    learning_rate=0.003,
)

DYING = '''
import os, runpy, sys

class Stream:
    """Ends the process as the system does that runs out of memory."""
    def __init__(self, inner):
        self.inner = inner
    def __getattr__(self, name):
        return getattr(self.inner, name)
    def write(self, text):
        self.inner.write(text)
        if "mskseg: epoch 2 of" in text:
            self.inner.flush()
            os._exit(137)

sys.stdout = Stream(sys.stdout)
runpy.run_path({worker!r}, run_name="__main__")
'''


@pytest.mark.slow
def test_a_2d_run_dies_resumes_predicts_and_comes_back_on_the_grid(tmp_path, monkeypatch):
    people = [tiny_thigh(number) for number in (1, 2, 3, 4, 13, 17)]
    train, validation, test = people[:4], people[4:5], people[5:]
    call = {"folder": tmp_path}
    dying = tmp_path / "dying_worker.py"
    dying.write_text(DYING.replace("{worker!r}", repr(str(running._WORKER))), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(running, "_WORKER", dying)
        with pytest.raises(
            OutputError, match="exit code 137 in the stage 'train' after epoch 2 of 15"
        ) as died:
            train_nnunet(train, validation, TINY, **call)
    assert "\n" not in str(died.value)
    assert "pseudo Dice" in str(died.value)
    assert "log.txt" in str(died.value)

    run = train_nnunet(train, validation, TINY, predict=test, **call)
    log = run.log.read_text(encoding="utf-8")
    assert log.count("mskseg: epoch 1 of") == log.count("mskseg: epoch 2 of") == 1, "not resumed"
    assert run.history()["epoch"].tolist() == list(range(1, 16))
    assert run.name == "nnU-Net 2d (not converged: 300 iterations)"
    plans = json.loads((model_folder(run.folder, "2d") / "plans.json").read_text())
    assert plans["mskseg"]["mirroring"] is False, "vastus lateralis names a side"

    assert len(run.fingerprint) == 64

    assert log.count("mskseg: case 1 of 1") == 1, "it predicts where it trained"
    found = run.predict(test)
    assert run.log.read_text(encoding="utf-8").count("mskseg: case") == 1, "predicted twice"
    (case,) = test
    label_map = found.label_maps[case.name]
    assert np.array_equal(label_map.affine, case.image.affine)
    assert label_map.shape == case.image.shape
    assert set(label_map.labels) <= set(KEPT)
    winners = np.array((0, *found.labels))[found.probabilities(case.name).argmax(axis=0)]
    assert np.array_equal(winners, label_map.array)
    (stored,) = (run.folder / "predictions").glob("*.npz")
    with zipfile.ZipFile(stored) as members:
        packed = {member.compress_type for member in members.infolist()}
    assert packed == {zipfile.ZIP_STORED}, "to pack probabilities takes longer than to predict"
    volumes = volume_table(score_label_maps(run, test, found.label_maps, progress=False))
    assert volumes["volume_dice"].mean() >= 0.5


@pytest.mark.slow
def test_a_3d_run_ends_with_its_time_and_goes_on_until_it_stops_rising(tmp_path):
    people = [tiny_thigh(number) for number in (1, 2, 13)]
    config = replace(
        TINY,
        configuration="3d_fullres",
        patch_size=(6, 64, 64),
        batch_size=2,
        epochs=50,
        iterations_per_epoch=10,
        time_limit_s=0.01,
        plateau_iterations=10,
        plateau_gain=2.0,  # no Dice rises by that: every epoch but an empty one is a plateau
    )
    call = {"folder": tmp_path}
    run = train_nnunet(people[:2], people[2:], config, **call)
    assert len(run.history()) == 1, "the time limit was not kept"
    maps = run.predict(people[2:]).label_maps
    scores = volume_table(score_label_maps(run, people[2:], maps, progress=False))
    assert set(scores["tissue"]) <= {"vastus lateralis", "adductor magnus"}
    before = run.fingerprint
    train_nnunet(people[:2], people[2:], config, **call)
    assert run.fingerprint == before, "it went on without time"

    again = train_nnunet(people[:2], people[2:], replace(config, time_limit_s=600), **call)
    rates = again.history()["learning_rate"].tolist()
    assert 3 <= len(rates) < 50
    assert rates[0] == 0.003
    assert rates[-1] == 0.0003
    assert "stopped rising a second time" in again.log.read_text(encoding="utf-8")
    assert not (run.folder / "predictions").exists(), "predictions of earlier weights"
    found = again.predict(people[2:])
    probabilities = found.probabilities(people[2].name)
    assert probabilities.shape == (3, *people[2].image.shape)
