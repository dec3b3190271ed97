"""What a fine-tuning gives: the tuned segmenter, its history, and where it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mskseg.errors import InputError, MsksegError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.input_files import parsed
from mskseg.models.checkpoints import architecture_of, save_weights
from mskseg.models.segmenter import Segmenter
from mskseg.models.weights import read_weights

HISTORY = ("epoch", "step", "loss", "validation_dice", "seconds")
_FACTS = "mskseg.fine_tuning"

Stopped = Literal["converged", "all epochs", "diverged"]


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
            "config": self.config.as_dict(),
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


def read_tuning(path: str | Path) -> dict[str, Any]:
    """Read config, base, data, history of tuned weights; InputError for a file without them."""
    _, metadata = read_weights(path)
    if _FACTS not in metadata:
        raise InputError(
            f"{path} does not say how it was tuned, expected weights that `mskseg finetune` or "
            "FineTuneResult.save wrote"
        )
    with parsed(path, "tuned model", "tune it again"):
        facts: dict[str, Any] = dict(json.loads(metadata[_FACTS]))
    return facts
