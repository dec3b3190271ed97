"""Judgements as tables and charts to read; the first column is always the statement.

Charts show how many held, and how far from its margin. Facts, which were counted and not found, are
in no chart.
"""

import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from pandas.io.formats.style import Styler

from mskseg.errors import InputError
from mskseg_studies.charts import PALETTE, chart_axes, finish_chart
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


# Colour and hatch say the same twice, for print and for colour-blind readers.
_STYLES = {
    "holds here": (PALETTE[0], ""),
    "does not hold here": (PALETTE[1], "//"),
    "inconclusive": ("#BBBBBB", ""),
    "not testable here": ("#EDEDED", ".."),
    "its notebook was not run": ("#FFFFFF", ""),
    "its cell vanished": (PALETTE[3], "xx"),
}
_TICKS = (-30, -10, -3, -1, 0, 1, 3, 10, 30)  # margins
_WRAP = 52  # letters in a line of a statement
_MARKERS = {"holds here": "o", "does not hold here": "X", "inconclusive": "D"}


def verdict_bars(ledger: pd.DataFrame, *, title: str = "") -> Axes:
    """Draw a bar for each study of a `ledger_table`, divided by verdict; facts are left out.

    Raises InputError if the ledger has no row.
    """
    ledger = ledger[ledger["verdict"].isin(_STYLES)]
    if ledger.empty:
        raise InputError("the ledger has no row; pass `ledger_table` of judged claims")
    counts = ledger.groupby(["study", "verdict"], sort=False).size().unstack(fill_value=0)
    ax = chart_axes(None, (7.6, 1.6 + 0.42 * len(counts)))
    left = counts.iloc[:, 0] * 0
    for name in (name for name in _STYLES if name in counts):
        colour, hatch = _STYLES[name]
        bars = ax.barh(
            counts.index.str.replace("_", " ").str.capitalize(),
            counts[name],
            left=left,
            label=name,
            height=0.7,
            color=colour,
            hatch=hatch,
            edgecolor="0.3",
            linewidth=0.6,
        )
        texts = ax.bar_label(bars, [str(n or "") for n in counts[name]], label_type="center")
        for text in (text for text in texts if text.get_text() and colour[1:2] != "F"):
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        left = left + counts[name]
    ax.invert_yaxis()
    ax.set(xlabel="claims")
    return finish_chart(ax, title, grid=None, legend="below", legend_columns=3)


def interval_chart(ledger: pd.DataFrame, *, title: str = "") -> Axes:
    """Draw each number of a `ledger_table` with its interval, in units of its claim's margin.

    Numbers of different kinds share an axis that way: 0 is no difference, 1 the smallest difference
    that counts, and right is the way the claim says. Counts and numbers without interval are left
    out; a line of text says so if nothing remains.
    """
    shown = ledger[ledger["verdict"].isin(_MARKERS)].dropna(subset=["low", "high", "margin"])
    shown = shown[shown["margin"] > 0]
    shown = shown.assign(label=shown["statement"].map(lambda text: textwrap.fill(text, _WRAP)))
    lines = shown["label"].str.count("\n").sum() + len(shown)
    ax = chart_axes(None, (9.2, 1.7 + 0.16 * len(shown) + 0.17 * lines))
    ax.set_xscale("symlog", linthresh=2)
    ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    ax.axvline(0, color="0.3", linewidth=1)
    for margin in (-1, 1):
        ax.axvline(margin, color="0.5", linewidth=1, linestyle=(0, (4, 3)))
    ax.set_xlabel("number in units of its margin; right is the claim's way")
    if shown.empty:
        ax.set(xlim=(-2, 2), yticks=[])
        nothing = "no claim of this run has an interval yet"
        ax.text(0.5, 0.5, nothing, ha="center", va="center", transform=ax.transAxes)
        return finish_chart(ax, title, grid=None, legend=None)
    signs = 1 - 2 * shown["direction"].isin(["below", "at_most"])
    scaled = shown[["value", "low", "high"]].mul(signs / shown["margin"], axis=0).clip(-40, 40)
    widest = 1.2 * max(2.0, float(scaled.abs().max(axis=None)))
    ax.set_xlim(-widest, widest)
    for verdict, rows in scaled.groupby(shown["verdict"], sort=False):
        ends = rows[["low", "high"]]
        ax.errorbar(
            rows["value"],
            shown.loc[rows.index, "label"],
            xerr=[rows["value"] - ends.min(axis=1), ends.max(axis=1) - rows["value"]],
            linestyle="",
            capsize=3,
            marker=_MARKERS[str(verdict)],
            color=_STYLES[str(verdict)][0],
            ecolor="0.4",
            markeredgecolor="0.2",
            label=str(verdict),
        )
    ax.invert_yaxis()
    return finish_chart(ax, title, grid=None, legend="below", legend_columns=3)


def text_table(table: pd.DataFrame) -> Styler:
    """Show a table of texts in full, where a plain table cuts them, and flush left."""
    safe = table.style.format(escape="html").format_index(escape="html")
    safe = safe.format_index(escape="html", axis="columns")
    safe = safe.hide() if isinstance(table.index, pd.RangeIndex) else safe
    return safe.set_table_styles([{"selector": "td", "props": "text-align: left"}])
