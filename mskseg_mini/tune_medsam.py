"""Fine-tune SAM-mini to `medsam_vit_mini`: ``python -m mskseg_mini.tune_medsam``.

The recipe is in `medsam_tuning.py`. Kept are the weights that are best on held-out medical scenes;
at the end, scenes of yet another seed compare them with the weights the tuning started from. An
interrupted run goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import asdict, fields
from pathlib import Path

from tqdm.auto import tqdm

from mskseg.models.checkpoints import load_segmenter
from mskseg_mini.medsam_tuning import (
    NAME,
    REPORT_SEED,
    SELECTION_SEED,
    MedSamConfig,
    MedSamTuning,
    score_medical_scenes,
)


def tune(config: MedSamConfig, folder: Path, *, weights: str | Path = "sam_vit_mini") -> None:
    """Run or continue a tuning in `folder`; log losses and held-out scores to ``log.csv``.

    Parameters
    ----------
    config : MedSamConfig
    folder : path
        Gets ``medsam_vit_mini.safetensors``, ``state.pt`` and ``log.csv``.
    weights : str or path-like
        Of SAM-mini, to start from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = MedSamTuning(config, folder, weights=weights)
    if not run.resume():
        _evaluate(run, loss=float("nan"), seconds=0.0)
    started, losses = time.monotonic(), []
    for _ in tqdm(range(run.step, config.steps), initial=run.step, total=config.steps):
        losses.append(run.advance())
        if run.step % config.evaluate_every == 0 or run.step == config.steps:
            mean = sum(losses) / len(losses)
            _evaluate(run, loss=mean, seconds=time.monotonic() - started)
            losses.clear()


def _evaluate(run: MedSamTuning, *, loss: float, seconds: float) -> None:
    score = score_medical_scenes(
        run.segmenter, scenes=run.config.held_out_scenes, seed=SELECTION_SEED
    )
    path = run.folder / "log.csv"
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["step", "seconds", "loss", "held_out_dice"])
        writer.writerow([run.step, round(seconds), f"{loss:.4f}", f"{score:.4f}"])
    run.save(score)


def compare(
    sam_weights: str | Path, medsam_weights: str | Path, *, scenes: int = 128
) -> tuple[float, float]:
    """Mean Dice of SAM-mini and of its tuned sibling on medical scenes that selected neither."""
    sam, medsam = (
        score_medical_scenes(load_segmenter(weights), scenes=scenes, seed=REPORT_SEED)
        for weights in (sam_weights, medsam_weights)
    )
    return sam, medsam


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mskseg_mini.tune_medsam", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/medsam_vit_mini"))
    parser.add_argument("--weights", default="sam_vit_mini", help="of SAM-mini; a file or a name")
    parser.add_argument(
        "--compare", action="store_true", help="only compare the shipped pair, train nothing"
    )
    for name, default in asdict(MedSamConfig()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the tuning."""
    options = _parse(arguments)
    pair: tuple[str | Path, str | Path] = ("sam_vit_mini", "medsam_vit_mini")
    if not options.compare:
        names = [field.name for field in fields(MedSamConfig)]
        config = MedSamConfig(**{name: getattr(options, name) for name in names})
        tune(config, options.folder, weights=options.weights)
        pair = (options.weights, options.folder / NAME)
    sam, medsam = compare(*pair)
    print(f"medical scenes, tight boxes: SAM-mini {sam:.3f}, tuned {medsam:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
