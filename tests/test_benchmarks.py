"""`make bench` measures the rows asked for, keeps them, and compares with the last ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import __main__ as bench
from mskseg.provenance import read_provenance


def test_a_table_is_kept_and_the_next_one_stands_beside_it(tmp_path, monkeypatch, capsys):
    values = iter([2.0, 3.0])
    monkeypatch.setitem(bench.ROWS, "decoder", lambda _: [("times faster", next(values), "1.3")])
    first, second = (run(tmp_path / "kept", ["decoder"], monkeypatch, capsys) for _ in range(2))
    assert "NaN" in first
    assert "2.00" in second
    assert "3.00" in second
    paths = sorted((tmp_path / "kept").glob("*.csv"))
    assert pd.read_csv(paths[-1])["value"].tolist() == [3.0]
    assert read_provenance(paths[-1])["threads"] == 1


def run(folder, rows, monkeypatch, capsys):
    arguments = ["benchmarks", *rows, "--rounds", "1", "--output", str(folder)]
    monkeypatch.setattr("sys.argv", arguments)
    bench.main()
    return capsys.readouterr().out


def test_batches_are_measured_side_by_side(tmp_path, monkeypatch, capsys):
    assert "as used against one by one" in run(tmp_path, ["batches"], monkeypatch, capsys)
    (path,) = tmp_path.glob("*.csv")
    assert (pd.read_csv(path)["value"] > 0).all()


def test_a_ratio_is_the_median_of_the_rounds_own():
    seconds = pd.DataFrame({"slow": [2.0, 30.0, 8.0], "fast": [1.0, 10.0, 2.0]})
    assert bench.ratio(seconds, "slow", "fast") == 3.0


def test_an_unknown_row_is_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run("nowhere", ["vit_x"], monkeypatch, capsys)
    assert "no row is called vit_x" in capsys.readouterr().err


def test_drawn_people_differ_and_have_names_of_their_own():
    cases = list(bench.drawn_cases(2, 64, 2, prefix="v"))
    assert [case.subject for case in cases] == ["v0", "v1"]
    assert not np.array_equal(cases[0].image.array, cases[1].image.array)
