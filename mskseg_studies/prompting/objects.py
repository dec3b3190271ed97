"""What the experiments of this room share: their slices, the words of a row, a mean over people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pandas as pd
from scipy import stats

from mskseg.case import Case
from mskseg.evaluation import PromptedSlice, prompted_slices
from mskseg.prompts.plans import OraclePlan

_Item = TypeVar("_Item")


def spread(items: Sequence[_Item], count: int | None) -> list[_Item]:
    """Take so many, evenly spread, one alone from the middle; all if there are fewer."""
    if count is None or count >= len(items):
        return list(items)
    return [items[int((k + 0.5) * len(items) / count)] for k in range(count)]


def asked_slices(
    case: Case, plans: Sequence[OraclePlan], count: int | None
) -> list[tuple[PromptedSlice, ...]]:
    """Give of so many labelled slices, evenly spread, what every plan asks about them."""
    loops = [prompted_slices(case, plan, labelled_only=True) for plan in plans]
    return spread(list(zip(*loops, strict=True)), count)


def described(prompted: PromptedSlice, label: int) -> dict[str, Any]:
    """Columns that name a tissue on a slice of a person."""
    case = prompted.case
    return {
        "dataset": case.dataset,
        "subject": case.subject,
        "tissue": case.tissue(label),
        "group": case.kind(label),
        "slice": prompted.case_slice.index,
    }


def over_people(differences: pd.Series, *, n_intervals: int = 1) -> dict[str, float]:
    """Average one number a person, with Student's 95 % interval (`n_intervals` hold together)."""
    known = differences.dropna()
    # Wider after Bonferroni where several have to hold; NaN with one person.
    reach = stats.t.ppf(1 - 0.025 / n_intervals, len(known) - 1) * known.sem()
    return {
        "change": known.mean(),
        "low": known.mean() - reach,
        "high": known.mean() + reach,
        "n_subjects": len(known),
    }
