"""A training that can be interrupted, and what it reads and writes: weights, checkpoint, log."""

import argparse
import csv
import json
import math
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from tqdm.auto import tqdm

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import Sam
from mskseg.models.weights import write_safetensors

ConfigT = TypeVar("ConfigT", bound=Any)  # a dataclass of settings


class Training(ABC, Generic[ConfigT]):
    """A training under way: model, optimiser, schedule and random state, all in one checkpoint."""

    sam: Sam
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    device = torch.device("cpu")

    def __init__(self, config: ConfigT, folder: Path) -> None:
        self.config, self.folder, self.step, self.best = config, folder, 0, -math.inf
        self.start_sha256 = ""  # of the weights that it began with

    @abstractmethod
    def advance(self) -> float:
        """Do one step; return its loss."""

    @abstractmethod
    def evaluate(self, losses: list[float], *, seconds: int) -> float:
        """Log the losses since the last time and the held-out scores; return what selects."""

    @abstractmethod
    def export(self, score: float) -> None:
        """Write the weights that are kept."""

    def state(self) -> dict[str, Any]:
        """Give what the checkpoint holds besides weights and optimiser: the random state."""
        return {"generator": self.generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""
        self.generator.set_state(state["generator"].cpu())

    def begin(self) -> None:
        """Do what comes before the first step."""

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration, and the weights that the training began with."""
        return {**asdict(self.config), "from": self.start_sha256}

    def save(self, score: float) -> None:
        """Write the checkpoint, and the weights if `score` is the best so far."""
        if score >= self.best:
            self.best = score
            self.export(score)
        common = {"settings": self.settings, "step": self.step, "best": self.best}
        parts = {"sam": self.sam.state_dict(), "optimiser": self.optimiser.state_dict()}
        with written_atomically(self.folder / "state.pt") as path:
            torch.save(common | parts | self.state(), path)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, of the same settings; False where there is none."""
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        made, asked = state["settings"], self.settings
        if other := {name: value for name, value in made.items() if asked.get(name) != value}:
            raise InputError(
                f"{path} was made with {other}, other than asked now; pass the same settings, or "
                "start in a new folder with --weights"
            )
        self.sam.load_state_dict(state["sam"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.restore(state)
        self.step, self.best = state["step"], state["best"]
        return True

    def run(self) -> None:
        """Start, or go on from the last checkpoint, to the last step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.resume():
            self.begin()
            self.save(self.evaluate([], seconds=0))  # what the start scores stays if best
        started, losses, steps = time.monotonic(), [], self.config.steps
        for _ in tqdm(range(self.step, steps), initial=self.step, total=steps):
            losses.append(self.advance())
            if self.step % self.config.evaluate_every == 0 or self.step == steps:
                self.save(self.evaluate(losses, seconds=round(time.monotonic() - started)))
                losses.clear()


def load_sam_mini(weights: str | Path) -> Segmenter:
    """Load weights that a training may start from; InputError if they are not SAM-mini's."""
    start = load_segmenter(weights)
    if not start.miniature or start.preprocessing.name != "sam":
        raise InputError(
            f"expected weights of SAM-mini, got {weights}; pass sam_vit_mini or a file of its kind"
        )
    return start


def export_miniature(sam: Sam, path: Path, *, preprocessing: str, origin: dict[str, Any]) -> None:
    """Write `sam` in half precision as `mskseg.load_segmenter` reads it, and how it came about."""
    metadata = {
        "mskseg.architecture": "vit_mini",
        "mskseg.preprocessing": preprocessing,
        "mskseg.learned_iou": str(preprocessing == "sam").lower(),
        "mskseg.origin": json.dumps(origin),
    }
    state = sam.state_dict()
    halves = {name: value.detach().half().contiguous().cpu() for name, value in state.items()}
    write_safetensors(halves, path, metadata=metadata)


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a row to a CSV file, with a header if it is the first."""
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in row.items()})


def parse_settings(
    parser: argparse.ArgumentParser, defaults: ConfigT, arguments: list[str] | None
) -> tuple[argparse.Namespace, ConfigT]:
    """Parse a command with an argument for each setting of a configuration besides its own."""
    for name, default in vars(defaults).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = parser.parse_args(arguments)
    return options, replace(defaults, **{name: getattr(options, name) for name in vars(defaults)})
