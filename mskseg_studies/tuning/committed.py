"""The tables of longer runs, as far as they are committed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mskseg.evaluation.committed import committed_results

NONE = "no longer run is committed at present; `make results` makes one"


def longer_run(folder: str | Path, *, provenance: Mapping[str, Any]) -> str:
    """Lay out the committed tables of this chapter, each under whose weights it is of.

    `provenance` is that of the run at hand: where a table is of other weights, that is said too,
    and nothing is put into one table with it. Text that says so if none is committed.
    """
    parts = []
    for name in ("cross_table", "modes", "training_size", "jitter"):
        longer = committed_results(folder, f"04_{name}*.csv")
        rows, of = longer.rows.drop(columns=["weights"], errors="ignore"), ["file"]
        if not longer:
            continue
        if name == "cross_table":
            of += ["training_subset", "role", "mode", "n_train"]
            rows = rows.groupby(of, sort=False)["gain"].mean().unstack("role").reset_index()
        if name == "training_size":
            of += ["role", "n_subjects"]
            seeds = rows.groupby([*of, "seed"], sort=False)["dice"].mean()
            rows = seeds.groupby(level=of, sort=False).agg(["mean", "std", "size"]).reset_index()
        said = filter(None, (longer.origin, longer.why_apart(provenance)))
        parts.append("\n".join([*said, rows.round(3).to_string(index=False)]))
    return "\n\n".join(parts) or NONE
