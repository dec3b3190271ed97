"""Tables that longer runs left in a repository, each with whose weights it is of."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError
from mskseg.input_files import parsed
from mskseg.provenance import read_provenance


@dataclass(frozen=True)
class CommittedResults:
    """Rows of committed tables, and whose weights they are of."""

    rows: pd.DataFrame  # with `file` and `weights` (first digits of the sha256) in front, or empty
    facts: Mapping[str, Mapping[str, Any]]  # the provenance of each file

    def __bool__(self) -> bool:
        """Whether there is a row."""
        return not self.rows.empty

    @property
    def origin(self) -> str:
        """Whose weights the rows are of, a line for each file."""
        lines = [f"{name}: {weights_of(facts)}" for name, facts in self.facts.items()]
        return "\n".join(lines) or "no such table is committed here"

    def why_apart(self, provenance: Mapping[str, Any]) -> str:
        """Say which rows are of other weights than a result with this provenance; "" if none."""
        ours = _untuned(provenance)
        apart = [name for name, facts in self.facts.items() if not same_weights(facts, provenance)]
        if not apart:
            return ""
        now = ", ".join(f"{name} {sha256[:8]}" for name, sha256 in ours.items()) or "not known"
        return f"{', '.join(apart)}: of other weights than this run ({now}); not to be mixed"


def committed_results(folder: str | os.PathLike[str], pattern: str) -> CommittedResults:
    """Read the tables in a folder whose names match, such as ``08_uncertainty*.csv``; maybe none.

    InputError if a file is no table, has no provenance, or was edited since.
    """
    tables, facts = [], {}
    for path in sorted(Path(folder).glob(pattern)):
        with parsed(path, "table", "commit a CSV of results"):
            table = pd.read_csv(path)
        facts[path.name] = read_provenance(path)
        segmenter = facts[path.name].get("segmenter") or {}
        table.insert(0, "weights", str(segmenter.get("sha256", ""))[:8])
        table.insert(0, "file", path.name)
        tables.append(table)
    rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"file": []})
    return CommittedResults(rows, facts)


def weights_of(facts: Mapping[str, Any]) -> str:
    """Tell from a provenance which untuned models a result is of, their weights and its date."""
    named = []
    for name, sha256 in _untuned(facts).items():
        shipped = shipped_weights(name)
        known = "" if shipped is None else f" (not the shipped {shipped[:8]})"
        known = " (as shipped)" if shipped == sha256 else known
        named.append(f"{name}, weights {sha256[:8]}{known}")
    models = "; ".join(named) or "weights not known"
    return f"{models}, of {str(facts['written'])[:10] if 'written' in facts else 'no known date'}"


def same_weights(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the untuned models that two provenances share have the same weights; some must."""
    first, second = _untuned(one), _untuned(other)
    common = first.keys() & second.keys()
    return bool(common) and all(first[name] == second[name] for name in common)


@cache
def shipped_weights(name: str) -> str | None:
    """Look up the sha256 of a model that comes with a package; None if it does not."""
    from mskseg.models import load_segmenter  # here, since it loads torch

    entry = load_manifest().models.get(name)
    if entry is None or entry.access != "package":
        return None
    try:
        return load_segmenter(name).fingerprint
    except InputError:  # its package is not installed
        return None


def _untuned(facts: Mapping[str, Any]) -> dict[str, str]:
    """Weights by name: of the segmenter, and of further models that the manifest names."""
    first, known = facts.get("segmenter"), load_manifest().models
    models = [first] if first else []
    models += [model for model in facts.get("tuned") or [] if model["name"] in known]
    return {model["name"]: model["sha256"] for model in models}
