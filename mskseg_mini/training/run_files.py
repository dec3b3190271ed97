"""What a training reads and writes: weights, its checkpoint, its log, its settings."""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import Sam
from mskseg.models.weights import write_safetensors

STATE = "state.pt"
ConfigT = TypeVar("ConfigT")


def load_sam_mini(weights: str | Path) -> Segmenter:
    """Load weights that a training may start from; InputError if they are not SAM-mini's."""
    start = load_segmenter(weights)
    if not start.miniature or start.preprocessing.name != "sam":
        raise InputError(
            f"expected weights of SAM-mini, got {weights}; pass sam_vit_mini or a file of its kind"
        )
    return start


def export_miniature(sam: Sam, path: Path, *, preprocessing: str, origin: dict[str, Any]) -> None:
    """Write `sam` in half precision as safetensors that `mskseg.load_segmenter` reads.

    `preprocessing` is "sam" or "medsam", whose recipe trains no predicted IoU, which is noted too;
    `origin` how the weights came about: settings, step, score, what they started from.
    """
    metadata = {
        "mskseg.architecture": "vit_mini",
        "mskseg.preprocessing": preprocessing,
        "mskseg.learned_iou": str(preprocessing == "sam").lower(),
        "mskseg.origin": json.dumps(origin),
    }
    state = sam.state_dict()
    halves = {name: value.detach().half().contiguous().cpu() for name, value in state.items()}
    write_safetensors(halves, path, metadata=metadata)


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint to resume from, completely or not at all."""
    with written_atomically(folder / STATE) as path:
        torch.save(state, path)


def read_state(
    folder: Path, *, settings: dict[str, Any], device: torch.device
) -> dict[str, Any] | None:
    """Read the folder's checkpoint; None where there is none.

    Raises InputError if it was made with other settings, whose schedule would not be this one's.
    """
    path = folder / STATE
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    made = state["settings"]
    if other := {name: value for name, value in made.items() if settings.get(name) != value}:
        raise InputError(
            f"{path} was made with {other}, other than asked now; pass the same settings, or "
            "start in a new folder with --weights"
        )
    return state


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a row to a CSV file, with a header if it is the first."""
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in row.items()})


def add_settings(parser: argparse.ArgumentParser, defaults: Any) -> None:
    """Declare an argument for each setting of a configuration (a dataclass)."""
    for name, default in vars(defaults).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)


def settings_from(options: argparse.Namespace, config: type[ConfigT]) -> ConfigT:
    """Make the configuration that the arguments of `add_settings` ask for."""
    names = [field.name for field in fields(config)]  # type: ignore[arg-type]
    return config(**{name: getattr(options, name) for name in names})
