"""The assessment's measures on phantoms and real scans, with oracle boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.datasets.fetching import verify
from mskseg.datasets.loading import list_subjects, load_cases
from mskseg.evaluation.averaging import summarise
from mskseg.evaluation.loop import prompt_slice
from mskseg.evaluation.scoring import score_cases
from mskseg.models.segmenter import Segmenter, predict_label_map
from mskseg.prompts.plans import OracleBox
from mskseg.volume import Plane
from mskseg_mini.assessment.bars import Measure, Sizes
from mskseg_phantom.provider import PhantomSource

PHANTOMS = ("phantom_thigh", "phantom_knee", "phantom_spine", "phantom_hip")
REAL: dict[str, Plane] = {
    "qmritools_thigh": "axial",
    "qmritools_leg": "axial",
    "tptbox_vertebra": "sagittal",
}
"""Real scans and the plane each is judged in."""

_THIN = ("cartilage", "meniscus")
_NO_BAR = ("fat", "canal")  # neither bone, disc, muscle nor thin
_OWN_BAR: dict[str, dict[str, tuple[str, ...]]] = {
    "qmritools_thigh": {"femur": ("femur left", "femur right")},
    "tptbox_vertebra": {k: (k,) for k in ("vertebral body", "intervertebral disc")},
}
"""Tissues of real scans that have a row of their own."""


def bar_group(kind: str) -> str:
    """Give the group of bars that a kind of tissue belongs to: "solid", "thin" or "no bar"."""
    if kind in _THIN:
        return "thin"
    return "no bar" if kind in _NO_BAR else "solid"


def score_phantoms(segmenter: Segmenter, sizes: Sizes) -> pd.DataFrame:
    """Score the test subjects of all four phantoms; rows as `score_cases`, and their `group`."""
    tables = []
    for name in PHANTOMS:
        subjects = list_subjects(name, part="test")[: sizes.subjects]
        sequences = PhantomSource(name).sequences()[: sizes.sequences]
        cases = load_cases(name, subjects=subjects, sequences=sequences)
        step = sizes.slice_step
        tables.append(score_cases(segmenter, cases, prompts=OracleBox(), slice_step=step))
    table = pd.concat(tables, ignore_index=True)
    table["group"] = table["group"].map(bar_group)
    return table


def phantom_measures(table: pd.DataFrame) -> list[Measure]:
    """Mean of the solid and of the thin tissues, and how many are below their box."""
    by_tissue = _summary(table[table["group"] == "solid"], ["dataset", "tissue"])
    n_below = int((by_tissue["dice"] <= by_tissue["filled_box_dice"]).sum())
    below = Measure("below", n_below, f"{len(by_tissue)} tissues")
    solid, thin = (_mean_of(table[table["group"] == g], g) for g in ("solid", "thin"))
    return [solid, below, thin]


def tissue_measures(table: pd.DataFrame) -> list[Measure]:
    """Mean of each phantom tissue beside its filled box, in the order of the labels."""
    summary = _summary(table, ["dataset", "tissue"])
    return [
        Measure(
            f"{row['dataset'].removeprefix('phantom_')}: {row['tissue']}",
            row["dice"],
            f"{row['n_pairs']} slices",
            row["filled_box_dice"],
        )
        for row in summary.to_dict("records")
    ]


def iou_correlation(table: pd.DataFrame) -> Measure:
    """Pearson's r of predicted and true IoU where a row has one prompt, and so one of each."""
    rows = table[(table["n_prompts"] == 1) & (table["status"] == "scored")]
    r = float(rows["predicted_iou"].corr(rows["iou"])) if len(rows) > 2 else math.nan
    return Measure("iou_r", r, f"{len(rows)} boxes")


def score_real(segmenter: Segmenter, name: str, sizes: Sizes) -> pd.DataFrame | None:
    """Score a real scan in its plane; None where its files are not in the cache."""
    if any(file.state != "present" for file in verify(name)):
        return None
    return score_cases(
        segmenter,
        load_cases(name),
        prompts=OracleBox(),
        plane=REAL[name],
        slice_step=sizes.real_slice_step,
    )


def real_measures(name: str, table: pd.DataFrame | None) -> list[Measure]:
    """Mean over the labels of a real scan, and over those that have a bar of their own."""
    own = _OWN_BAR.get(name, {})
    if table is None:
        return [Measure(key, math.nan, "not fetched") for key in (*own, name)]
    parts = {key: table[table["tissue"].isin(tissues)] for key, tissues in own.items()}
    return [_mean_of(rows, key) for key, rows in (*parts.items(), (name, table))]


def _mean_of(rows: pd.DataFrame, key: str) -> Measure:
    if not (rows["status"] == "scored").any():
        return Measure(key, math.nan, "no pair on these slices")
    (row,) = _summary(rows, []).to_dict("records")
    return Measure(key, row["dice"], _counts(row), row["filled_box_dice"])


def _summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return summarise(rows, by=["segmenter", "prompt", "box_source", *by])


def _counts(row: dict[str, object]) -> str:
    counts = ((row[f"n_{what}s"], what) for what in ("subject", "label", "slice", "pair"))
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)


@dataclass(frozen=True, eq=False)
class ScoredSlice:
    """A slice with what was predicted on it."""

    case_slice: CaseSlice
    prediction: NDArray[np.uint16]  # (H, W) label map
    dice: float  # mean over the labels of the slice
    name: str  # of the data set


def ranked_slices(
    segmenter: Segmenter, tables: Iterable[pd.DataFrame], *, count: int = 10
) -> dict[str, list[ScoredSlice]]:
    """Predict again the ``best``, ``median`` and ``worst`` slices of the tables of `score_real`.

    Each kind has `count` slices, or as many as there are, by falling mean Dice.
    """
    rows = pd.concat(list(tables), ignore_index=True)
    rows = rows[rows["status"] == "scored"]
    ranked = rows.groupby(["dataset", "slice"])["dice"].mean().sort_values(ascending=False)
    middle = max(0, (len(ranked) - count) // 2)
    cases = {name: load_cases(name, progress=False)[0] for name in rows["dataset"].unique()}
    parts = {
        "best": ranked[:count],
        "median": ranked[middle : middle + count],
        "worst": ranked[-count:],
    }
    return {
        kind: [
            _predicted(segmenter, cases[name], index, dice) for (name, index), dice in part.items()
        ]
        for kind, part in parts.items()
    }


def _predicted(segmenter: Segmenter, case: Case, index: int, dice: float) -> ScoredSlice:
    prompted = prompt_slice(case, case.slice(index, plane=REAL[case.dataset]), OracleBox())
    promptable = [(label, prompt) for label, prompt in prompted.prompts.items() if len(prompt)]
    prediction = predict_label_map(segmenter, prompted.case_slice.image, promptable)
    return ScoredSlice(prompted.case_slice, prediction, dice, case.dataset)
