"""The state of a training between two epochs: what a resumed one goes on from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.models.weights import read_pickle

Identity = dict[str, dict[str, Any]]
"""What must be the same for a training to be resumed: `config`, `base` model and `data`."""

STATE = "state.pt"
_FORMAT = 2


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
    return differences + ["other training or validation data"] * (state["data"] != identity["data"])
