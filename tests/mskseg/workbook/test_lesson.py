"""The learners' copy has no solutions and still runs; the slides open without internet."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mskseg.cli.main import main
from mskseg.workbook import load_notebook, run_workbook
from mskseg.workbook.lesson import (
    HIDE_INPUT,
    learner_copy,
    questions_about,
    slide_copy,
    write_lesson,
)

FOLDER = Path(__file__).parents[3] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))

NOTEBOOK = """# %% [markdown]
# # Count apples
#
# How many are there?
# %% [markdown]
# **What you will do**: count.
# %%
import math
# %% tags=["parameters"]
n = 2  # apples
output = "../output"  # folder
# %%
print(n)
# %% [markdown]
# ## Look at them
#
# There are apples on the table. They are red. There is a second sentence.
#
# > **Guess**: how many?
# %% alt="A picture of apples on a table"
print("picture of", n)
# %% [markdown]
# **What you see**: apples.
#
# ### Exercise 1: count (5 minutes)
#
# Count them. *Hint: one, two.*
# %% tags=["exercise"]
mine = 0
# %% tags=["solution"] jupyter={"source_hidden": true}
secret = n * 1
# %% [markdown]
# **Discussion**: there were two.
# %% [markdown] tags=["quiz"]
# ## Quiz
#
# **1.** Are two apples fruit?
#
# <details><summary>Answer</summary>
#
# Both are.
#
# </details>
#
# **2.** Is one?
#
# <details><summary>Answer</summary>
#
# It is too.
#
# </details>
# %% [markdown]
# ## Limits
#
# Apples only.
"""
GUIDE = """# Guide

## Questions

### 01_count_apples

1. Is a pear an apple?
2. Who counted?

### 02_other

