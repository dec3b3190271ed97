"""What each side of a comparison was given to learn with: steps, and what a step saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from mskseg.finetuning.result import FineTuneResult
from mskseg_studies.specialists.nnunet.running import NnunetRun
from mskseg_studies.specialists.specialist import Specialist


def effort_table(trained: Iterable[FineTuneResult | Specialist | NnunetRun]) -> pd.DataFrame:
    """Compare trainings by what they cost, not by what they brought.

    Parameters
    ----------
    trained : iterable of FineTuneResult, Specialist or NnunetRun

    Returns
    -------
    pandas.DataFrame
        A row for each, by `who`: `steps` of the optimiser, what is in `each_step`, `start` of the
        weights, `learning_rate` at its highest, `kept_step` whose weights came back, and `seconds`
        (NaN for nnU-Net, which may have been resumed).
    """
    rows = [_effort(each) for each in trained]
    return pd.DataFrame(rows).set_index("who")


def _effort(trained: FineTuneResult | Specialist | NnunetRun) -> dict[str, Any]:
    if isinstance(trained, FineTuneResult):
        return _tuning(trained)
    return _specialist(trained) if isinstance(trained, Specialist) else _nnunet(trained)


def _tuning(result: FineTuneResult) -> dict[str, Any]:
    config, steps = result.config, result.history.set_index("epoch")["step"]
    most = config.prompts_per_slice
    objects = "all objects" if most is None else f"up to {most} objects"
    return {
        "who": result.segmenter.name,
        "steps": int(steps.iloc[-1]),
        "each_step": f"{config.slices_per_step} slices, {objects} of each",
        "start": "pretrained",
        "learning_rate": config.learning_rate,
        "kept_step": int(steps[result.best_epoch]),
        "seconds": result.seconds,
    }


def _specialist(specialist: Specialist) -> dict[str, Any]:
    config, history = specialist.config, specialist.history
    return {
        "who": specialist.name,
        "steps": config.steps,
        "each_step": f"{config.batch_size} {'objects' if config.prompt == 'box' else 'slices'}",
        "start": "random",
        "learning_rate": config.learning_rate,
        "kept_step": int(history["step"][history["validation_dice"].idxmax()]),
        "seconds": float(history["seconds"].iloc[-1]),
    }


def _nnunet(run: NnunetRun) -> dict[str, Any]:
    config = run.config
    steps = len(run.history()) * config.iterations_per_epoch
    n = config.batch_size
    return {
        "who": run.name,
        "steps": steps,
        "each_step": "as many patches as planned" if n is None else f"{n} patches",
        "start": "random",
        "learning_rate": config.learning_rate,
        "kept_step": steps,
        "seconds": float("nan"),
    }
