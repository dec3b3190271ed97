"""The claims ledger of an output folder: what ran, what it says, as text and as a page."""

import html
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mskseg
from mskseg.files import write_text
from mskseg.registry import RunSummary
from mskseg.workbook.pages import LEDGER_PAGE, content_policy
from mskseg.workbook.record import finished_notebooks
from mskseg.workbook.sources import executed_notebook
from mskseg_studies.claims.rules import Judgement, Verdict, judge
from mskseg_studies.claims.statements import Claims, claims_path, load_claims
from mskseg_studies.claims.views import rule_text

_NOT_RUN: Verdict = "its notebook was not run"
_ORDER: tuple[Verdict, ...] = (
    "its cell vanished",
    "holds here",
    "does not hold here",
    "inconclusive",
    "not testable here",
    _NOT_RUN,
)
_OF_FACTS: tuple[Verdict, ...] = ("not as stated", "as stated")
_WIDTH = 64  # of the statements in a terminal
_HEAD = Path(__file__).with_name("ledger.html")  # of the page


@dataclass(frozen=True)
class Ledger:
    """Every claim judged by the tables of an output folder."""

    claims: Claims
    judgements: list[Judgement]
    cells: dict[tuple[str, str], int | None]  # from 1, by notebook and the table that it names

    @property
    def vanished(self) -> list[Judgement]:
        """Claims whose notebook ran without the cell that tests them."""
        return [judged for judged in self.judgements if judged.vanished]

    @property
    def not_run(self) -> list[str]:
        """Notebooks of which no table is there, so that none of their claims was judged."""
        measures = (one.claim.measure for one in self.judgements if one.verdict == _NOT_RUN)
        return sorted({measure.notebook for measure in measures if measure})

    def tested_by(self, judged: Judgement) -> str:
        """Name the notebook, cell and table of a claim, or nothing if there is none."""
        if judged.claim.measure is None:
            return ""
        place = (judged.claim.measure.notebook, judged.claim.measure.table)
        cell = f", cell {self.cells[place]}" if self.cells.get(place) else ""
        return f"{place[0]}{cell}: {place[1]}"

    def summary(self) -> str:
        """Count the verdicts in a line, facts by themselves."""
        counts = Counter((one.claim.is_fact, one.verdict) for one in self.judgements)
        n_facts = sum(one.claim.is_fact for one in self.judgements)

        def listed(order: Sequence[Verdict], *, fact: bool) -> str:
            return ", ".join(f"{v} {counts[fact, v]}" for v in order if counts[fact, v])

        facts = listed(_OF_FACTS, fact=True) or "not counted yet"
        findings = listed(_ORDER, fact=False)
        n_findings = len(self.judgements) - n_facts
        return f"{n_findings} claims: {findings}; {n_facts} facts: {facts}"


def judge_output(
    output: Path, *, tables: Path | None = None, also_ran: Sequence[str] = ()
) -> Ledger:
    """Judge the claims by what lies in an output folder, as `run_workbook` writes it.

    A notebook counts as run if `mskseg run` recorded it as finished, or if one of its tables is
    there and `mskseg run` did not execute it: then a person did, in JupyterLab. `tables` are other
    ones than the output's, such as those of a run at full size; `also_ran` notebooks are running,
    so not recorded as finished, and their tables are the output's.

    Raises InputError if ``claims.yaml`` cannot be read. A vanished cell raises nothing: see
    `check_none_vanished`.
    """
    claims = load_claims()
    named = {claim.measure.notebook for claim in claims.claims if claim.measure}
    folder = output / "tables" if tables is None else tables
    numbers = {path.name[:2] for path in folder.glob("*.csv")}
    ran = {name for name in named if name[:2] in numbers} | set(also_ran)
    if tables is None:  # run by `mskseg run` and finished, or cell by cell in JupyterLab
        ran -= {path.stem for path in (output / "notebooks").glob("*.ipynb")} - set(also_ran)
        ran |= finished_notebooks(output)
    cells = _cells(output / "notebooks", claims) if tables is None else {}
    judgements = []
    for claim in claims.claims:
        running = claim.measure is not None and claim.measure.notebook in also_ran
        judged = judge([claim], tables=output / "tables" if running else folder, ran=ran)
        place = claim.measure and (claim.measure.notebook, claim.measure.table)
        if place and judged[0].verdict != _NOT_RUN and cells.get(place, 0) is None:
            # An earlier run left the table, and no cell of the notebook writes it any more.
            why = f"no cell of {place[0]} names {place[1]}"
            judged = [Judgement(claim, "its cell vanished", why)]
        judgements += judged
    return Ledger(claims, judgements, cells)


def ledger_lines(ledger: Ledger) -> list[str]:
    """Lay out the ledger for a terminal; claims whose notebook was not run are counted only."""
    shown = [each for each in ledger.judgements if each.verdict != _NOT_RUN]
    if not shown:
        return [ledger.summary()]
    lines = [f"{'statement':<{_WIDTH}}  {'verdict':<18}  our number [95 %], n"]
    order = [*_ORDER, *_OF_FACTS]
    for judged in sorted(shown, key=lambda judged: order.index(judged.verdict)):
        text = f"{judged.claim.statement} ({judged.claim.id})"
        first, *rest = textwrap.wrap(text, _WIDTH, break_on_hyphens=False)
        lines.append(f"{first:<{_WIDTH}}  {judged.verdict:<18}  {judged.number}".rstrip())
        lines += [f"  {line}" for line in rest]
    return [*lines, ledger.summary()]


