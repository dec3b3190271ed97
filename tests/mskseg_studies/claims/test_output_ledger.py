"""The ledger of an output folder, in the terminal and as a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mskseg.cli.run import summarise
from mskseg.evaluation.tables import write_table
from mskseg.workbook import load_notebook
from mskseg_studies.claims.output_ledger import judge_output, ledger_lines, write_ledger
from mskseg_studies.claims.statements import load_claims

FOLDER = Path(__file__).parents[3] / "notebooks"
SHAPES = "09_weigh_the_claims"
TABLE = "09_dimensions.csv"
N_FACTS = sum(claim.is_fact for claim in load_claims().claims)


def dimensions(encoder: int = 89_670_912) -> pd.DataFrame:
    rows = {
        "image encoder parameters": encoder,
        "mask decoder parameters": 4_058_340,
        "numbers in a prompt token": 256,
        "cells along a side of the embedding": 64,
        "pixels along a side of a mask's logits": 256,
        "masks for an ambiguous point": 3,
        "points along a side of the automatic grid": 32,
        "parameters that train in mode lora": 4,
        "parameters that train in mode full": 100,
    }
    return pd.DataFrame({"dimension": list(rows), "value": list(rows.values())})


def ran(output: Path, *, cell: str = f'"{TABLE}"', table: pd.DataFrame | None = None) -> Path:
    """An output folder in which notebook 09 finished."""
    injected = new_code_cell("", metadata={"tags": ["injected-parameters"]})
    code = new_code_cell(f"write_table(table, {cell})")
    notebook = nbformat.writes(new_notebook(cells=[new_markdown_cell(""), injected, code]))
    (output / "notebooks").mkdir(parents=True)
    (output / "notebooks" / f"{SHAPES}.ipynb").write_text(notebook, encoding="utf-8")
    (output / "notebooks" / "finished.json").write_text(json.dumps({SHAPES: {}}), encoding="utf-8")
    if table is not None:
        write_table(table, output / "tables" / TABLE, provenance={})
    return output


def verdicts(output: Path) -> dict[str, str]:
    return {one.claim.id: one.verdict for one in judge_output(output).judgements}


def test_a_number_that_changes_flips_the_verdict_of_the_run(tmp_path):
    right = verdicts(ran(tmp_path / "right", table=dimensions()))
    wrong = verdicts(ran(tmp_path / "wrong", table=dimensions(89_670_913)))
    assert right["ma-encoder-parameters"] == "as stated"
    assert wrong["ma-encoder-parameters"] == "not as stated"
    assert right["ma-decoder-parameters"] == wrong["ma-decoder-parameters"] == "as stated"
    assert right["ma-small-subset"] == "holds here"  # counted too, but "small" needs a rule


def test_notebooks_without_a_committed_table_are_named(tmp_path):
    absent = judge_output(tmp_path, tables=tmp_path).not_run
    assert "08_quantify_uncertainty" in absent
    rows = {"model": "a", "arm": "oracle", "dataset": "d", "subject": list("abc"), "member": 0}
    few = pd.DataFrame(rows | {"scaled": False, "n_members": 1, "ece_candidate": 0.1, "dice": 0.5})
    write_table(few.assign(severity="Early"), tmp_path / "08_uncertainty.csv", provenance={})
    assert judge_output(tmp_path, tables=tmp_path).not_run == [
        name for name in absent if name != "08_quantify_uncertainty"
    ]


def test_an_empty_output_says_what_was_not_run_and_fails_nothing(tmp_path, capsys):
    assert summarise(tmp_path / "output", size="quick") is False
    assert (tmp_path / "output" / "claims.html").is_file()
    text = capsys.readouterr().out
    assert "its notebook was not run" in text
    assert "hoyer-sam-above-medsam" not in text  # counted, not listed
    assert "ma-annotation-time" in text  # never testable, run or not


def test_a_vanished_row_fails_the_run_and_is_named(tmp_path, capsys):
    gone = dimensions().query("dimension != 'mask decoder parameters'")
    assert summarise(ran(tmp_path, table=gone), size="quick") is True
    text = capsys.readouterr().out
    assert "FAILED claim ma-decoder-parameters: 09_dimensions.csv of 09_weigh_the_claims" in text
    assert "no row has dimension mask decoder parameters" in text


def test_a_table_that_no_cell_writes_any_more_is_no_evidence(tmp_path):
    left_over = verdicts(ran(tmp_path, cell='"09_other.csv"', table=dimensions()))
    assert left_over["ma-encoder-parameters"] == "its cell vanished"


def test_the_cell_is_counted_in_the_source_without_what_papermill_adds(tmp_path):
    ledger = judge_output(ran(tmp_path, table=dimensions()))
    (one,) = [each for each in ledger.judgements if each.claim.id == "ma-feature-grid"]
    assert ledger.tested_by(one) == f"{SHAPES}, cell 2: {TABLE}"


def test_tables_of_another_run_can_be_judged(tmp_path):
    tables = ran(tmp_path / "full", table=dimensions()) / "tables"
    judged = judge_output(tmp_path / "empty", tables=tables)
    counts = pd.Series([one.verdict for one in judged.judgements]).value_counts()
    assert (counts["holds here"], counts["as stated"]) == (1, N_FACTS)
    assert "its cell vanished" not in counts


def test_the_page_shows_every_claim_and_note_and_loads_nothing(tmp_path):
    ledger = judge_output(ran(tmp_path, table=dimensions(1)))
    page = write_ledger(ledger, tmp_path, size="quick").read_text(encoding="utf-8")
    assert "Size of the last run: quick" in page
    claims = load_claims()
    assert all(f'id="{claim.id}"' in page for claim in claims.claims)
    assert page.count("<li>") == len(claims.notes)
    assert page.count("Common belief, in none of the studies") >= 3
    assert not re.search("https?:", page)
    assert "script-src 'none'" in page
    facts, findings = page.split("<h2>", 2)[1:]
    assert "not as stated" in facts
    assert "as stated" not in findings
    assert facts.count("<tr id=") == N_FACTS
    assert findings.count("The rule on opponents came together with the table") == 5
    assert "holds if the interval lies above -0.01" in findings  # the rule, as it is computed


def test_the_terminal_table_lines_up_and_ends_with_the_counts(tmp_path):
    lines = ledger_lines(judge_output(ran(tmp_path, table=dimensions())))
    at = lines[0].index("verdict")
    assert lines[0].startswith("statement")
    assert all(len(line) <= at or (line[at - 1] == " " and line[at] != " ") for line in lines[:-1])
    assert any(line.startswith("Parameter-efficient tuning adjusts") for line in lines)
    n_findings = len(load_claims().claims) - N_FACTS
    assert lines[-1].startswith(f"{n_findings} claims: holds here 1, ")
    assert lines[-1].endswith(f"; {N_FACTS} facts: as stated {N_FACTS}")


def test_a_torn_notebook_of_an_earlier_run_stops_no_ledger(tmp_path):
    output = ran(tmp_path, table=dimensions())
    torn = output / "notebooks" / f"{SHAPES}.ipynb"
    torn.write_text(torn.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    assert verdicts(output)["ma-encoder-parameters"] == "as stated"


def test_tables_made_by_hand_in_jupyterlab_count_and_those_of_a_failed_run_do_not(tmp_path):
    output = ran(tmp_path, table=dimensions())
    (output / "notebooks" / "finished.json").unlink()
    assert verdicts(output)["ma-encoder-parameters"] == "its notebook was not run"  # it failed
    (output / "notebooks" / f"{SHAPES}.ipynb").unlink()
    assert verdicts(output)["ma-encoder-parameters"] == "as stated"


@pytest.mark.parametrize("content", ["", "[]", "{broken"])
def test_a_damaged_record_means_that_nothing_is_known_to_have_run(tmp_path, content):
    ran(tmp_path, table=dimensions())
    (tmp_path / "notebooks" / "finished.json").write_text(content, encoding="utf-8")
    assert verdicts(tmp_path)["ma-encoder-parameters"] == "its notebook was not run"


def test_every_claim_names_a_cell_of_a_notebook_that_is_there():
    for claim in load_claims().claims:
        if claim.measure and (path := FOLDER / f"{claim.measure.notebook}.py").is_file():
            cells = [c for c in load_notebook(path).cells if c.cell_type == "code"]
            assert any(claim.measure.table in cell.source for cell in cells), claim.id
