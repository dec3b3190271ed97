"""Compare two models on the same subjects, by a paired bootstrap and a margin of equivalence.

Subjects differ far more from each other than models do. So models are compared on the *same*
subjects, these are drawn again and again with replacement, and the interval of the mean difference
is judged by a **margin** that was named before: the difference below which nobody would care.

============================  =======================================================
interval of the difference    verdict
============================  =======================================================
inside the margin             "equivalent"
above 0                       "higher"
below 0                       "lower"
else                          "inconclusive": neither a difference nor equivalence shown
fewer than `MIN_SUBJECTS`     "too few subjects"
============================  =======================================================

"No significant difference" is never "equal": that is why there are two last lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from mskseg.errors import InputError

Verdict = Literal["equivalent", "higher", "lower", "inconclusive", "too few subjects"]

MIN_SUBJECTS = 5
"""With fewer, resampling them says next to nothing: no interval."""

_CONFIDENCE = 0.95  # stricter than two one-sided tests of equivalence at 5 %, which look at 90


def paired_bootstrap(
    first: ArrayLike, second: ArrayLike, *, margin: float, seed: int = 0
) -> dict[str, Any]:
    """Compare two models on (N,) the same subjects (Efron 1979; equivalence: Schuirmann 1987).

    Gives the `mean` difference, first less second, its interval `low` to `high`, the `verdict`, `n`
    subjects that have both, `n_missing` of whom one of the two has no number, and the `margin`.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"expected pairs of numbers, (N,) each, got {a.shape} and {b.shape}")
    if not margin > 0:
        raise InputError(f"expected a margin above 0, named before looking, got {margin}")
    difference = (a - b)[np.isfinite(a - b)]
    if not difference.size:
        raise InputError(f"of {a.size} pairs none is complete; nothing can be compared")
    low, high = interval_of_mean(difference, seed=seed)
    return {
        "mean": float(difference.mean()),
        "low": low,
        "high": high,
        "verdict": _verdict(low, high, margin=margin, n=difference.size),
        "n": difference.size,
        "n_missing": a.size - difference.size,
        "margin": margin,
    }


def compare_models(
    table: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    *,
    value: str,
    margin: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare pairs of models in a table with a row for each subject and model.

    `table` has `dataset`, `subject`, `model` and `value`; rows of a subject are averaged first.
    `pairs` are first less second; `margin` is the difference below which nobody would care, decided
    before looking. Returns `value`, `first`, `second`, then what `paired_bootstrap` gives.
    InputError if a column or a model is missing.
    """
    columns = ["dataset", "subject", "model"]
    missing = [name for name in (*columns, value) if name not in table]
    absent = sorted({name for pair in pairs for name in pair} - set(table.get("model", ())))
    if missing or absent:
        raise InputError(
            f"the table lacks {', '.join(missing or absent)}; compare models and columns of it"
        )
    wide = table.groupby(columns, sort=False)[value].mean().unstack("model")
    rows = []
    for first, second in pairs:
        difference = paired_bootstrap(wide[first], wide[second], margin=margin, seed=seed)
        rows.append({"value": value, "first": first, "second": second} | difference)
    return pd.DataFrame(rows)


def interval_of_mean(
    differences: ArrayLike, *, n_resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap the mean of (N,) by Hesterberg's expanded percentile interval, 95 % (2015).

    The plain one of five subjects holds the truth in 84 % of studies, this one in 92 % (simulated).
    NaN below `MIN_SUBJECTS`.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.size
    if not np.isfinite(values).all():
        raise InputError(
            f"{int((~np.isfinite(values)).sum())} differences are NaN or infinite; leave out "
            "subjects without a score and say how many they are"
        )
    if n < MIN_SUBJECTS:
        return math.nan, math.nan
    reach = math.sqrt(n / (n - 1)) * stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1)
    interval = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=1 - 2 * stats.norm.cdf(-reach),
        n_resamples=n_resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _verdict(low: float, high: float, *, margin: float, n: int) -> Verdict:
    if n < MIN_SUBJECTS:
        return "too few subjects"
    if -margin < low and high < margin:
        return "equivalent"
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "inconclusive"
