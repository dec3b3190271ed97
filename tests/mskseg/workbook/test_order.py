"""Of several notebooks at a time the first goes first, then those that take longest."""

from __future__ import annotations

import pytest

from mskseg.workbook import execution
from mskseg.workbook.execution import NotebookRun, run_workbook
from mskseg.workbook.sources import find_notebooks, notebooks_folder


def write_notebook(folder, name, minutes):
    cost = f"*Core · about {minutes} to run on two CPU cores*" if minutes else "seconds"
    text = f'# %% [markdown]\n# # {name}\n#\n# {cost}\n\n# %% tags=["parameters"]\nx = 1\n'
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [(1, ["01_a", "02_b", "03_c", "04_d"]), (2, ["01_a", "03_c", "02_b", "04_d"])],
)
def test_longest_first_but_for_the_first_page(tmp_path, monkeypatch, jobs, expected):
    for name, minutes in (("01_a", 1), ("02_b", 2), ("03_c", 10), ("04_d", 0)):
        write_notebook(tmp_path, name, minutes)
    sizes = "".join(f"{path.stem}:\n  quick: {{}}\n" for path in sorted(tmp_path.glob("*.py")))
    (tmp_path / "sizes.yaml").write_text(sizes)
    asked: list[str] = []

    def only_ask(run, paths, jobs):
        asked.extend(path.stem for path in paths)
        for path in paths:
            page = tmp_path / f"{path.stem}.html"
            yield NotebookRun(path.stem, "passed", 0.1, page)

    monkeypatch.setattr(execution, "_at_a_time", only_ask)
    runs = run_workbook(folder=tmp_path, output=tmp_path / "output", size="quick", jobs=jobs)
    assert asked == expected
    assert [run.name for run in runs] == sorted(expected)


def test_each_notebook_says_how_long_it_runs():
    paths = find_notebooks(notebooks_folder())
    unsaid = [path.stem for path in paths if not execution._minutes_to_run(path)]
    assert unsaid == ["09_weigh_the_claims"]  # seconds
