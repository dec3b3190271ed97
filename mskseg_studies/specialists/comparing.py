"""Specialists beside promptable models: one table, several test sets, and where curves cross."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.prediction import PromptableSegmenter
from mskseg.evaluation.scoring import score_cases, score_label_maps
from mskseg.prompts.plans import OracleBox
from mskseg_studies.specialists.specialist import Specialist

Model = PromptableSegmenter | Specialist
TIE = "tie"


def score_model(model: Model, cases: Iterable[Case], *, slice_step: int = 1) -> pd.DataFrame:
    """Score a model as it is meant to be used: with tight oracle boxes, or automatic.

    Parameters
    ----------
    model : Segmenter or Specialist
    cases : iterable of Case
        Each with a reference.
    slice_step : int
        Take every n-th slice.

    Returns
    -------
    pandas.DataFrame
        Of `score_cases`, or of `score_label_maps` for a specialist without prompt.
    """
    given = list(cases)
    how: dict[str, Any] = {"slice_step": slice_step, "progress": False}
    if isinstance(model, Specialist) and model.config.prompt == "none":
        found = model.segment(given, progress=False)
        return score_label_maps(
            model, given, found.label_maps, slice_step=slice_step, progress=False
        )
    return score_cases(model, given, prompts=OracleBox(), **how)


def score_test_sets(
    models: Iterable[Model], test_sets: Mapping[str, Sequence[Case]], *, slice_step: int = 1
) -> pd.DataFrame:
    """Score models on several test sets.

    An automatic specialist is left out where a tissue is none of its own: it has no word for it.

    Parameters
    ----------
    models : iterable of Segmenter or Specialist
    test_sets : mapping of str to sequence of Case
        By name, such as "inside" and "another sequence".
    slice_step : int
        Take every n-th slice.

    Returns
    -------
    pandas.DataFrame
        Of `score_model`, with the name in `test_set`.
    """
    tables = [
        score_model(model, cases, slice_step=slice_step).assign(test_set=name)
        for model in models
        for name, cases in test_sets.items()
        if can_answer(model, cases)
    ]
    return pd.concat(tables, ignore_index=True)


def score_families(
    families: Mapping[str, Sequence[Model]],
    sizes: Sequence[int],
    cases: Iterable[Case],
    *,
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score models that were trained on more and more people, for curves.

    Parameters
    ----------
    families : mapping of str to sequence of Segmenter or Specialist
        By name of the curve, one model for each size; a model that was trained on none of these
        people comes as often as there are sizes.
    sizes : sequence of int
        People trained on.
    cases : iterable of Case
    slice_step : int
        Take every n-th slice.

    Returns
    -------
    pandas.DataFrame
        Of `score_model`, with `family` and `n_train`.

    Raises
    ------
    InputError
        If a family has not one model for each size.
    """
    given, tables, scored = list(cases), [], dict[int, pd.DataFrame]()
    for family, members in families.items():
        if len(members) != len(sizes):
            raise InputError(
                f"{family} has {len(members)} models for {len(sizes)} sizes; give one for each"
            )
        for size, model in zip(sizes, members, strict=True):
            if id(model) not in scored:
                scored[id(model)] = score_model(model, given, slice_step=slice_step)
            tables.append(scored[id(model)].assign(family=family, n_train=size))
    return pd.concat(tables, ignore_index=True)


def can_answer(model: Model, cases: Iterable[Case]) -> bool:
    """Whether a model can be asked about these tissues: any that is prompted can."""
    if not isinstance(model, Specialist) or model.config.prompt == "box":
        return True
    return all(
        model.labels.get(label) == case.tissue(label)
        for case in cases
        for label in (case.reference.labels if case.reference else ())
    )


def crossings(curves: pd.DataFrame, *, x: str, series: str, value: str = "dice") -> pd.DataFrame:
    """Find where curves cross, straight lines between their points.

    Parameters
    ----------
    curves : pandas.DataFrame
        A row for each point.
    x, series, value : str
        Its columns: position, which curve, height.

    Returns
    -------
    pandas.DataFrame
        A row for each pair of curves with two common positions or more: `first` and `second`,
        `at` (the first crossing, NaN if there is none), `ahead_before` and `ahead_after` (who is
        higher at the first and at the last common position, or "tie"). A crossing is where another
        curve comes to be ahead; curves that meet and part again, or start or end together, do not
        cross.

    Raises
    ------
    InputError
        If a curve has two values at one position.
    """
    if curves.duplicated([series, x]).any():
        raise InputError(f"a curve has two values at one {x}; average them first")
    heights = curves.pivot(index=x, columns=series, values=value).sort_index()
    rows = []
    for first, second in combinations(dict.fromkeys(curves[series]), 2):
        gap = (heights[first] - heights[second]).dropna()
        if len(gap) < 2:
            continue
        names = {1: first, -1: second, 0: TIE}
        ahead = [names[int(np.sign(gap.iloc[end]))] for end in (0, -1)]
        rows.append((first, second, _first_crossing(gap), *ahead))
    return pd.DataFrame(rows, columns=["first", "second", "at", "ahead_before", "ahead_after"])


def _first_crossing(gap: pd.Series[float]) -> float:
    """Where the sign of a gap first becomes another, from a point that is not 0 to the next one."""
    apart = gap[gap != 0]
    for (a, d), (b, e) in pairwise(zip(apart.index, apart, strict=True)):
        if np.sign(d) != np.sign(e):
            met = gap.index[(gap.index > a) & (gap.index < b)]  # points where both are level
            return float(met[0] if len(met) else a + (b - a) * d / (d - e))
    return float("nan")
