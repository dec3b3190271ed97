"""What a long run leaves for ``results/``: its learning curve, and its scores once it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.scoring import score_label_maps
from mskseg.evaluation.tables import volume_table, write_table
from mskseg.provenance import provenance
from mskseg_studies.specialists.nnunet.running import NnunetRun


def learning_curve(run: NnunetRun, dataset: str) -> pd.DataFrame:
    """Lay out a row for each epoch of a run so far.

    Columns are `dataset`, `model`, `iterations`, `learning_rate`, `loss`, `validation_dice`
    (nnU-Net's pseudo Dice, over random patches of the validation people) and `seconds`. Raises
    InputError if no epoch is finished.
    """
    history = pd.DataFrame(run.history())
    if history.empty:
        raise InputError(f"{run.folder} has no finished epoch yet; train it, or wait")
    return pd.DataFrame(
        {
            "dataset": dataset,
            "model": run.name,
            "iterations": history["epoch"] * run.config.iterations_per_epoch,
            "learning_rate": history["learning_rate"],
            "loss": history["loss"],
            "validation_dice": history["pseudo_dice"],
            "seconds": history["seconds"],
        }
    )


def write_curve(run: NnunetRun, cases: Sequence[Case], folder: Path) -> Path:
    """Write the curve so far; `cases` are those that it trains and is validated on."""
    dataset = cases[0].dataset
    path = folder / f"07_nnunet_curve_{dataset}_{run.config.configuration}.csv"
    write_table(learning_curve(run, dataset), path, provenance=_facts(run, cases))
    return path


def write_scores(run: NnunetRun, parts: Mapping[str, Sequence[Case]], folder: Path) -> Path:
    """Predict parts of a data set and write the Dice of each volume and tissue."""
    cases = [case for part in parts.values() for case in part]
    found = run.predict(cases).label_maps
    tables = [
        volume_table(score_label_maps(run, part, found, progress=False)).assign(part=name)
        for name, part in parts.items()
    ]
    path = folder / f"07_nnunet_scores_{cases[0].dataset}_{run.config.configuration}.csv"
    write_table(pd.concat(tables), path, provenance=_facts(run, cases))
    return path


def _facts(run: NnunetRun, cases: Sequence[Case]) -> dict[str, Any]:
    config = run.config
    return provenance(
        command=f"python -m mskseg_studies.specialists.nnunet {cases[0].dataset}",
        cases=cases,
        tuned=[run] if run.has_weights else [],
        seed=config.seed,
        converged=run.converged,
        rule=f"mean over {config.plateau_iterations} iterations rises by less than "
        f"{config.plateau_gain:g}",
        patch=str(config.patch_size),
        features=config.base_features,
    )
