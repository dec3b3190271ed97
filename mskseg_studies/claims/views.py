"""Judgements as tables to read; the first column is always the statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from mskseg_studies.claims.rules import Judgement, rule_in_words
from mskseg_studies.claims.statements import Claim
from mskseg_studies.committed import same_weights, weights_of

_PICKED = {
    "smallest": "The smallest of several numbers is judged. ",
    "largest": "The largest of several numbers is judged. ",
    "any": "The smallest of several numbers is judged, by an interval that allows for how many. ",
}
_UNITS = {"seed": "trainings", "evaluated_on": "data sets"}


def rule_text(claim: Claim) -> str:
    """Tell the rule of a claim in words, as it is computed; "" where it has none."""
    if claim.rule is None or claim.measure is None:
        return ""
    unit = claim.measure.unit[-1] if claim.measure.unit else "subject"
    picked = _PICKED.get(claim.measure.pick or "", "")
    return picked + rule_in_words(claim.rule, units=_UNITS.get(unit, "people"))


def ledger_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Lay the judgements out as a table, a row for each."""
    rows = []
    for judged in judgements:
        claim, (low, high) = judged.claim, judged.interval or (None, None)
        measure, rule = claim.measure, claim.rule
        rows.append(
            {
                "statement": claim.statement,
                "study": claim.study,
                "evidence": claim.evidence,
                "published": claim.published,
                "verdict": judged.verdict,
                "why": judged.why,
                "value": judged.value,
                "low": low,
                "high": high,
                "n": judged.n,
                "direction": rule.direction if rule else "",
                "margin": rule.margin if rule else None,
                "rule": rule_text(claim),
                "measured_on": judged.measured_on,
                "notebook": measure.notebook if measure else "",
                "table": measure.table if measure else "",
                "claim": claim.id,
                "is_fact": claim.is_fact,
            }
        )
    return pd.DataFrame(rows)


def short_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Lay judgements out to be read: text only, a row for each."""
    names = ["statement", "verdict", "our number", "why", "rule", "measured on"]
    rows = [
        (j.claim.statement, j.verdict, j.number, j.why, rule_text(j.claim), j.measured_on)
        for j in judgements
    ]
    return pd.DataFrame(rows, columns=names)


def facts_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Lay out the facts among judgements: constants that were counted beside those stated."""
    facts = (judged for judged in judgements if judged.claim.is_fact)
    rows = [(j.claim.statement, j.claim.published, j.number, j.verdict) for j in facts]
    return pd.DataFrame(rows, columns=["statement", "stated", "counted", "verdict"])


def disagreements(here: Iterable[Judgement], there: Iterable[Judgement]) -> pd.DataFrame:
    """Set two runs beside each other where their verdicts on a claim differ, and say why.

    `here` is this run, `there` another one, such as that of `results/`; only claims for which both
    have a number. The reason is what differs between the two: weights, people, or the rest.
    """
    others = {judged.claim.id: judged for judged in there}
    rows = []
    for ours in here:
        theirs = others.get(ours.claim.id, ours)
        if None in (ours.value, theirs.value) or ours.verdict == theirs.verdict:
            continue
        numbers = (f"{each.verdict}: {each.number}" for each in (ours, theirs))
        rows.append((ours.claim.statement, *numbers, _difference(ours, theirs), theirs.why))
    names = ["statement", "this run", "the other run", "what differs", "why there"]
    return pd.DataFrame(rows, columns=names)


def _difference(ours: Judgement, theirs: Judgement) -> str:
    found = []
    if not same_weights(ours.facts, theirs.facts):
        found.append(f"weights: {weights_of(ours.facts)} here; {weights_of(theirs.facts)} there")
    if ours.n != theirs.n:
        found.append(f"n: {ours.n} here, {theirs.n} there")
    if ours.measured_on != theirs.measured_on:
        found.append(f"{ours.measured_on} here, {theirs.measured_on} there")
    return "; ".join(found) or "the same weights and as many people: training, or chance"
