"""Run nnU-Net in a process of its own: a log that stays, progress, resume, and errors that say why.

Each run has a folder of its own, named after its data and settings: ``raw/``, ``preprocessed/``,
``results/``, ``input/``, ``predictions/``, the whole output in ``log.txt``, and ``job.json``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd
from tqdm.auto import tqdm

from mskseg.case import Case
from mskseg.environment import available_cores
from mskseg.errors import InputError, OutputError
from mskseg.files import write_text
from mskseg.splits import Part
from mskseg_studies.specialists.nnunet.config import NnunetConfig, names_a_side
from mskseg_studies.specialists.nnunet.conversion import (
    export_training,
    import_predictions,
    write_images,
)
from mskseg_studies.specialists.nnunet.worker import (
    PLATEAU_ITERATIONS,
    TRAINER_FOLDER,
    model_folder,
    stopped_rising,
)
from mskseg_studies.specialists.predictions import Predictions, known_labels

_WORKER = Path(__file__).with_name("worker.py")
_PROGRESS = re.compile(r"mskseg: (?P<unit>epoch|case) (?P<done>\d+) of (?P<total>\d+)(?P<more>.*)")
_TAIL = 4  # lines of the log in an error


@dataclass(frozen=True, eq=False)
class NnunetRun:
    """A trained nnU-Net in its folder; the first of `labels`, ours with names, is its label 1."""

    folder: Path
    config: NnunetConfig
    labels: Mapping[int, str]

    @property
    def miniature(self) -> bool:
        """Whether anything but the published network and its published training was asked for."""
        stock = NnunetConfig(self.config.configuration)
        shrunk = ("epochs", "iterations_per_epoch", "patch_size", "batch_size", "base_features",
                  "optimiser", "time_limit_s", "plateau_iterations",
                  "mirrored_prediction")  # fmt: skip
        return any(getattr(self.config, name) != getattr(stock, name) for name in shrunk)

    @property
    def name(self) -> str:
        """For tables: the configuration, how long it was trained, and whether that was enough."""
        box = " + box channels" if self.config.box_channels else ""
        short = "" if self.converged else "not converged: "
        iterations = len(self.history()) * self.config.iterations_per_epoch
        return f"nnU-Net {self.config.configuration}{box} ({short}{iterations} iterations)"

    @property
    def converged(self) -> bool:
        """Whether the validation Dice has stopped rising; else this is not nnU-Net's result."""
        wanted = self.config.plateau_iterations or PLATEAU_ITERATIONS
        n = (wanted - 1) // self.config.iterations_per_epoch + 1
        dice = self.history()["validation_dice"].tolist()
        return stopped_rising(dice, n=n, gain=self.config.plateau_gain)

    @property
    def log(self) -> Path:
        """Everything that nnU-Net said."""
        return self.folder / "log.txt"

    @property
    def _weights(self) -> Path:
        model = model_folder(self.folder, self.config.configuration)
        return model / "fold_0" / "checkpoint_final.pth"

    @property
    def has_weights(self) -> bool:
        """Whether the training has ended, and left weights that predict."""
        return self._weights.is_file()

    @property
    def fingerprint(self) -> str:
        """The sha256 of the weights that predict; InputError if the training has not ended."""
        if not self.has_weights:
            raise InputError(f"{self.folder} has no trained weights yet; call train_nnunet again")
        with self._weights.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    def history(self) -> pd.DataFrame:
        """Read a row for each epoch so far from the log.

        Columns are `epoch`, `loss`, `validation_dice` (nnU-Net's pseudo Dice, over random patches
        of the validation people), `learning_rate` and `seconds` of training so far.
        """
        pattern = r"mskseg: epoch (\d+) of \d+, loss (\S+), pseudo Dice (\S+), rate (\S+), (\S+) s"
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        columns = ["epoch", "loss", "validation_dice", "learning_rate", "seconds"]
        epochs = pd.DataFrame(re.findall(pattern, text), columns=columns).astype(float)
        once = epochs.drop_duplicates("epoch", keep="last")  # a resumed run may repeat one
        return once.astype({"epoch": int}).sort_values("epoch", ignore_index=True)

    def predict(self, cases: Iterable[Case]) -> Predictions:
        """Predict cases, with probabilities; those that are predicted already are read.

        If the process dies (OutputError), what it predicted before stays: call again to go on.
        """
        given = list(cases)
        boxes_of = self.labels if self.config.box_channels else ()
        write_images(given, self.folder / "input", boxes_of=boxes_of)
        _work(self.folder, ["predict"], what=f"predict: {self.name}")
        return import_predictions(self.folder / "predictions", given, labels=self.labels)


