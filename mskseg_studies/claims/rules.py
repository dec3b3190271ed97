"""Judge claims by the tables of a run: the rule, the verdict, and what it rests on.

A verdict is a function of a value, its interval and the number of units behind it, and of the rule
that was written down before.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mskseg.errors import InputError
from mskseg.provenance import read_provenance
from mskseg_studies.claims.measuring import AbsentError, Measured, VanishedError, measure_table
from mskseg_studies.claims.statements import Claim, Rule

Verdict = Literal[
    "holds here",
    "does not hold here",
    "inconclusive",
    "not testable here",
    "its notebook was not run",
    "its cell vanished",
]


def verdict(
    rule: Rule, value: float, *, interval: tuple[float, float] | None, n: int | None
) -> tuple[Verdict, str]:
    """Judge a number: "holds here", "does not hold here" or "inconclusive", and why.

    With margin m: *above* holds if the interval lies over 0 and the value is m or more. It does not
    hold if the interval stays under m, for then a difference that counts is ruled out. *at_least*
    (not worse) holds if the interval lies over -m and does not if it lies under it. *equal* holds
    if the interval lies between -m and m, and does not if it lies outside. *below* and *at_most*
    mirror *above* and *at_least*. *exactly* asks for the target itself.

    Parameters
    ----------
    rule : Rule
    value : float
        A difference, a correlation, or for "exactly" a count.
    interval : (low, high) or None
        Of 95 per cent. None: there is none, and a sampled number stays inconclusive.
    n : int or None
        Units behind the value, usually subjects.
    """
    if not math.isfinite(value):
        return "inconclusive", "there is no number: every pair behind it was empty"
    if rule.direction == "exactly":
        exact: Verdict = "holds here" if value == rule.target else "does not hold here"
        return exact, f"{value:,.0f} here, {rule.target:,.0f} stated"
    if rule.sampled and (n is None or n < rule.smallest_n):
        return "inconclusive", f"n is {n or 0}, {rule.smallest_n} needed for a verdict"
    if rule.sampled and interval is None:
        return "inconclusive", "the table has no interval and no row for each subject to make one"
    low, high = interval if rule.sampled and interval else (value, value)
    return _compare(rule, value, low, high)


def _compare(rule: Rule, value: float, low: float, high: float) -> tuple[Verdict, str]:
    margin = rule.margin
    if rule.direction in ("below", "at_most"):
        value, low, high = -value, -high, -low
    if rule.direction in ("above", "below"):
        yes, no = low > 0 and value >= margin, high < margin
        meant = f"{rule.direction} by {margin:g} or more"
    elif rule.direction in ("at_least", "at_most"):
        yes, no = low > -margin, high < -margin
        meant = f"not {'below' if rule.direction == 'at_least' else 'above'} by {margin:g}"
    else:
        yes, no = -margin < low and high < margin, low > margin or high < -margin
        meant = f"within {margin:g}"
    if yes:
        return "holds here", f"the interval fits: {meant}"
    if no:
        return "does not hold here", f"the interval rules it out: {meant}"
    return "inconclusive", f"the interval allows both: {meant}, and not"


@dataclass(frozen=True)
class Judgement:
    """What became of a claim in a run, and why.

    `value` also stands beside "not testable here", where it is a curiosity and no evidence.
    `interval` is of 95 per cent, `n` the units behind it, `measured_on` the models and data,
    miniatures named as such.
    """

    claim: Claim
    verdict: Verdict
    why: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    measured_on: str = ""

    @property
    def vanished(self) -> bool:
        """Whether the notebook ran and its table lacks what the claim names."""
        return self.verdict == "its cell vanished"

    @property
    def number(self) -> str:
        """Text such as "+0.021 [-0.004, +0.046], n 8"; a count has neither sign nor interval."""
        if self.value is None or self.claim.rule is None:
            return ""
        if self.claim.rule.direction == "exactly":
            return f"{self.value:,.0f}"
        between = "" if self.interval is None else " [{:+.3f}, {:+.3f}]".format(*self.interval)
        return f"{self.value:+.3f}{between}" + ("" if self.n is None else f", n {self.n}")


def judge(claims: Iterable[Claim], *, tables: Path, ran: Collection[str]) -> list[Judgement]:
    """Judge claims by the tables in a folder, each with its provenance beside it.

    `ran` names the notebooks whose tables these are; a claim of any other is not judged. A claim
    whose notebook ran but whose table, column or rows are missing is judged "its cell vanished";
    `check_none_vanished` makes an error of it.
    """
    return [_judge_claim(claim, tables, ran) for claim in claims]


def check_none_vanished(judgements: Iterable[Judgement]) -> None:
    """Raise an InputError that names every claim whose cell is gone."""
    gone = [f"{judged.claim.id}: {judged.why}" for judged in judgements if judged.vanished]
    if gone:
        raise InputError(
            f"{len(gone)} claims lost the cell that tests them: {'; '.join(gone)}; "
            "run the notebook to its end, put its table right, or claims.yaml"
        )


def ledger_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Lay the judgements out as a table, a row for each."""
    rows = []
    for judged in judgements:
        claim, (low, high) = judged.claim, judged.interval or (None, None)
        measure, rule = claim.measure, claim.rule
        rows.append(
            {
                "claim": claim.id,
                "study": claim.study,
                "evidence": claim.evidence,
                "statement": claim.statement,
                "published": claim.published,
                "verdict": judged.verdict,
                "why": judged.why,
                "value": judged.value,
                "low": low,
                "high": high,
                "n": judged.n,
                "direction": rule.direction if rule else "",
                "margin": rule.margin if rule else None,
                "measured_on": judged.measured_on,
                "notebook": measure.notebook if measure else "",
                "table": measure.table if measure else "",
            }
        )
    return pd.DataFrame(rows)


