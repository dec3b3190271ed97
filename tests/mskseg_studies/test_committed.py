"""Tables of longer runs: read with whose weights they are of, and not mixed with others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import mskseg
from mskseg.errors import InputError
from mskseg.evaluation.tables import write_table
from mskseg_studies.committed import committed_results, weights_of

MINI = "sam_vit_mini"
OTHER = "0123456789abcdef"


@pytest.fixture(scope="module")
def shipped() -> str:
    return mskseg.load_segmenter(MINI).fingerprint


def of(sha256: str, name: str = MINI) -> dict:
    return {"segmenter": {"name": name, "sha256": sha256}, "written": "2026-11-21T13:27:48+00:00"}


def committed(folder: Path, facts: dict, *, name: str = "08_a.csv") -> Path:
    write_table(pd.DataFrame({"dice": [0.9]}), folder / name, provenance=facts)
    return folder


def test_rows_come_with_their_file_and_whose_weights_they_are_of(tmp_path, shipped):
    committed(tmp_path, of(shipped))
    committed(tmp_path, of(OTHER), name="08_b.csv")
    committed(tmp_path, of(OTHER), name="07_c.csv")
    found = committed_results(tmp_path, "08_*.csv")
    assert found.rows["file"].tolist() == ["08_a.csv", "08_b.csv"]
    assert found.rows["weights"].tolist() == [shipped[:8], "01234567"]
    assert found.origin.splitlines() == [
        f"08_a.csv: sam_vit_mini, weights {shipped[:8]} (as shipped), of 2026-11-21",
        f"08_b.csv: sam_vit_mini, weights 01234567 (not the shipped {shipped[:8]}), of 2026-11-21",
    ]


def test_rows_of_this_runs_weights_may_stand_beside_its_rows(tmp_path, shipped):
    found = committed_results(committed(tmp_path, of(shipped)), "*.csv")
    assert found.why_apart(of(shipped)) == ""


@pytest.mark.parametrize(
    "facts", [of(OTHER), of(OTHER, "their_net"), {}, {"segmenter": None, "tuned": []}]
)
def test_rows_of_other_or_unknown_weights_are_not_mixed_with_this_runs(tmp_path, shipped, facts):
    found = committed_results(committed(tmp_path, facts), "*.csv")
    apart = found.why_apart(of(shipped))
    assert apart == (
        f"08_a.csv: of other weights than this run (sam_vit_mini {shipped[:8]}); not to be mixed"
    )


def test_every_untuned_model_counts_and_no_tuned_one():
    sibling = {"name": "medsam_vit_mini", "sha256": OTHER}
    tuned = {"name": "sam_vit_mini, decoder tuned", "sha256": OTHER}
    text = weights_of(of("f" * 64) | {"tuned": [sibling, tuned]})
    assert "sam_vit_mini, weights ffffffff" in text
    assert "medsam_vit_mini, weights 01234567" in text
    assert "tuned" not in text
    assert weights_of({}) == "weights not known, of no known date"


def test_weights_that_come_with_no_package_are_neither_shipped_nor_not():
    assert weights_of(of(OTHER, "sam_vit_b")) == "sam_vit_b, weights 01234567, of 2026-11-21"


def test_results_may_be_absent(tmp_path):
    found = committed_results(tmp_path / "nowhere", "*.csv")
    assert not found
    assert found.rows.empty
    assert found.origin == "no such table is committed here"
    assert found.why_apart({}) == ""


def test_a_result_without_origin_or_edited_since_is_refused(tmp_path):
    path = tmp_path / "08_a.csv"
    path.write_text("dice\n0.9\n", encoding="utf-8")
    with pytest.raises(InputError, match="no readable provenance"):
        committed_results(tmp_path, "08_*.csv")
    committed(tmp_path, of(OTHER))
    path.write_text("dice\n0.95\n", encoding="utf-8")
    with pytest.raises(InputError, match="was changed after"):
        committed_results(tmp_path, "08_*.csv")


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "08_b.csv").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"08_b\.csv is no table"):
        committed_results(tmp_path, "08_*.csv")


def test_what_is_committed_here_can_be_read():
    folder = Path(__file__).parents[2] / "results"
    assert folder.is_dir()  # it may hold no table at present
    for path in sorted(folder.glob("*.csv")):
        found = committed_results(folder, path.name)
        assert len(found.rows)
        assert "weights" in found.origin