def train_nnunet(
    train: Iterable[Case],
    validation: Iterable[Case],
    config: NnunetConfig,
    *,
    folder: str | Path,
    predict: Sequence[Case] = (),
) -> NnunetRun:
    """Plan, preprocess and train an nnU-Net in a folder of its own; resume what is there.

    All labels of the references are learned; several sequences are several training cases of one
    channel. Validation only chooses nnU-Net's "best" checkpoint and reports a pseudo Dice; the last
    checkpoint predicts: the cases `predict` in the same process, for `NnunetRun.predict` to read.

    InputError if nnunetv2 is not installed, a case has no reference, or a subject is in both sets;
    OutputError, with the log's end, if the process dies: the same call resumes.
    """
    if importlib.util.find_spec("nnunetv2") is None:
        raise InputError("nnunetv2 is not installed; run: python -m pip install 'mskseg[train]'")
    parts: dict[Part, list[Case]] = {"train": list(train), "validation": list(validation)}
    labels = known_labels([*parts["train"], *parts["validation"]])
    settings = asdict(config) | {"mirroring": not names_a_side(labels.values())}
    data = {part: sorted(case.fingerprint for case in cases) for part, cases in parts.items()}
    # The time limit does not count: with a higher one the same run goes on. The name is short,
    # since nnU-Net's own folders below are deep and paths limited.
    counting = {name: value for name, value in settings.items() if name != "time_limit_s"}
    known = json.dumps({"settings": counting, "data": data}, sort_keys=True)
    place = Path(folder).absolute() / hashlib.sha256(known.encode()).hexdigest()[:12]
    if not (place / "job.json").is_file():
        export_training(parts, labels, place, box_channels=config.box_channels)
    job = {"settings": settings, "data": data}
    write_text(place / "job.json", json.dumps(job, indent=2))  # last: all is there
    write_images(predict, place / "input", boxes_of=labels if config.box_channels else ())
    stages = ["plan", "train", "predict"][: 3 if predict else 2]
    _work(place, stages, what=f"nnU-Net {config.configuration}")
    return NnunetRun(place, config, labels)


def train_nnunets(
    train: Sequence[Case],
    validation: Sequence[Case],
    kinds: Iterable[str],
    size: Mapping[str, Any],
    *,
    seed: int,
    folder: str | Path,
    device: str = "cpu",
    predict: Sequence[Case] = (),
) -> list[NnunetRun]:
    """Train each kind, "2d" or "3d_fullres", with the reference's boxes as channels "2d + boxes".

    `size` has `length`, `hours`, `patch` and `features`, as `NnunetConfig.short` takes them.
    """
    configs = [
        NnunetConfig.short(kind, **size, seed=seed, device=device, box_channels=bool(told))  # type: ignore[arg-type]
        for kind, told, _ in (each.partition(" + boxes") for each in kinds)
    ]
    return [train_nnunet(train, validation, c, folder=folder, predict=predict) for c in configs]


def learning_curves(runs: Iterable[NnunetRun]) -> pd.DataFrame:
    """Lay out the epochs of some runs so far, by the name of each; empty if none is finished."""
    columns = ["model", "iterations", "learning_rate", "loss", "validation_dice", "seconds"]
    curves = []
    for run in runs:
        history = run.history()
        iterations = history["epoch"] * run.config.iterations_per_epoch
        curves.append(history.assign(model=run.name, iterations=iterations)[columns])
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)


def _work(folder: Path, stages: Sequence[str], *, what: str) -> None:
    """Run stages in the worker, its output into the log and its progress into a bar."""
    # -P: the worker's folder is no place to import from.
    command = [sys.executable, "-P", str(_WORKER), str(folder / "job.json"), *stages]
    environment = os.environ | {
        "nnUNet_raw": str(folder / "raw"),
        "nnUNet_preprocessed": str(folder / "preprocessed"),
        "nnUNet_results": str(folder / "results"),
        "nnUNet_extTrainer": str(TRAINER_FOLDER),
        "nnUNet_compile": "f",  # compiling for a CPU crashes, and costs more than a short run
        # nnU-Net's number of torch threads in prediction
        "nnUNet_def_n_proc": os.environ.get("OMP_NUM_THREADS") or str(available_cores()),
        "MPLBACKEND": "Agg",
        "PYTHONUNBUFFERED": "1",
    }
    with (
        (folder / "log.txt").open("a", encoding="utf-8") as log,
        tqdm(desc=what) as bar,
        subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101  a pipe was asked for
        log.write("\n")  # what a killed process wrote last has no end of line
        try:
            tail, stage, reached = _follow(process.stdout, log, bar)
        except BaseException:
            process.kill()  # an interrupted notebook must not leave a training behind
            raise
    if process.returncode:
        raise OutputError(
            f"nnU-Net died with exit code {process.returncode} in the stage {stage!r}{reached}; "
            f"its last words: {' | '.join(tail)}; run the same call again to resume, or read "
            f"{folder / 'log.txt'}"
        )


def _follow(output: IO[bytes], log: IO[str], bar: tqdm[Any]) -> tuple[list[str], str, str]:
    """Copy the output until it ends; gives its last lines, the last stage, the last progress."""
    tail: deque[str] = deque(maxlen=_TAIL)
    stage = reached = ""
    for raw in output:
        line = raw.decode("utf-8", errors="replace")
        log.write(line)
        log.flush()
        if line.strip():
            tail.append(line.strip())
        if line.startswith("mskseg: stage "):
            stage, reached = line.split()[-1], ""
        match = _PROGRESS.match(line)
        if match:
            reached = f" after {match['unit']} {match['done']} of {match['total']}"
            bar.unit, bar.total = match["unit"], int(match["total"])
            bar.set_postfix_str(match["more"].strip(", "), refresh=False)
            bar.update(int(match["done"]) - bar.n)
    return list(tail), stage, reached
