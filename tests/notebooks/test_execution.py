"""Every notebook runs at quick size, as `mskseg run --size quick` runs it; none is skipped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

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


@pytest.mark.real
@pytest.mark.slow
def test_zero_shot_runs_on_a_real_thigh(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from mskseg.datasets.fetching import fetch

    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    fetch("qmritools_thigh", from_dir=real_data, progress=False)
    (run,) = run_workbook(
        ["03"],
        folder=FOLDER,
        output=tmp_path / "output",
        size="quick",
        given={"datasets": ["qmritools_thigh"], "models": ["sam_vit_mini"]},
        progress=False,
    )
    assert run.status == "passed", f"cell {run.cell}: {run.error}"
    page = run.page.read_text(encoding="utf-8")
    assert "automatic" in page


PEOPLE = {"datasets": ["spine_vertebrae"], "models": ["lite_medsam"]}
SMALLEST = {
    "06": {"n_points": 2},
    "08": {"seeds": [0, 1], "steps": 1} | {"n_people": {"train": 1, "validation": 1, "test": 1}},
}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("number", SMALLEST)
def test_prompting_and_uncertainty_run_on_people_with_a_published_model(
    number: str, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lite_medsam
):
    from mskseg.datasets.fetching import fetch

    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    roles = ["vb2_05", "vb2_14", "vb2_17"]  # one person of each part
    fetch("spine_vertebrae", from_dir=real_data / "fastcleverseg", roles=roles, progress=False)
    (run,) = run_workbook(
        [number],
        folder=FOLDER,
        output=tmp_path / "output",
        size="quick",
        given=PEOPLE | SMALLEST[number],
        progress=False,
    )
    assert run.status == "passed", f"cell {run.cell}: {run.error}"
    assert run.stderr_lines == 0
    tables = {path.name: pd.read_csv(path) for path in (tmp_path / "output").glob("tables/*.csv")}
    scored = tables["06_resolution.csv" if number == "06" else "08_people.csv"]
    of_lite = scored[scored["model"] == "lite_medsam"]
    assert set(of_lite["dataset"]) == {"spine_vertebrae"}
    assert not of_lite["miniature"].any()
    assert of_lite["dice"].mean() > 0.5, "LiteMedSAM was measured at 0.72 beforehand"
    assert [one.why for one in judge_output(tmp_path / "output").vanished] == []
    if number == "06":
        assert set(of_lite["prompt"]) == {"box"}
        assert "these take boxes alone: lite_medsam" in run.page.read_text(encoding="utf-8")


@pytest.mark.real
@pytest.mark.slow
def test_real_water_fat_and_echoes_are_compared_with_each_other(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from mskseg.datasets.fetching import fetch

    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    fetch("qmritools_dixon", from_dir=real_data, progress=False)
    (run,) = run_workbook(
        ["06"],
        folder=FOLDER,
        output=tmp_path / "output",
        size="quick",
        given={"echo_folder": str(real_data / "pymskt" / "mese"), "n_points": 2},
        progress=False,
    )
    assert run.status == "passed", f"cell {run.cell}: {run.error}"
    page = run.page.read_text(encoding="utf-8")
    assert "real legs, water and fat: 2 images" in page
    assert "real echoes: 8 images" in page
    assert "agreement, not accuracy" in page


@pytest.mark.real
@pytest.mark.slow
def test_errors_of_a_published_model_on_real_vertebrae(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lite_medsam
):
    from mskseg.datasets.fetching import fetch

    monkeypatch.setenv("MSKSEG_CACHE", str(tmp_path / "cache"))
    here = ["vb2_17", "vb3_07"]
    fetch("spine_vertebrae", roles=here, from_dir=real_data, progress=False)
    (run,) = run_workbook(
        ["05"],
        folder=FOLDER,
        output=tmp_path / "output",
        size="quick",
        given={"datasets": ["spine_vertebrae"], "models": [lite_medsam.name]},
        progress=False,
    )
    assert run.status == "passed", f"cell {run.cell}: {run.error}"
    scores = pd.read_csv(tmp_path / "output" / "tables" / "05_errors.csv")
    assert set(scores["data"]) == {"people", "people, other site"}
    assert set(scores["tissue"]) == {"vertebral body"}
    assert scores.groupby("subject")["label"].nunique().min() >= 5
    assert not scores["miniature"].any()