def short_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Lay judgements out to be read: text only, a row for each."""
    rows = [(j.claim.id, j.verdict, j.number, j.why, j.measured_on) for j in judgements]
    return pd.DataFrame(rows, columns=["claim", "verdict", "our number", "why", "measured on"])


def _judge_claim(claim: Claim, tables: Path, ran: Collection[str]) -> Judgement:
    measure, rule = claim.measure, claim.rule
    if measure is None or rule is None:
        return Judgement(claim, "not testable here", claim.not_testable)
    if measure.notebook not in ran:
        if claim.out_of_reach:
            return Judgement(claim, "not testable here", claim.out_of_reach)
        return Judgement(claim, "its notebook was not run", f"run {measure.notebook}")
    path = tables / measure.table
    try:
        if not path.is_file():
            raise VanishedError("there is no such table")
        facts = read_provenance(path)  # which also notices a table that was edited by hand
        measured = measure_table(pd.read_csv(path), measure)
    except AbsentError as error:
        return Judgement(claim, "not testable here", claim.out_of_reach or str(error))
    except InputError as error:
        where = f"{measure.table} of {measure.notebook}"
        return Judgement(claim, "its cell vanished", f"{where}: {error}")
    return _judge_number(claim, rule, measured, facts)


def _judge_number(claim: Claim, rule: Rule, measured: Measured, facts: dict[str, Any]) -> Judgement:
    measured_on, ours = _origin(measured.rows, facts)
    decided, why = verdict(rule, measured.value, interval=measured.interval, n=measured.n)
    if claim.out_of_reach and rule.sampled and (measured.n or 0) < rule.smallest_n:
        decided, why = "not testable here", claim.out_of_reach
    if measured.weak:
        decided, why = "not testable here", measured.weak
    if claim.construction and set(claim.construction.of) & ours:
        decided, why = "not testable here", claim.construction.why
    return Judgement(
        claim, decided, why, measured.value, measured.interval, measured.n, measured_on
    )


def _origin(rows: pd.DataFrame, facts: dict[str, Any]) -> tuple[str, set[str]]:
    """Models and data that a number was measured on, and which of the two are ours.

    Ours are "models" if one is a miniature and "data" if references are synthetic; what is not
    known counts as ours, the cautious way.
    """
    data, model = facts.get("data") or {}, facts.get("segmenter") or {}
    column = next((name for name in ("segmenter", "model", "base") if name in rows), None)
    place = next((name for name in ("dataset", "evaluated_on") if name in rows), None)
    models = list(rows[column].astype(str).unique()) if column else [model["name"]] if model else []
    sets = rows[place].astype(str).unique() if place else data.get("datasets", [])
    small = rows["miniature"].astype(bool).any() if "miniature" in rows else model.get("miniature")
    ours = {"models"} if small is None or small else set()
    ours |= {"data"} if data.get("references", ["synthetic"]) == ["synthetic"] else set()
    mark = " (miniature)" if "models" in ours and models else ""
    named = ", ".join(models) + mark
    return " on ".join(part for part in (named, ", ".join(sets)) if part), ours
