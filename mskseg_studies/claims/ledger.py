"""Judge every claim by the tables of a run: one row each, with the number and what it rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mskseg.errors import InputError
from mskseg.provenance import read_provenance
from mskseg_studies.claims.measuring import AbsentError, Measured, VanishedError, measure_table
from mskseg_studies.claims.statements import Claim, Rule, Verdict, verdict


@dataclass(frozen=True)
class Judgement:
    """What became of a claim in a run.

    Attributes
    ----------
    claim : Claim
    verdict : str
    why : str
        In a sentence; where the cell vanished, what is missing.
    value : float or None
        Ours; also beside "not testable here", where it is a curiosity and no evidence.
    interval : (low, high) or None
        Of 95 per cent.
    n : int or None
        Units behind it.
    measured_on : str
        Models and data, miniatures named as such.
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


@dataclass(frozen=True)
class _Origin:
    models: tuple[str, ...]
    data: tuple[str, ...]
    ours: frozenset[str]  # "models" if one is a miniature, "data" if references are synthetic

    def __str__(self) -> str:
        mark = " (miniature)" if "models" in self.ours and self.models else ""
        named = ", ".join(self.models) + mark
        return " on ".join(part for part in (named, ", ".join(self.data)) if part)


def judge(claims: Iterable[Claim], *, tables: Path, ran: Collection[str]) -> list[Judgement]:
    """Judge claims by the tables in a folder.

    Parameters
    ----------
    claims : iterable of Claim
    tables : Path
        Holds the CSV files that the notebooks wrote, each with its provenance beside it.
    ran : collection of str
        Names of the notebooks whose tables these are; a claim of any other is not judged.

    Returns
    -------
    list of Judgement
        One for each claim, in order. A claim whose notebook ran but whose table, column or rows are
        missing is judged "its cell vanished"; `check_none_vanished` makes an error of it.
    """
    return [_judge_one(claim, tables, ran) for claim in claims]


def check_none_vanished(judgements: Iterable[Judgement]) -> None:
    """Raise an InputError that names every claim whose cell is gone."""
    gone = [f"{one.claim.id}: {one.why}" for one in judgements if one.vanished]
    if gone:
        raise InputError(
            f"{len(gone)} claims lost the cell that tests them: {'; '.join(gone)}; "
            "run the notebook to its end, put its table right, or claims.yaml"
        )


def ledger_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Lay the judgements out as a table.

    Returns
    -------
    pandas.DataFrame
        A row for each: `claim`, `study`, `evidence`, `statement`, `published`, `verdict`, `why`,
        `value`, `low`, `high`, `n`, `direction`, `margin`, `measured_on`, `notebook`, `table`.
    """
    return pd.DataFrame([_row(one) for one in judgements])


def short_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Lay judgements out to be read: text only, a row for each.

    Returns
    -------
    pandas.DataFrame
        `claim`, `verdict`, `our number`, `why`, `measured on`.
    """
    rows = [(one.claim.id, one.verdict, one.number, one.why, one.measured_on) for one in judgements]
    return pd.DataFrame(rows, columns=["claim", "verdict", "our number", "why", "measured on"])


def _row(one: Judgement) -> dict[str, Any]:
    low, high = one.interval or (None, None)
    measure, rule = one.claim.measure, one.claim.rule
    return {
        "claim": one.claim.id,
        "study": one.claim.study,
        "evidence": one.claim.evidence,
        "statement": one.claim.statement,
        "published": one.claim.published,
        "verdict": one.verdict,
        "why": one.why,
        "value": one.value,
        "low": low,
        "high": high,
        "n": one.n,
        "direction": rule.direction if rule else "",
        "margin": rule.margin if rule else None,
        "measured_on": one.measured_on,
        "notebook": measure.notebook if measure else "",
        "table": measure.table if measure else "",
    }


def _judge_one(claim: Claim, tables: Path, ran: Collection[str]) -> Judgement:
    measure, rule = claim.measure, claim.rule
    if measure is None or rule is None:
        return Judgement(claim, "not testable here", claim.not_testable)
    if measure.notebook not in ran:
        if claim.out_of_reach:
            return Judgement(claim, "not testable here", claim.out_of_reach)
        return Judgement(claim, "its notebook was not run", f"run {measure.notebook}")
    try:
        table, facts = _read(tables / measure.table)
        found = measure_table(table, measure)
    except AbsentError as error:
        return Judgement(claim, "not testable here", claim.out_of_reach or str(error))
    except InputError as error:
        where = f"{measure.table} of {measure.notebook}"
        return Judgement(claim, "its cell vanished", f"{where}: {error}")
    return _judged(claim, rule, found, facts)


def _judged(claim: Claim, rule: Rule, found: Measured, facts: dict[str, Any]) -> Judgement:
    origin = _origin(found.rows, facts)
    said, why = verdict(rule, found.value, interval=found.interval, n=found.n)
    if claim.out_of_reach and rule.sampled and (found.n or 0) < rule.smallest_n:
        said, why = "not testable here", claim.out_of_reach
    if found.weak:
        said, why = "not testable here", found.weak
    if claim.construction and set(claim.construction.of) & origin.ours:
        said, why = "not testable here", claim.construction.why
    return Judgement(claim, said, why, found.value, found.interval, found.n, str(origin))


def _read(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    if not path.is_file():
        raise VanishedError("there is no such table")
    facts = read_provenance(path)  # which also notices a table that was edited by hand
    return pd.read_csv(path), facts


def _origin(rows: pd.DataFrame, facts: dict[str, Any]) -> _Origin:
    """Tell what a number was measured on; what is not known counts as ours, the cautious way."""
    data, model = facts.get("data") or {}, facts.get("segmenter") or {}
    column = next((name for name in ("segmenter", "model", "base") if name in rows), None)
    place = next((name for name in ("dataset", "evaluated_on") if name in rows), None)
    models = rows[column].astype(str).unique() if column else [model["name"]] if model else []
    sets = rows[place].astype(str).unique() if place else data.get("datasets", [])
    small = rows["miniature"].astype(bool).any() if "miniature" in rows else model.get("miniature")
    ours = {"models"} if small is None or small else set()
    ours |= {"data"} if data.get("references", ["synthetic"]) == ["synthetic"] else set()
    return _Origin(tuple(models), tuple(sets), frozenset(ours))
