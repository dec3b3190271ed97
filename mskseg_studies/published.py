"""Numbers that the studies report, and ours beside them."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from mskseg.errors import InputError


def reported(study: str) -> pd.DataFrame:
    """Read the numbers of "casali_2025", "hu_2023" or "ma_2024".

    For "hu_2023": `sweep`, `setting`, `fixed` (what was held), `dice`, `where`. All are single
    illustrated cases, chosen by the authors. For "ma_2024": `quantity`, `value`, `where`. For
    "casali_2025": `severity`, `metric`, `sam_tuned`, `compared_with`, `where`; means of groups
    whose sizes the abstract does not state.
    """
    folder = resources.files("mskseg_studies") / "published_tables"
    known = sorted(path.name.removesuffix(".csv") for path in folder.iterdir())
    if study not in known:
        raise InputError(f"expected one of {', '.join(known)}, got {study!r}")
    with (folder / f"{study}.csv").open() as file:
        return pd.read_csv(file, dtype={"setting": str})


def beside_casali(by_grade: pd.DataFrame) -> pd.DataFrame:
    """Lay our Dice and ECE by grade over those of Casali 2025.

    Takes `dice` and `ece_candidate`, indexed by `severity` and `model`. Rows: our models, then the
    two of the abstract; columns: metric and grade. The abstract does not define its ECE, nor name
    the model that SAM's is compared with.
    """
    ours = by_grade[["dice", "ece_candidate"]].rename(columns={"ece_candidate": "ece"})
    study = reported("casali_2025").set_index(["metric", "severity"])
    rows = ["sam_tuned", "compared_with"]
    theirs = study[rows].T.rename(index={row: f"Casali 2025: {row}" for row in rows})
    both = pd.concat([ours.unstack("severity"), theirs])
    return both.sort_index(axis=1)
