"""Every notebook runs at quick size, as `mskseg run --size quick` runs it; none is skipped.

Those whose question a published model can be asked run once more, on real people.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mskseg.datasets.fetching import fetch
from mskseg.workbook import run_workbook
from mskseg_studies.claims.output_ledger import judge_output

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(
    {path.stem for path in FOLDER.glob("*.py")} | {p.stem for p in FOLDER.glob("*.ipynb")}
)


def check_that_tuning_gains(tables: Path) -> None:
    cross = pd.read_csv(tables / "04_cross_table.csv")
    own = cross[(cross["role"] == "same site") & (cross["part"] == "test")]
    assert len(own)
    assert (own["gain"] > 0).all(), own[["training_subset", "gain"]]


FINDINGS = {"04_fine_tune": check_that_tuning_gains}


def test_there_are_notebooks():
    assert NAMES


@pytest.mark.notebook
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs(name: str, tmp_path: Path):
    (run,) = run_workbook([name], folder=FOLDER, output=tmp_path, size="quick", progress=False)
    assert run.status == "passed", f"{name}, cell {run.cell}: {run.error}"
    assert run.stderr_lines == 0, "a notebook says nothing on stderr at its own parameters"
    assert list((tmp_path / "tables").glob("*.csv"))
    assert list((tmp_path / "figures").glob("*.png"))
    assert [one.why for one in judge_output(tmp_path).vanished] == [], "a claim lost its cell"
    if name in FINDINGS:
        FINDINGS[name](tmp_path / "tables")


# --- real people and a published model -----------------------------------------------------------


@pytest.fixture
def people(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a function that brings scans into an empty cache."""
    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))

    def bring(name: str, *roles: str) -> None:
        fetch(name, from_dir=real_data, roles=roles or None, progress=False)

    return bring


def run_on_people(number: str, output: Path, **given: Any) -> tuple[str, dict[str, pd.DataFrame]]:
    """Run a notebook with LiteMedSAM on the vertebrae; its page and its tables."""
    (run,) = run_workbook(
        [number],
        folder=FOLDER,
        output=output,
        size="quick",
        given={"datasets": ["spine_vertebrae"], "models": ["lite_medsam"], **given},
        progress=False,
    )
    assert run.status == "passed", f"cell {run.cell}: {run.error}"
    assert run.stderr_lines == 0
    assert [one.why for one in judge_output(output).vanished] == []
    tables = {path.stem: pd.read_csv(path) for path in (output / "tables").glob("*.csv")}
    return run.page.read_text(encoding="utf-8"), tables


@pytest.mark.real
@pytest.mark.slow
def test_a_published_model_is_scored_on_people_first(people, lite_medsam, tmp_path: Path):
    """Notebook 03 as a first run has it: LiteMedSAM on people, drawings by miniatures alone."""
    people("spine_vertebrae", "vb2_17", "vb3_07")
    people("qmritools_thigh")
    page, tables = run_on_people(
        "03",
        tmp_path / "output",
        datasets=["spine_vertebrae", "qmritools_thigh", "phantom_hip"],
        models=[lite_medsam.name, "sam_vit_mini"],
    )
    table = tables["03_zero_shot"]
    published = table[table["segmenter"] == "lite_medsam"]
    assert not published["miniature"].any()
    assert list(published["dataset"].unique()) == ["spine_vertebrae", "qmritools_thigh"]
    vertebrae = published[published["dataset"] == "spine_vertebrae"]
    assert set(vertebrae["site"]) == {"VB2", "VB3"}
    assert set(vertebrae["reference_provenance"]) == {"manual"}
    assert set(table.loc[table["dataset"] == "phantom_hip", "segmenter"]) == {"sam_vit_mini"}
    assert page.index("lite_medsam (published)") < page.index("n_beyond_end")
    assert "automatic" in page
    of_margins = {"spine_vertebrae, VB2", "spine_vertebrae, VB3", "qmritools_thigh"}
    assert set(tables["03_margins"]["dataset"]) == of_margins


@pytest.mark.real
@pytest.mark.slow
def test_errors_of_a_published_model_on_real_vertebrae(people, lite_medsam, tmp_path: Path):
    people("spine_vertebrae", "vb2_17", "vb3_07")
    _, tables = run_on_people("05", tmp_path / "output")
    scores = tables["05_errors"]
    assert set(scores["data"]) == {"people", "people, other site"}
    assert set(scores["tissue"]) == {"vertebral body"}
    assert scores.groupby("subject")["label"].nunique().min() >= 5
    assert not scores["miniature"].any()


@pytest.mark.real
@pytest.mark.slow
def test_prompting_of_a_published_model_on_people(people, lite_medsam, tmp_path: Path):
    people("spine_vertebrae", "vb2_17")
    page, tables = run_on_people("06", tmp_path / "output", n_points=2)
    check_lite_on_people(tables["06_resolution"])
    boxes = tables["06_resolution"].query("model == 'lite_medsam'")
    assert set(boxes["prompt"]) == {"box"}
    assert "these take boxes alone: lite_medsam" in page


@pytest.mark.real
@pytest.mark.slow
def test_uncertainty_of_a_published_model_on_people(people, lite_medsam, tmp_path: Path):
    people("spine_vertebrae", "vb2_05", "vb2_14", "vb2_17")  # one person of each part
    one_each = {"train": 1, "validation": 1, "test": 1}
    _, tables = run_on_people("08", tmp_path / "output", seeds=[0, 1], steps=1, n_people=one_each)
    check_lite_on_people(tables["08_people"])


def check_lite_on_people(scored: pd.DataFrame) -> None:
    of_lite = scored[scored["model"] == "lite_medsam"]
    assert set(of_lite["dataset"]) == {"spine_vertebrae"}
    assert not of_lite["miniature"].any()
    assert of_lite["dice"].mean() > 0.5, "LiteMedSAM was measured at 0.72 beforehand"
