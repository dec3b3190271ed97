"""The process in which nnU-Net works, started as a file with the words JOB and STAGE.

It runs in a process of its own, since nnU-Net reads its folders from environment variables when it
is imported, prints a great deal, and may be killed for memory. It starts as a file and imports
nothing of ours: as a module it would import the whole package first.

Stages: ``plan`` (fingerprint, plan, preprocess), ``train`` (resumes from the last epoch's
checkpoint), ``predict``. A stage that is done leaves a file of its name in ``done/``, and is not
done twice. Lines that begin with ``mskseg:`` are for the parent process.
"""

import importlib
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

PLATEAU_ITERATIONS, PLATEAU_GAIN = 1000, 0.005
_HARDLY_BEGUN = 0.1  # validation Dice; a flat curve below it has not begun to rise
DATASET_ID, DATASET, PLANS = 1, "Dataset001_mskseg", "nnUNetPlans"
_N_AUGMENTING = "nnUNet_n_proc_DA"
_SHORTEST_EDGE = 4  # of the deepest feature map, as nnU-Net plans
_GREY_VALUES = 2_000_000  # of all cases, for the percentiles of each channel
TRAINER, TRAINER_FOLDER = "MsksegTrainer", Path(__file__).parent / "trainer"


def _announce_trainer() -> None:
    """Let nnU-Net find our trainer at once: its own search imports all its variants first."""
    trainers = importlib.import_module("nnunetv2.training.nnUNetTrainer.nnUNetTrainer")
    sys.path.insert(0, str(TRAINER_FOLDER))
    setattr(trainers, TRAINER, importlib.import_module("mskseg_trainer").MsksegTrainer)


def _fingerprint_extractor() -> type[Any]:
    """nnU-Net's own, but it draws 10**8 grey values a channel: 19 GB with boxes of 15 labels."""
    from nnunetv2.experiment_planning.dataset_fingerprint import fingerprint_extractor

    class Sparing(fingerprint_extractor.DatasetFingerprintExtractor):  # type: ignore[misc]  # untyped
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self.num_foreground_voxels_for_intensitystats = _GREY_VALUES

    return Sparing


