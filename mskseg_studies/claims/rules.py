"""Judge claims by the tables of a run: the rule, the verdict, and what it rests on.

A verdict is a function of a value, its interval and the number of units behind it, and of the rule
that was written down before.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError
from mskseg.provenance import read_provenance
from mskseg_studies.claims.measuring import AbsentError, VanishedError, measure_table
from mskseg_studies.claims.statements import Claim, Rule

Verdict = Literal[
    "holds here",
    "does not hold here",
    "inconclusive",
    "not testable here",
    "its notebook was not run",
    "its cell vanished",
    "as stated",
    "not as stated",
]
"""The last two are of facts, such as a number of parameters: no findings, so not counted."""

OURS = "our construction decides it"
"""How the reason begins where the number is of our models or our data."""

_PLACES = ("dataset", "evaluated_on")
_MODELS = ("segmenter", "model", "base")


def verdict(
    rule: Rule,
    value: float,
    *,
    interval: tuple[float, float] | None,
    n: int | None,
    no_interval: str = "",
) -> tuple[Verdict, str]:
    """Judge a number: "holds here", "does not hold here" or "inconclusive", and why.

    `rule_in_words` tells what is computed. `value` is a difference, or for "exactly" a count, which
    is "as stated" or "not as stated"; `interval` is of 95 per cent, and without one (`no_interval`
    says why, if that is known) a sampled number stays inconclusive; `n` is the number of units
    behind the value, usually subjects.
    """
    if not math.isfinite(value):
        return "inconclusive", "there is no number: every pair behind it was empty"
    if rule.direction == "exactly":
        exact: Verdict = "as stated" if value == rule.target else "not as stated"
        return exact, f"{value:,.0f} here, {rule.target:,.0f} stated"
    if rule.sampled and (n is None or n < rule.smallest_n):
        return "inconclusive", f"n is {n or 0}, {rule.smallest_n} needed for a verdict"
    if rule.sampled and interval is None:
        return "inconclusive", no_interval or "the table has neither an interval nor single units"
    low, high = interval if rule.sampled and interval else (value, value)
    yes, no = _bounds(rule, value, low, high)
    holds, fails = _conditions(rule)
    if yes:
        return "holds here", holds
    if no:
        return "does not hold here", fails
    return "inconclusive", f"neither: {holds}; nor: {fails}"


def rule_in_words(rule: Rule, *, units: str = "people") -> str:
    """Tell a rule as it is computed: what lets the claim hold, what speaks against it."""
    if rule.direction == "exactly":
        return "Exactly this number."
    holds, fails = _conditions(rule)
    fewest = f"With {rule.smallest_n} {units} or more it" if rule.sampled else "It"
    return f"{fewest} holds if {holds}; it does not if {fails}; else it is inconclusive."


def _bounds(rule: Rule, value: float, low: float, high: float) -> tuple[bool, bool]:
    """Whether a claim holds, and whether it does not."""
    margin = rule.margin
    if rule.direction in ("below", "at_most"):
        value, low, high = -value, -high, -low
    if rule.direction in ("above", "below"):
        return low > 0 and value >= margin, high < margin
    if rule.direction in ("at_least", "at_most"):
        return low > -margin, high < -margin
    return -margin < low and high < margin, low > margin or high < -margin


def _conditions(rule: Rule) -> tuple[str, str]:
    """Say the two conditions of `_bounds` in words."""
    m, spread = rule.margin, "the interval" if rule.sampled else "the number"
    above, below = (f" AND the interval lies {way} 0" for way in ("above", "below"))
    if not rule.sampled:
        above = below = ""
    return {
        "above": (f"the number is {m:g} or more{above}", f"{spread} lies below {m:g}"),
        "below": (f"the number is {-m:g} or less{below}", f"{spread} lies above {-m:g}"),
        "at_least": (f"{spread} lies above {-m:g}", f"{spread} lies below {-m:g}"),
        "at_most": (f"{spread} lies below {m:g}", f"{spread} lies above {m:g}"),
        "equal": (
            f"{spread} lies between {-m:g} and {m:g}",
            f"{spread} lies wholly above {m:g} or wholly below {-m:g}",
        ),
    }[rule.direction]


@dataclass(frozen=True)
class Judgement:
    """What became of a claim in a run, and why."""

    claim: Claim
    verdict: Verdict
    why: str
    value: float | None = None  # beside "not testable here" a curiosity and no evidence
    interval: tuple[float, float] | None = None  # of 95 per cent
    n: int | None = None  # the units behind it
    measured_on: str = ""  # models and data, miniatures named as such
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the table's provenance

    @property
    def vanished(self) -> bool:
        """Whether the notebook ran and its table lacks what the claim names."""
        return self.verdict == "its cell vanished"

    @property
    def number(self) -> str:
        """Text such as "+0.021 [-0.004, +0.046], n 8"; a count has neither sign nor interval."""
        if self.value is None or self.claim.rule is None:
            return ""
        if self.claim.is_fact:
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


def _judge_claim(claim: Claim, tables: Path, ran: Collection[str]) -> Judgement:
    measure, rule = claim.measure, claim.rule
    if measure is None or rule is None:
        return Judgement(claim, "not testable here", claim.not_testable)
    if measure.notebook not in ran:
        if claim.out_of_reach:
            return Judgement(claim, "not testable here", claim.out_of_reach)
        return Judgement(claim, "its notebook was not run", f"run {measure.notebook}")
    path = tables / measure.table
    if measure.optional and not path.is_file():  # `judge_output` sees that a cell still names it
        return Judgement(claim, "not testable here", claim.out_of_reach or measure.if_absent)
    try:
        if not path.is_file():
            raise VanishedError("there is no such table")
        facts = read_provenance(path)  # which also notices a table that was edited by hand
        table, ours = pd.read_csv(path), False
        if "segmenter" not in table:  # of one model alone, where no column names it
            alone = (facts.get("segmenter") or {}).get("name", "")
            table["segmenter"] = table[named] if (named := _column(table, _MODELS)) else alone
        deciding = claim.construction.of if claim.construction else []
        made = made_here(table, facts)[deciding].any(axis=1)
        try:  # rows that none of our construction decides go first, if there are enough of them
            measured = measure_table(table[~made], measure)
        except (AbsentError, VanishedError):
            measured, ours = measure_table(table, measure), bool(deciding)
    except AbsentError as error:
        return Judgement(claim, "not testable here", claim.out_of_reach or str(error))
    except InputError as error:
        where = f"{measure.table} of {measure.notebook}"
        return Judgement(claim, "its cell vanished", f"{where}: {error}")
    value, interval, n = measured.value, measured.interval, measured.n
    decided, why = verdict(rule, value, interval=interval, n=n, no_interval=measured.no_interval)
    reasons = []
    if claim.construction and ours:
        reasons.append(f"{OURS}: {claim.construction.why}")
    if claim.out_of_reach and rule.sampled and (n or 0) < rule.smallest_n:
        reasons.append(claim.out_of_reach)
    if measured.weak:
        reasons.append(f"{measured.weak}; without this rule: {decided}")
    if reasons:
        decided, why = "not testable here", "; ".join(reasons)
    on = _measured_on(measured.rows, facts)
    return Judgement(claim, decided, why, value, interval, n, on, facts)


def made_here(table: pd.DataFrame, facts: Mapping[str, Any]) -> pd.DataFrame:
    """Tell for each row whether its "models" and its "data" are of our making.

    Ours are miniatures, and references that are synthetic: by the columns `miniature` and
    `reference_provenance`, else by what the manifest says of the data set, else by the table's
    provenance. What is not known counts as ours, the cautious way.
    """
    data, model = facts.get("data") or {}, facts.get("segmenter") or {}
    small = table.get("miniature", pd.Series(model.get("miniature"), table.index, dtype=object))
    drawn = "synthetic" in data.get("references", ["synthetic"])
    if "reference_provenance" in table:
        synthetic = table["reference_provenance"] == "synthetic"
    elif place := _column(table, _PLACES):
        references = {name: it.reference for name, it in load_manifest().datasets.items()}
        known = {name: it.provenance == "synthetic" for name, it in references.items() if it}
        synthetic = table[place].map(lambda name: known.get(name, drawn))
    else:
        synthetic = pd.Series(drawn, table.index)
    models = small.map(lambda known: known is None or bool(known))
    return pd.DataFrame({"models": models.astype(bool), "data": synthetic.astype(bool)})


def _measured_on(rows: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """Name the models and data that a number was measured on."""
    data, model = facts.get("data") or {}, facts.get("segmenter") or {}
    column, place = _column(rows, _MODELS), _column(rows, _PLACES)
    names = rows[column].astype(str) if column else pd.Series(model.get("name", ""), rows.index)
    small = made_here(rows, facts)["models"].groupby(names, sort=False).any()
    models = [f"{name} (miniature)" if small[name] else name for name in small.index if name]
    sets = rows[place].astype(str).unique() if place else data.get("datasets", [])
    return " on ".join(filter(None, ("; ".join(models), ", ".join(sets))))


def _column(table: pd.DataFrame, names: Iterable[str]) -> str | None:
    """Give the first of some columns that a table has."""
    return next((name for name in names if name in table), None)
