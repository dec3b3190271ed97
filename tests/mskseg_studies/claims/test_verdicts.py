"""Charts of the ledger: bars add up, intervals are turned the claim's way."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import pandas as pd
import pytest

from mskseg.errors import InputError
from mskseg_studies import claims


def ledger(**columns) -> pd.DataFrame:
    rows = {
        "statement": ["a goes up", "b goes down", "c is none"],
        "study": ["one", "one", "two"],
        "verdict": ["holds here", "does not hold here", "its notebook was not run"],
        "value": [0.04, 0.02, np.nan],
        "low": [0.03, 0.01, np.nan],
        "high": [0.05, 0.03, np.nan],
        "direction": ["above", "below", "above"],
        "margin": [0.02, 0.01, 0.01],
    }
    return pd.DataFrame(rows | columns)


def test_bars_of_a_study_are_as_long_as_its_claims():
    ax = claims.verdict_bars(ledger())
    ends = {}
    for bar in ax.patches:
        ends[round(bar.get_y())] = max(
            ends.get(round(bar.get_y()), 0), bar.get_x() + bar.get_width()
        )
    assert sorted(ends.values()) == [1, 2]
    with pytest.raises(InputError, match="no row"):
        claims.verdict_bars(ledger().head(0))


def test_numbers_are_in_margins_and_turned_the_claims_way():
    ax = claims.interval_chart(ledger())
    drawn = sorted(line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "X"))
    assert drawn == pytest.approx([-2.0, 2.0])
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["a goes up", "b goes down"]


def test_facts_are_in_no_chart():
    fact = ledger(verdict=["as stated", "holds here", "inconclusive"], study=["one", "two", "two"])
    ax = claims.verdict_bars(fact)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Two"]
    drawn = claims.interval_chart(fact.head(2))
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["b goes down"]


def test_a_ledger_without_intervals_says_so():
    ax = claims.interval_chart(ledger().tail(1))
    assert "no claim of this run has an interval yet" in [text.get_text() for text in ax.texts]
