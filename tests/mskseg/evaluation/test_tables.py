"""Tables of scores written with their provenance."""

from __future__ import annotations

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
