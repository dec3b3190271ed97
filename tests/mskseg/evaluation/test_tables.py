"""Tables of scores written with their provenance, and committed ones read."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mskseg.errors import InputError, OutputError
from mskseg.evaluation.tables import committed_results, write_table
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


# committed


def test_committed_results_are_read_with_their_file_and_the_weights_they_are_of(tmp_path):
    for name in ("08_a.csv", "08_b.csv", "07_c.csv"):
        write_table(pd.DataFrame({"dice": [0.9]}), tmp_path / name, provenance=FACTS)
    found = committed_results(tmp_path, "08_*.csv")
    assert found["file"].tolist() == ["08_a.csv", "08_b.csv"]
    assert found["weights"].tolist() == ["01234567"] * 2


def test_results_may_be_absent(tmp_path):
    assert committed_results(tmp_path / "nowhere", "*.csv").empty


def test_a_result_without_origin_or_edited_since_is_refused(tmp_path):
    path = tmp_path / "08_a.csv"
    path.write_text("dice\n0.9\n", encoding="utf-8")
    with pytest.raises(InputError, match="no readable provenance"):
        committed_results(tmp_path, "08_*.csv")
    write_table(pd.DataFrame({"dice": [0.9]}), path, provenance=FACTS)
    path.write_text("dice\n0.95\n", encoding="utf-8")
    with pytest.raises(InputError, match="was changed after"):
        committed_results(tmp_path, "08_*.csv")


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "08_b.csv").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"08_b\.csv is no table"):
        committed_results(tmp_path, "08_*.csv")


def test_what_is_committed_here_can_be_read():
    folder = Path(__file__).parents[3] / "results"
    names = sorted(path.name for path in folder.glob("*.csv"))
    assert names
    for name in names:
        assert len(committed_results(folder, name))
