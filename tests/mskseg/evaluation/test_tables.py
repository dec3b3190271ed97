"""Tables of scores written with their provenance."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest

from mskseg.errors import OutputError
from mskseg.evaluation.tables import write_table
from mskseg.provenance import read_provenance

FACTS = {"segmenter": {"name": "net", "sha256": "0123456789abcdef"}}

# writing


def table_of(dice):
    return pd.DataFrame({"subject": ["a"], "slice": [0], "dice": [dice]})


def test_a_table_is_written_with_its_provenance(tmp_path):
    table, path = table_of(0.25), tmp_path / "out" / "dice.csv"
    write_table(table, path, provenance={"seed": 3})
    assert pd.read_csv(path)["dice"].tolist() == [0.25]
    assert read_provenance(path)["seed"] == 3
    assert (
        json.loads((tmp_path / "out" / "dice.csv.provenance.json").read_text(encoding="utf-8"))[
            "seed"
        ]
        == 3
    )


def test_nothing_is_left_where_a_table_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="cannot write"):
        write_table(table_of(1.0), tmp_path / "taken" / "t.csv", provenance={})
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_table_without_a_name_for_it_is_an_old_table_or_a_new_one(tmp_path):
    path = tmp_path / "dice.csv"
    write_table(table_of(0.25), path, provenance={})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_table(table_of(0.75), path, provenance={"seed": object()})
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("start", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1"])
def test_text_that_a_spreadsheet_would_run_is_text_and_numbers_stay_numbers(tmp_path, start):
    numbers = [-0.5, float("nan"), 3.0]
    table = pd.DataFrame(
        {
            start: numbers,
            "tissue": [start, "femur", None],
            "kind": pd.Categorical([start, "a", "-"]),
        }
    )
    table["mixed"] = [start, -2, "+0.25"]
    write_table(table, tmp_path / "t.csv", provenance={})
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as opened:
        head, first, second, third = csv.reader(opened)
    assert head == [f"'{start}", "tissue", "kind", "mixed"]
    assert first == ["-0.5", f"'{start}", f"'{start}", f"'{start}"]
    assert (second, third) == (["", "femur", "a", "-2"], ["3.0", "", "-", "+0.25"])
    assert table.columns[0] == start  # the table itself is left alone
    write_table(pd.DataFrame({"tissue": ["femur\r=1+1"]}), tmp_path / "t.csv", provenance={})
    assert pd.read_csv(tmp_path / "t.csv")["tissue"].tolist() == ["femur =1+1"]
