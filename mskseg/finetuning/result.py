"""What a fine-tuning gives, tuned weights and their history, and its state between two epochs."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor

from mskseg.errors import InputError, MsksegError
from mskseg.files import written_atomically
from mskseg.finetuning.config import FineTuneConfig
from mskseg.models.checkpoints import architecture_of, save_weights
from mskseg.models.segmenter import Segmenter
from mskseg.models.weights import read_pickle

HISTORY = ("epoch", "step", "loss", "validation_dice", "seconds")
_FACTS = "mskseg.fine_tuning"

Stopped = Literal["converged", "all epochs", "diverged"]
Identity = dict[str, dict[str, Any]]
"""What must be the same for a training to be resumed: `config`, `base` model and `data`."""

STATE = "state.pt"
_FORMAT = 2  # of the state


@dataclass(frozen=True, eq=False)
class FineTuneResult:
    """A tuned segmenter and how it came about.

    `history` has a row for each epoch: `epoch` (0 is before any step), `step` (done by then),
    `loss` (mean over its steps, NaN for epoch 0), `validation_dice`, `seconds` (since the start).
    """

    segmenter: Segmenter  # of the best epoch; `learned_iou` only where the loss of the IoU was kept
    history: pd.DataFrame
    best_epoch: int  # the first of the highest validation Dice; 0: tuning did not help
    trainable_parameters: int
    seconds: float  # validation, encoding and, of a resumed training, what was before included
    peak_memory_mb: float  # on a GPU what torch had allocated, else what the process held
    stopped: Stopped  # no better epoch for as long as the patience, the last one, or a NaN loss
    config: FineTuneConfig
    base: dict[str, str]  # `name` and `sha256` of the model that it started from
    data: dict[str, str]  # sha256 of `train` and `validation`: images, grids, labels and names

    def __repr__(self) -> str:
        best = self.history.set_index("epoch")["validation_dice"]
        return (
            f"FineTuneResult({self.segmenter.name!r}: validation Dice {best.loc[0]:.3f} to "
            f"{best.loc[self.best_epoch]:.3f} at epoch {self.best_epoch} of {best.index[-1]}, "
            f"{self.trainable_parameters:,} parameters, {self.seconds:.0f} s, {self.stopped})"
        )

    def save(self, path: str | Path) -> None:
        """Write the tuned weights, with how they came about, as safetensors to load again."""
        if Path(path).suffix != ".safetensors":
            raise InputError(f"expected a path that ends in .safetensors, got {path}")
        facts = {
            "config": asdict(self.config),
            "base": self.base,
            "data": self.data,
            "best_epoch": self.best_epoch,
            "trainable_parameters": self.trainable_parameters,
            "seconds": round(self.seconds, 1),
            "stopped": self.stopped,
            "history": json.loads(self.history.to_json(orient="records")),
        }
        metadata = {"mskseg.name": self.segmenter.name, _FACTS: json.dumps(facts)}
        architecture = architecture_of(self.segmenter)
        save_weights(self.segmenter, path, architecture=architecture, facts=metadata)


class DivergedError(MsksegError):
    """The loss became NaN or infinite; `result` has the best weights of the epochs before."""

    def __init__(self, message: str, result: FineTuneResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass
class Progress:
    """How far a training has come; grows with every epoch."""

    rows: list[dict[str, float]] = field(default_factory=list)  # of the history, epoch 0 first
    best_dice: float = -math.inf
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)  # that train, on the CPU
    peak_memory_mb: float = 0.0  # in any of the processes that trained one after the other

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.rows) - 1

    @property
    def seconds(self) -> float:
        """From the start until the last epoch was done."""
        return self.rows[-1]["seconds"] if self.rows else 0.0

    def add(self, row: dict[str, float], weights: dict[str, Tensor]) -> None:
        """Note an epoch; keep its weights, if it is the best so far."""
        self.rows.append(row)
        if row["validation_dice"] > self.best_dice:
            self.best_dice, self.best_epoch = row["validation_dice"], self.epoch
            self.best_weights = {k: v.detach().cpu().clone() for k, v in weights.items()}


def save_state(
    folder: Path,
    identity: Identity,
    progress: Progress,
    *,
    weights: dict[str, Tensor],
    optimiser: dict[str, Any],
) -> None:
    """Write the state completely or not at all (OutputError): the one before stays."""
    state = {
        "format": _FORMAT,
        **identity,
        **vars(progress),
        "weights": {k: v.detach().cpu() for k, v in weights.items()},
        "optimiser": optimiser,
    }
    with written_atomically(folder / STATE) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # how torch says that the disk is full
            raise OSError(str(error).splitlines()[0]) from error


def load_state(folder: Path, identity: Identity) -> dict[str, Any] | None:
    """Read a state, None without one; InputError if it is damaged or of another training."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = dict(read_pickle(path))
        other_version = state["format"] != _FORMAT
        differences = [] if other_version else _differences(state, identity)
    except Exception as error:  # whatever a file of another form leads to
        raise InputError(
            f"{path} is damaged, or not the state of a fine-tuning; delete it to start anew"
        ) from error
    if other_version:
        raise InputError(f"{path} was written by another version; delete it to start anew")
    if differences:
        raise InputError(
            f"{path} is of a training with {'; '.join(differences)}; pass the same to resume it, "
            "or another folder to start anew"
        )
    return state


def _differences(state: dict[str, Any], identity: Identity) -> list[str]:
    then, now, base = state["config"], identity["config"], identity["base"]
    changed = sorted(key for key in {*then, *now} if then.get(key) != now.get(key))
    differences = [f"{key} {then.get(key)!r}, now {now.get(key)!r}" for key in changed]
    if state["base"]["sha256"] != base["sha256"]:
        differences.append(f"other weights ({state['base']['name']}, now {base['name']})")
    if state["data"] != identity["data"]:
        differences.append("other training or validation data")
    return differences