def write_ledger(ledger: Ledger, output: Path, *, size: str = "unknown") -> Path:
    """Write the ledger as ``claims.html``, a page that opens offline and says the run's size."""
    summary = html.escape(f"{ledger.summary()}. Size of the last run: {size}.")
    facts = [one for one in ledger.judgements if one.claim.is_fact]
    head = _HEAD.read_text(encoding="utf-8")
    parts = [
        head.format(policy=content_policy(), summary=summary, version=mskseg.__version__),
        "<h2>Facts of the published architecture</h2>",
        _table("statement, stated, counted, verdict", ledger, facts),
    ]
    for key, study in ledger.claims.studies.items():
        of_study = [one for one in ledger.judgements if one.claim.study == key]
        findings = [one for one in of_study if not one.claim.is_fact]
        columns = "statement, published, verdict, our number, tested by"
        parts.append(f"<h2>{html.escape(study.title)}</h2>")
        parts.append(f'<p class="small">{html.escape(study.citation)} Read in: ')
        parts.append(f"{html.escape(study.read_in)}.</p>")
        parts.append(_table(columns, ledger, findings))
    parts.append("<h2>Open and contradictory</h2><ul>")
    for note in ledger.claims.notes:
        links = ", ".join(f'<a href="#{name}">{name}</a>' for name in note.claims)
        parts.append(f"<li><b>{note.kind}</b>: {html.escape(note.text)} {links}</li>")
    parts.append("</ul><p>Not a medical device: for learning and research.</p></body></html>\n")
    path = output / LEDGER_PAGE
    write_text(path, "\n".join(parts))
    return path


def _table(head: str, ledger: Ledger, judgements: Iterable[Judgement]) -> str:
    lines = ["<table><tr>", *(f"<th>{name}</th>" for name in head.split(", ")), "</tr>"]
    for judged in judgements:
        cells = _of_fact(ledger, judged) if judged.claim.is_fact else _of_finding(ledger, judged)
        lines.append(f'<tr id="{judged.claim.id}">')
        for text, kind, below in cells:  # smaller words stand below a text
            lines.append(f'<td><span class="{kind}">{html.escape(text)}</span>')
            lines.append(f'<br><span class="small">{html.escape(below)}</span></td>')
        lines.append("</tr>")
    return "".join([*lines, "</table>"])


def _of_finding(ledger: Ledger, judged: Judgement) -> list[tuple[str, str, str]]:
    claim, kind = judged.claim, f"verdict {judged.verdict.split()[0]}"
    belief = "" if claim.evidence == "stated" else "Common belief, in none of the studies. "
    rule = f"{rule_text(claim)} Why so: {claim.rule.why}." if claim.rule else ""
    return [
        (claim.statement, "", f"{belief}{claim.id}; {claim.where}."),
        (claim.published, "", ""),
        (judged.verdict, kind, f"{judged.why}. {claim.history}"),
        (judged.number, "", judged.measured_on),
        (ledger.tested_by(judged), "", rule),
    ]


def _of_fact(ledger: Ledger, judged: Judgement) -> list[tuple[str, str, str]]:
    claim = judged.claim
    return [
        (claim.statement, "", f"{claim.id}; {claim.where}."),
        (claim.published, "", ""),
        (judged.number, "", ""),
        (judged.verdict, "", ledger.tested_by(judged)),
    ]


def _cells(folder: Path, claims: Claims) -> dict[tuple[str, str], int | None]:
    """Find the code cell that names each table, in the notebooks as they were executed."""
    places: dict[tuple[str, str], int | None] = {}
    measures = (claim.measure for claim in claims.claims if claim.measure)
    for notebook, table in dict.fromkeys((each.notebook, each.table) for each in measures):
        if executed := executed_notebook(folder / f"{notebook}.ipynb"):
            cells = executed.cells
            ours = [c for c in cells if "injected-parameters" not in c.metadata.get("tags", [])]
            code = (k for k, c in enumerate(ours, 1) if c.cell_type == "code" and table in c.source)
            places[notebook, table] = next(code, None)
    return places


class ClaimsReport:
    """Judge the claims at the end of a run; see `mskseg.registry.RunReport`."""

    def inputs(self) -> list[Path]:
        """Name the file of the claims and their rules."""
        return [claims_path()]

    def summarise(self, output: Path, *, size: str) -> RunSummary:
        """Judge the claims by what now lies in the output folder, as a table and as a page."""
        ledger = judge_output(output)
        return RunSummary(
            title=f"claims, by what now lies in {output} (this run: size {size})",
            lines=tuple(ledger_lines(ledger)),
            failures=tuple(f"claim {each.claim.id}: {each.why}" for each in ledger.vanished),
            page=write_ledger(ledger, output.resolve(), size=size),
        )


report = ClaimsReport()
