"""Tidy tables of accuracy, calibration and uncertainty: each source of maps on each case.

Dice here is that of the **volume**: the overlap of each tissue summed over the slices that were
taken, then the mean over tissues. A source without prompts has to find out on which slices a tissue
is, and so has `NeighbourBox`; a reference box tells it, and the arm's name says so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mskseg.case import Case, CaseSet
from mskseg.errors import InputError, check_told_apart
from mskseg.evaluation.averaging import nested_mean, subject_means
from mskseg.evaluation.metrics import dice
from mskseg.models import Segmenter
from mskseg.prompts.plans import PromptPlan
from mskseg_studies.committed import committed_results
from mskseg_studies.people import asked_about
from mskseg_studies.uncertainty.case_sums import CaseSums, sum_slice
from mskseg_studies.uncertainty.probability_maps import (
    MapSource,
    PromptedMaps,
    SliceMaps,
    entropy_parts,
)

_OF_CASE = ("dataset", "subject", "sequence", "site", "severity")
_OF_SOURCE = ("model", "miniature", "arm", "prompted", "n_members")


@dataclass(frozen=True, eq=False)
class UncertaintyTables:
    """What `measure_uncertainty` gives.

    `cases` has a row for each source, case and temperature: `dataset`, `subject`, `sequence`,
    `site`, `severity`, `model`, `miniature`, `arm`, `prompted`, `n_members`, `temperature` (1
    unless scaled), `scaled`, `member`; `dice` (of the volume, mean over tissues); `ece_top_label`,
    `nll`, `brier` (whole slice); over the `n_candidate` pixels of `candidate_region` before scaling
    `ece_candidate`, `nll_candidate`, `brier_candidate`, `auroc` (does entropy find the wrong ones)
    and the means `entropy`, `aleatoric`, `epistemic`; `reference_outside`, the share of the
    reference that is no candidate; `n_clipped` pixels whose true class was at the floor (before
    scaling), `n_unprompted` pixels of the reference outside every box of their tissue; `n_slices`,
    `n_pixels`. `member` is 0; each member of an ensemble has a further row, unscaled, numbered from
    1, under the name `alone` gives.

    `outlines` has a row for each source, case, slice and tissue that the reference or the
    prediction has there, unscaled: `tissue`, `slice`, `dice` (after the tissues competed) and
    `uncertainty` (mean entropy over the predicted pixels; NaN without one). `bins` has a row for
    each source, case, temperature, `region` and `bin`: `n`, `confidence` and `hits`, sums for
    `reliability_charts`.
    """

    cases: pd.DataFrame
    outlines: pd.DataFrame
    bins: pd.DataFrame

    def select(
        self,
        *,
        arm: str | None = None,
        model: str | Sequence[str] | None = None,
        scaled: bool | None = False,
        member: int | None = 0,
    ) -> UncertaintyTables:
        """Keep rows of an arm, models, scaled or not, a member; None is all. InputError if none."""
        wanted = {"arm": arm, "model": model, "scaled": scaled, "member": member}
        kept = {name: _rows(table, wanted) for name, table in vars(self).items()}
        if kept["cases"].empty:
            raise InputError(
                f"no case has {wanted}; choose among the arms {sorted(set(self.cases['arm']))} and "
                f"the models {sorted(set(self.cases['model']))}"
            )
        return UncertaintyTables(**kept)


def measure_uncertainty(
    sources: Sequence[MapSource],
    cases: Iterable[Case],
    *,
    temperatures: Mapping[tuple[str, str], float] | None = None,
    slice_step: int = 1,
    progress: bool = True,
) -> UncertaintyTables:
    """Measure accuracy, calibration and uncertainty of several sources on cases.

    The (model, arm) of the sources must differ (else InputError), and each case has a reference. Of
    the slices every n-th is taken, those without a label too. A source that is named in
    `temperatures`, fitted on validation by `temperatures_of`, gets further rows with its
    probabilities scaled.
    """
    listed = list(cases)
    check_told_apart(((each.model, each.arm) for each in sources), what="sources")
    names = UncertaintyTables.__dataclass_fields__
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    pairs = [(source, case) for source in sources for case in listed]
    for source, case in tqdm(pairs, unit="case", disable=not progress):
        fitted = (temperatures or {}).get((source.model, source.arm))
        scales = [1.0] if fitted is None else [1.0, fitted]
        singles = range(source.n_members if source.n_members > 1 else 0)
        sums: list[CaseSums] = []
        who = {name: getattr(case, name) for name in _OF_CASE}
        who |= {name: getattr(source, name) for name in _OF_SOURCE}
        for maps in source.slices(case, step=slice_step):
            added = [sum_slice(maps, scale) for scale in scales]
            added += [sum_slice(maps, member=number) for number in singles]
            sums = [a + b for a, b in zip(sums, added, strict=True)] if sums else added
            tables["outlines"] += [who | row for row in _outline_rows(case, maps)]
        for number, (scale, total) in enumerate(zip(scales, sums, strict=False)):
            scaled = who | {"temperature": scale, "scaled": number > 0, "member": 0}
            tables["cases"].append(scaled | total.scores())
            tables["bins"] += [scaled | row for row in total.bins().to_dict("records")]
        for number, total in enumerate(sums[len(scales) :], start=1):
            single = {"temperature": 1.0, "scaled": False, "member": number}
            named = who | {"model": alone(source.model)} | single
            tables["cases"].append(named | total.scores())
    return UncertaintyTables(**{name: pd.DataFrame(rows) for name, rows in tables.items()})


def measure_as_they_are(
    segmenters: Sequence[Segmenter],
    cases: CaseSet,
    plans: Sequence[PromptPlan],
    *,
    slice_step: int = 1,
) -> UncertaintyTables:
    """Measure models without any training: those of `asked_about`, under each plan."""
    sources = [
        PromptedMaps(segmenter, plan, labels=list(cases.tissues))
        for plan in plans
        for segmenter in asked_about(cases, segmenters)
    ]
    return measure_uncertainty(sources, cases, slice_step=slice_step, progress=False)


def alone(ensemble: str) -> str:
    """Name the members of an ensemble, each alone: their rows average to the mean of the members.

    They answer the prompts of the ensemble and are measured on its candidate pixels.
    """
    return f"{ensemble}, members alone"


def average_subjects(
    cases: pd.DataFrame, *, by: Sequence[str], values: Sequence[str]
) -> pd.DataFrame:
    """Average rows of `UncertaintyTables.cases`: over the cases of a subject, then over subjects.

    A subject without a number is left out of that mean. Index `by`; `values`, `n_subjects`, and
    `n_without_<value>` where subjects lack one.
    """
    keys, wanted = list(by), list(values)
    means = nested_mean(cases, by=keys, values=wanted, within=()).set_index(keys)
    means = means[[*wanted, "n_subjects"]]
    people = subject_means(cases, by=keys, values=wanted, within=())
    without = people.isna().groupby(level=keys, sort=False).sum()
    for value in without.columns[without.any()]:
        means[f"n_without_{value}"] = without[value]
    return means


def _rows(table: pd.DataFrame, wanted: Mapping[str, Any]) -> pd.DataFrame:
    for column, value in wanted.items():
        if value is not None and column in table:
            values = [value] if isinstance(value, str | int) else value
            table = table[table[column].isin(values)]
    return table


def _outline_rows(case: Case, maps: SliceMaps) -> list[dict[str, Any]]:
    predicted, entropy = maps.predicted_labels(), entropy_parts(maps.members).predictive
    label_map = np.asarray(maps.case_slice.label_map)
    rows = []
    for label in maps.labels:
        reference, prediction = label_map == label, predicted == label
        if not reference.any() and not prediction.any():
            continue
        rows.append(
            {
                "tissue": case.tissue(label),
                "slice": maps.case_slice.index,
                "dice": dice(reference, prediction),
                "uncertainty": float(entropy[prediction].mean()) if prediction.any() else math.nan,
            }
        )
    return rows


def describe_committed(
    folder: str | os.PathLike[str], *, values: Sequence[str], provenance: Mapping[str, Any]
) -> str:
    """Lay out the committed table of notebook 08, averaged over subjects, as text.

    `folder` has `08_uncertainty.csv` and its sidecar, or none; `values` are averaged over rows that
    are neither scaled nor single members; `provenance` is of this run, so that rows of other
    weights are called so. Raises InputError if the table lacks one of the `values`.
    """
    committed = committed_results(folder, "08_uncertainty.csv")
    cases = committed.rows
    if cases.empty:
        return "No full run of this notebook is committed at present."
    kept = cases[~cases["scaled"].astype(bool) & (cases["member"] == 0)]
    means = average_subjects(kept, by=["arm", "model"], values=values).round(3).to_string()
    told = ("A full run, committed.", committed.origin, committed.why_apart(provenance), means)
    return "\n".join(line for line in told if line)
