"""Data sets side by side in one table: what was imaged how, and which labels came out of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from mskseg.case import CaseSet
from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError

_MAP, _ACCELERATED = "_map", "_8x"


def describe_datasets(sets: Iterable[CaseSet], tissues: pd.DataFrame) -> pd.DataFrame:
    """Describe data sets by anatomy, contrast, and the detail, shape and size of their labels.

    The grid is read off the first case of each set, the tissues are those of
    `mskseg.evaluation.tissue_means`. A row for each data set: `dataset`, `anatomy`, `subjects`,
    `sequences`, `maps` and `accelerated` (as in the manifest), `voxel_mm`, `plane`, `tissues` (how
    many), `shapes` ("4 compact, 5 thin"), `area_mm2` and `thickness_mm` (smallest to largest mean
    of a tissue) and `reference`.
    """
    rows = [_described(cases, tissues[tissues["dataset"] == cases[0].dataset]) for cases in sets]
    return pd.DataFrame(rows)


def _described(cases: CaseSet, tissues: pd.DataFrame) -> dict[str, Any]:
    case = cases[0]
    if tissues.empty:
        raise InputError(f"expected tissues of {case.dataset}, got none; measure all sets first")
    entry = load_manifest().datasets[case.dataset]
    sequences = [name.strip() for name in entry.sequence.split(",")]
    special = [name for name in sequences if _MAP in name or _ACCELERATED in name]
    plain = [name for name in sequences if name not in special]
    return {
        "dataset": case.dataset,
        "anatomy": case.anatomy,
        "subjects": entry.subjects,
        "sequences": ", ".join(plain),
        "maps": ", ".join(name for name in special if _MAP in name),
        "accelerated": ", ".join(name for name in special if _ACCELERATED in name),
        "voxel_mm": " x ".join(f"{mm:.3g}" for mm in case.image.spacing_mm),
        "plane": case.plane,
        "tissues": len(tissues),
        "shapes": ", ".join(f"{n} {shape}" for shape, n in tissues["shape"].value_counts().items()),
        "area_mm2": _range(tissues["area_mm2"], "{:.0f}"),
        "thickness_mm": _range(tissues["thickness_mm"], "{:.1f}"),
        "reference": case.reference_provenance,
    }


def _range(values: pd.Series, form: str) -> str:
    return f"{form.format(values.min())} to {form.format(values.max())}"