def adapted_plans(plans: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Change patch, batch and features of a configuration; our trainer reads the settings there."""
    name = settings["configuration"]
    configuration = dict(plans["configurations"][name])
    if settings["batch_size"] is not None:
        configuration["batch_size"] = settings["batch_size"]
    if settings["patch_size"] is not None or settings["base_features"] is not None:
        configuration |= _network(configuration, settings)
    configurations = {**plans["configurations"], name: configuration}
    return {**plans, "configurations": configurations, "mskseg": dict(settings)}


def _network(configuration: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Plan the depth anew, by nnU-Net's own rule: a smaller patch cannot be halved as often."""
    from nnunetv2.experiment_planning.experiment_planners.network_topology import (
        get_pool_and_conv_props,
    )

    patch_size = list(settings["patch_size"] or configuration["patch_size"])
    _, strides, kernels, fitted, _ = get_pool_and_conv_props(
        configuration["spacing"], patch_size, _SHORTEST_EDGE, 999_999
    )
    architecture = configuration["architecture"]
    planned = architecture["arch_kwargs"]["features_per_stage"]
    base, n = settings["base_features"] or planned[0], len(strides)
    kwargs = architecture["arch_kwargs"] | {
        "n_stages": n,
        "features_per_stage": [min(max(planned), base * 2**stage) for stage in range(n)],
        "strides": strides,
        "kernel_sizes": kernels,
        "n_conv_per_stage": [2] * n,
        "n_conv_per_stage_decoder": [2] * (n - 1),
    }
    return {
        "patch_size": [int(length) for length in fitted],
        "architecture": architecture | {"arch_kwargs": kwargs},
    }


def stopped_rising(dice: Sequence[float], *, n: int, gain: float) -> bool:
    """Whether the mean of the last `n` values is less than `gain` above that of the `n` before.

    Not with fewer values, and not where the mean is under 0.1: an nnU-Net can predict nothing for
    thousands of iterations and rise then.
    """
    if len(dice) < 2 * n:
        return False
    before, last = sum(dice[-2 * n : -n]) / n, sum(dice[-n:]) / n
    return last >= _HARDLY_BEGUN and last - before < gain


def plateaus(dice: Sequence[float], *, n: int, gain: float) -> list[int]:
    """Find after which epochs the curve had stopped rising, counted anew from each."""
    found = [0]
    for epoch in range(1, len(dice) + 1):
        if stopped_rising(dice[found[-1] : epoch], n=n, gain=gain):
            found.append(epoch)
    return found[1:]


def plan(folder: Path, settings: dict[str, Any]) -> None:
    """Extract the fingerprint, plan, adapt the plan, preprocess."""
    os.environ[_N_AUGMENTING] = "1"  # the planner sets torch's threads to it; 0 is refused
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    name = settings["configuration"]
    # nnU-Net's pools become threads of this process: a new one imports torch anew, for seconds.
    threads = SimpleNamespace(Pool=ThreadPool)
    with patch.object(multiprocessing, "get_context", lambda _method=None: threads):
        api.extract_fingerprint_dataset(
            DATASET_ID, _fingerprint_extractor(), num_processes=1, show_progress_bar=False
        )
        api.plan_experiment_dataset(DATASET_ID)
        path = folder / "preprocessed" / DATASET / f"{PLANS}.json"
        plans = json.loads(path.read_text(encoding="utf-8"))
        if name not in plans["configurations"]:
            raise SystemExit(
                f"nnU-Net planned no {name} for these images: they have too few slices"
            )
        path.write_text(json.dumps(adapted_plans(plans, settings), indent=2), encoding="utf-8")
        api.preprocess_dataset(DATASET_ID, PLANS, (name,), [1], show_progress_bar=False)
    splits = folder / "raw" / DATASET / "splits_final.json"
    (folder / "preprocessed" / DATASET / splits.name).write_bytes(splits.read_bytes())


def train(folder: Path, settings: dict[str, Any]) -> bool:
    """Train fold 0 of our split, from the last epoch on; False if it came to its time's end."""
    import torch
    from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint

    os.environ[_N_AUGMENTING] = "0"  # in this process: few cores, and the seed decides
    _announce_trainer()
    torch.manual_seed(settings["seed"])  # the network's first weights
    fold = model_folder(folder, settings["configuration"]) / "fold_0"
    begun = any(fold.glob("checkpoint_*.pth"))
    trainer = get_trainer_from_args(
        str(DATASET_ID),
        settings["configuration"],
        0,
        TRAINER,
        PLANS,
        continue_training=begun,
        device=torch.device(settings["device"]),
    )
    trainer.seed = settings["seed"]
    # The limit of the plan is that of the first call.
    trainer.time_limit_s = settings["time_limit_s"]
    if settings["plateau_iterations"] is not None:
        n = (settings["plateau_iterations"] - 1) // settings["iterations_per_epoch"] + 1
        trainer.plateaus = partial(plateaus, n=n, gain=settings["plateau_gain"])
    maybe_load_checkpoint(trainer, begun, validation_only=False)
    if trainer.time_is_up():
        return False
    if (fold / "checkpoint_final.pth").is_file():  # of a run whose time was up, which goes on
        (fold / "checkpoint_final.pth").replace(fold / "checkpoint_latest.pth")
        shutil.rmtree(folder / "predictions", ignore_errors=True)
    trainer.run_training()
    return not trainer.out_of_time


def predict(folder: Path, settings: dict[str, Any]) -> None:
    """Predict what lies in ``input/`` and is not predicted yet, with probabilities."""
    inputs = sorted({path.name[:-12] for path in (folder / "input").glob("*_0000.nii.gz")})
    partial = (outputs := folder / "predictions") / ".partial"
    partial.mkdir(parents=True, exist_ok=True)
    todo = [name for name in inputs if not (outputs / f"{name}.nii.gz").is_file()]
    if not todo:  # before nnU-Net is imported, which takes longer than to predict a case
        return
    import numpy as np
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    _announce_trainer()
    device, mirrored = torch.device(settings["device"]), settings["mirrored_prediction"]
    predictor = nnUNetPredictor(device=device, use_mirroring=mirrored, allow_tqdm=False)
    model = str(model_folder(folder, settings["configuration"]))
    predictor.initialize_from_trained_model_folder(model, use_folds=(0,))
    for number, name in enumerate(todo, start=1):
        images = sorted(map(str, (folder / "input").glob(f"{name}_????.nii.gz")))
        # Packed, probabilities are a tenth smaller and take most of the time.
        with patch.object(np, "savez_compressed", np.savez):
            predictor.predict_from_files_sequential([images], [str(partial / name)], True)
        for ending in (".npz", ".nii.gz"):  # a label map that is there is complete
            (partial / f"{name}{ending}").replace(outputs / f"{name}{ending}")
        print(f"mskseg: case {number} of {len(todo)}", flush=True)  # noqa: T201  for the parent


def model_folder(folder: Path, configuration: str) -> Path:
    """Where nnU-Net puts the trained model."""
    return folder / "results" / DATASET / f"{TRAINER}__{PLANS}__{configuration}"


def main(arguments: list[str]) -> None:
    """Carry out the stages named after the job's file."""
    job, *stages = arguments
    folder = Path(job).parent
    settings = json.loads(Path(job).read_text(encoding="utf-8"))["settings"]
    work = {"plan": plan, "train": train, "predict": predict}
    for stage in stages:
        done = folder / "done" / stage
        if done.is_file() and stage != "predict":
            continue
        print(f"mskseg: stage {stage}", flush=True)  # noqa: T201  for the parent
        if work[stage](folder, settings) is not False:
            done.parent.mkdir(exist_ok=True)
            done.touch()


if __name__ == "__main__":
    main(sys.argv[1:])