1. Nothing?
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone") / "notebooks"
    (folder / "studies").mkdir(parents=True)
    (folder / "01_count_apples.py").write_text(NOTEBOOK, encoding="utf-8")
    (folder / "sizes.yaml").write_text("01_count_apples: {quick: {n: 3}}", encoding="utf-8")
    (folder / "README.md").write_text(GUIDE, encoding="utf-8")
    (folder / "studies" / "apples.md").write_text("# Apples", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def lesson(folder: Path):
    output = folder.parent / "output"
    run_workbook(folder=folder, output=output, size="quick", progress=False)
    shown = write_lesson(folder=folder, output=output)
    written = output / "lesson"
    return SimpleNamespace(shown=shown, slides=written / "slides", learners=written / "learners")


@pytest.fixture
def slides(lesson) -> list[dict]:
    text = (lesson.slides / "01_count_apples.ipynb").read_text(encoding="utf-8")
    return json.loads(text)["cells"]


def kinds(cells: list[dict], kind: str) -> str:
    of_kind = [c for c in cells if c["metadata"]["slideshow"]["slide_type"] == kind]
    return "\n".join("".join(cell["source"]) for cell in of_kind)


def test_learners_get_an_empty_cell_for_a_solution_and_a_folded_discussion(lesson):
    notebook = load_notebook(lesson.learners / "01_count_apples.ipynb")
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "secret" not in text
    assert len(notebook.cells) == 13  # the source's
    assert notebook.cells[9].source == ""
    discussion = notebook.cells[10].source
    assert discussion.startswith("<details><summary>")
    assert discussion.index("There were two") < discussion.index("</details>")
    assert all(not cell.get("outputs") for cell in notebook.cells)


def test_learners_are_asked_the_quiz_and_the_leader_has_the_answers(lesson, slides):
    quiz = load_notebook(lesson.learners / "01_count_apples.ipynb").cells[11].source
    assert quiz == "## Quiz\n\n**1.** Are two apples fruit?\n\n**2.** Is one?"
    assert "Is one?" in kinds(slides, "slide")
    assert "Both are" not in kinds(slides, "slide")
    assert "Both are" in kinds(slides, "notes")
    assert "It is too" in kinds(slides, "notes")


def test_text_after_a_discussion_stays_outside_the_fold():
    solved = new_code_cell("a = 1", metadata={"tags": ["solution"]})
    after = new_markdown_cell("**Discussion**: two.\n\n## Limits\n\nApples only.")
    text = learner_copy(new_notebook(cells=[solved, after])).cells[1].source
    assert text.index("</details>") < text.index("## Limits")


def test_the_notebook_itself_is_left_as_it_is():
    notebook = load_notebook(SOURCES[0])
    before = [cell.source for cell in notebook.cells]
    assert [cell.source for cell in learner_copy(notebook).cells] != before
    slide_copy(notebook)
    assert [cell.source for cell in notebook.cells] == before


def test_learners_get_the_guide_and_the_study_cards_too(lesson):
    assert (lesson.learners / "README.md").is_file()
    assert (lesson.learners / "studies" / "apples.md").is_file()


def test_the_group_sees_the_guess_and_the_leader_the_explanation(slides):
    assert "Guess**: how many" in kinds(slides, "slide")
    assert "They are red" not in kinds(slides, "slide")
    assert "They are red" in kinds(slides, "notes")
    assert "What you see**: apples" in kinds(slides, "notes")
    assert "secret = n * 1" in kinds(slides, "notes")
    assert "there were two" in kinds(slides, "notes")
    assert "Count them" in kinds(slides, "subslide")
    assert "import math" in kinds(slides, "skip")


def test_notes_belong_to_the_slide_that_they_explain(slides):
    order = ["".join(cell["source"])[:12] for cell in slides]
    assert order.index("**What you s") == order.index('print("pictu') + 1
    assert order.index("**Solution**") == order.index("mine = 0") + 1


def test_slides_show_what_the_run_gave_and_hide_the_code_of_figures(lesson, slides):
    (picture,) = [cell for cell in slides if "picture" in "".join(cell["source"])]
    assert picture["outputs"][0]["text"] == ["picture of 3\n"]
    assert HIDE_INPUT in picture["metadata"]["tags"]
    page = (lesson.slides / "01_count_apples.html").read_text(encoding="utf-8")
    assert "picture of 3" in page
    assert "print(" not in re.sub(r"<aside.*?</aside>|<script.*?</script>", "", page, flags=re.S)
    assert lesson.shown == {"01_count_apples": True}


def test_slides_end_with_the_questions_of_the_guide(folder, slides):
    assert questions_about("01_count_apples", folder) == ["Is a pear an apple?", "Who counted?"]
    assert "".join(slides[-1]["source"]).endswith("1. Is a pear an apple?\n2. Who counted?")
    assert questions_about("03_absent", folder) == []


def test_slides_load_nothing_from_elsewhere(lesson):
    page = (lesson.slides / "01_count_apples.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "require(" not in page
    assert "cdn" not in page
    assert "postMessage" in page


def test_nbconverts_own_slides_take_the_notebook(lesson):
    from nbconvert import SlidesExporter

    page, _ = SlidesExporter().from_filename(str(lesson.slides / "01_count_apples.ipynb"))
    assert page.count('<aside class="notes">') >= 4
    assert page.count("<section") == page.count("</section>") >= 6


def test_a_notebook_that_was_not_run_becomes_slides_with_its_code(folder, tmp_path):
    assert write_lesson(folder=folder, output=tmp_path) == {"01_count_apples": False}
    page = (tmp_path / "lesson" / "slides" / "01_count_apples.html").read_text(encoding="utf-8")
    assert "picture of" in page


def test_the_command_says_where_both_are(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert main(["lesson", "--output", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "1 notebooks for learners" in text
    assert str(tmp_path / "lesson" / "slides") in text
    assert "without results" in text


def test_an_output_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "output").touch()
    assert main(["lesson", "--output", str(tmp_path / "output")]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_after_a_solution_needs_it(path: Path):
    """The learners' copy runs to its end with the solutions still empty."""
    solved: set[str] = set()
    for cell in (c for c in load_notebook(path).cells if c.cell_type == "code"):
        names = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Name)]
        stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        used = {name.id for name in names if isinstance(name.ctx, ast.Load)}
        if "solution" in cell.metadata.get("tags", []):
            solved |= stored
        else:
            assert not (used - stored) & solved, f"needs {(used - stored) & solved}"
            solved -= stored


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_notebook_has_three_questions_to_argue_about(path: Path):
    questions = questions_about(path.stem, FOLDER)
    assert len(questions) == 3
    assert all(question.endswith("?") for question in questions)
