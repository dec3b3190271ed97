"""The mean of differences within people, with an interval."""

from __future__ import annotations

import pandas as pd
from scipy import stats


def over_people(differences: pd.Series, *, n_intervals: int = 1) -> dict[str, float]:
    """Average one number a person, with the 95 % interval of Student's t.

    With `n_intervals` it is made wider after Bonferroni, so that so many hold together. Gives
    `change`, `low`, `high` (NaN with one person) and `n_subjects`.
    """
    known = differences.dropna()
    reach = stats.t.ppf(1 - 0.025 / n_intervals, len(known) - 1) * known.sem()
    return {
        "change": known.mean(),
        "low": known.mean() - reach,
        "high": known.mean() + reach,
        "n_subjects": len(known),
    }
