"""Train SAM-mini from scratch on synthetic scenes: ``python -m mskseg_mini.pretrain``.

Two stages: the prompt side learns geometry alone (`warm_start.py`), then all parts train together
on `scenes.py`, interactively (`interactive.py`). The kept weights are a moving average, chosen on
held-out scenes (`held_out.py`). An interrupted run goes on from its last checkpoint.

Several GPUs, or several processes on the CPU, train together under
``torchrun --nproc-per-node 2 -m mskseg_mini.pretrain``: each draws scenes of its own.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch
from tqdm.auto import tqdm

from mskseg.finetuning.distributed import launched_fabric
from mskseg_mini.held_out import score_held_out_scenes
from mskseg_mini.pretrain_step import PretrainConfig
from mskseg_mini.pretraining import Pretraining


def pretrain(
    config: PretrainConfig, folder: Path, *, device: str = "cpu", weights: str | Path | None = None
) -> None:
    """Run or continue a training in `folder`.

    Losses and held-out scores go to ``log.csv``, steps a second and where the time went to
    ``timings.csv``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = Pretraining(config, folder, fabric=launched_fabric(device))
    if weights is not None:
        run.start_from(weights)
    if not run.resume():
        if weights is None:
            run.warm_start()
        run.save(_log_scores(run, loss=math.nan, seconds=0))  # what the start scores stays if best
    started, losses_since = time.monotonic(), []
    hidden = not run.fabric.is_global_zero
    for _ in tqdm(
        range(run.step, config.steps),
        initial=run.step,
        total=config.steps,
        mininterval=10,
        disable=hidden,
    ):
        losses_since.append(run.advance())
        if run.step % config.evaluate_every == 0 or run.step == config.steps:
            mean_loss = sum(losses_since) / len(losses_since)
            _log_timings(run, steps=len(losses_since))
            score = _log_scores(run, loss=mean_loss, seconds=round(time.monotonic() - started))
            run.save(score)
            losses_since.clear()


def _log_scores(run: Pretraining, *, loss: float, seconds: int) -> float:
    """Score the average on held-out scenes, in the first process alone; give what selects."""
    if not run.fabric.is_global_zero:
        return 0.0
    scores = score_held_out_scenes(run.average, batches=run.config.held_out_batches)
    of_interest = {name: scores[name] for name in ("box", "point", "filled_box")}
    row = {"step": run.step, "seconds": seconds, "loss": loss, **of_interest}
    _append_row(run.folder / "log.csv", row)
    return (scores["box"] + scores["point"]) / 2


def _log_timings(run: Pretraining, *, steps: int) -> None:
    taken = run.times.taken()
    total = sum(taken.values())
    if run.fabric.is_global_zero:
        shares = {f"{part}_share": seconds / total for part, seconds in taken.items()}
        speed = {
            "step": run.step,
            "processes": run.fabric.world_size,
            "steps_a_second": steps / total,
        }
        _append_row(run.folder / "timings.csv", speed | shares)


def _append_row(path: Path, row: dict[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in row.items()})


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mskseg_mini.pretrain", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/sam_vit_mini"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--weights", help="of SAM-mini, to start from: a file or a name")
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
