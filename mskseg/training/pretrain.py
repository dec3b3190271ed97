"""Train SAM-mini from scratch on synthetic scenes: ``python -m mskseg.training.pretrain``.

Two stages: the prompt side learns geometry alone (`warm_start.py`), then all parts train together
on `scenes.py`, interactively (`interactive.py`). The kept weights are a moving average, chosen on
held-out scenes (`held_out.py`). An interrupted run goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch
from tqdm.auto import tqdm

from mskseg.training.held_out import score_held_out_scenes
from mskseg.training.pretraining import PretrainConfig, Pretraining


def pretrain(
    config: PretrainConfig, folder: Path, *, device: str = "cpu", weights: Path | None = None
) -> None:
    """Run or continue a training in `folder`; log losses and held-out scores to ``log.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    run = Pretraining(config, folder, device=device)
    if not run.resume():
        if weights is None:
            run.warm_start()
        else:
            run.start_from(weights)
    started, losses_since = time.monotonic(), []
    bar = tqdm(range(run.step, config.steps), initial=run.step, total=config.steps, mininterval=10)
    for _ in bar:
        losses_since.append(run.advance())
        if run.step % config.evaluate_every == 0 or run.step == config.steps:
            mean_loss = sum(losses_since) / len(losses_since)
            row = {
                "step": run.step,
                "seconds": round(time.monotonic() - started),
                "loss": mean_loss,
            }
            scores = score_held_out_scenes(run.average, batches=config.held_out_batches)
            row.update(scores)
            _append_row(folder / "log.csv", row)
            run.save((scores["box"] + scores["point"]) / 2)
            bar.set_postfix({name: f"{value:.3f}" for name, value in row.items()})
            losses_since.clear()


def _append_row(path: Path, row: dict[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in row.items()})


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mskseg.training.pretrain", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/sam_vit_mini"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--weights", type=Path, help="start from these instead of from scratch")
    for name, default in asdict(PretrainConfig()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the training."""
    options = _parse(arguments)
    names = [field.name for field in fields(PretrainConfig)]
    config = PretrainConfig(**{name: getattr(options, name) for name in names})
    pretrain(config, options.folder, device=options.device, weights=options.weights)


if __name__ == "__main__":
    main()
