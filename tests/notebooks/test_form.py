"""The anatomy of every notebook in the folder; a new one is found by itself."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mskseg.cli.run import SIZES
from mskseg.workbook import declared_parameters, load_notebook, read_sizes
from mskseg.workbook.pairing import notebook_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))
ADDRESS = re.compile(r"https?://|www\.|(?<![\w.])/(home|work|Users|tmp|root|mnt)/|[A-Z]:\\\\")
HASH = re.compile(r"\b[0-9a-f]{32,}\b")


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def source(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def cells(source: Path) -> list[Any]:
    return load_notebook(source).cells


def _code(cells: list[Any], tag: str | None = None) -> list[str]:
    code = [cell for cell in cells if cell.cell_type == "code"]
    return [cell.source for cell in code if tag is None or tag in cell.metadata.get("tags", [])]


def _headings(cells: list[Any]) -> list[str]:
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def test_there_is_a_notebook_and_none_without_its_pair():
    assert SOURCES
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {path.stem for path in SOURCES}


def test_every_notebook_has_parameters_for_every_size_and_declares_them():
    sizes = read_sizes(FOLDER)
    assert set(sizes) == {path.stem for path in SOURCES}
    for path in SOURCES:
        declared = declared_parameters(load_notebook(path))
        assert set(sizes[path.stem]) == set(SIZES), path
        assert set().union(*sizes[path.stem].values()) <= declared, path


def test_data_models_and_device_have_the_names_that_mskseg_run_gives(cells: list[Any]):
    """All three, as lists and a word; the notebook that judges tables loads none of them."""
    statements = [node for node in ast.parse(cells[4].source).body if isinstance(node, ast.Assign)]
    given = {node.targets[0].id: ast.literal_eval(node.value) for node in statements}
    kinds = {name: type(given[name]) for name in ("datasets", "models", "device") if name in given}
    assert kinds == ({} if "tables" in given else {"datasets": list, "models": list, "device": str})
    assert not {"dataset", "model"} & set(given)


def test_pair_is_equal_and_without_outputs_counts_or_random_ids(source: Path):
    text = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert text == notebook_text(load_notebook(source)), "run `make notebooks`"


def test_name_and_title_say_what_is_done(source: Path, cells: list[Any]):
    assert re.fullmatch(r"\d\d_[a-z]+(_[a-z0-9]+)+", source.stem)
    title, question, cost = cells[0].source.split("\n\n")
    assert re.match(r"# [A-Z]\w+ ", title)
    assert question.endswith("?")
    assert "CPU" in cost
    assert "previous notebook" in cost


def test_the_guide_has_the_path_and_the_minutes_of_the_header(source: Path, cells: list[Any]):
    guide = (FOLDER / "README.md").read_text(encoding="utf-8")
    row = rf"\| \[{source.stem}\]\({source.name}\) \| .+ \| (core|deepening) \| (\d+) \| \d+ \|"
    ((path, minutes),) = re.findall(row, guide)
    assert path == ("deepening" if "06" <= source.name[:2] <= "09" else "core")
    if said := re.search(r"\*(Core|Deepening) · (\d+) minutes to read and try", cells[0].source):
        assert (said[1].lower(), said[2]) == (path, minutes)


def test_second_cell_says_what_is_done_learned_and_needed(cells: list[Any]):
    for part in ("**What you will do**", "**What you will learn**", "**What you need**"):
        assert part in cells[1].source
    assert 3 <= len(re.findall(r"^- ", cells[1].source, flags=re.MULTILINE)) <= 5


def test_the_third_cell_is_the_same_set_up_for_colab_in_every_notebook(cells: list[Any]):
    assert [i for i, c in enumerate(cells) if "colab" in c.metadata.get("tags", [])] == [2]
    assert cells[2].source == load_notebook(SOURCES[0]).cells[2].source


def test_the_set_up_for_colab_does_nothing_elsewhere_and_installs_there(
    monkeypatch: pytest.MonkeyPatch,
):
    code = load_notebook(SOURCES[0]).cells[2].source
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, *, check: commands.append(command))
    exec(code, {})
    assert commands == []
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    exec(code, {})
    ((*start, wanted),) = commands
    assert start == [sys.executable, "-m", "pip", "install", "--quiet"]
    extras = re.fullmatch(r"mskseg\[([a-z,]+)\]", wanted).group(1).split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"workbook", "train", "lite"} == set(extras) <= set(project["optional-dependencies"])


def test_imports_stand_in_the_fourth_cell_only(cells: list[Any]):
    kinds = (ast.Import, ast.ImportFrom)
    assert all(isinstance(node, kinds) for node in ast.parse(cells[3].source).body)
    for cell in (cell for cell in cells[4:] if cell.cell_type == "code"):
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(cell.source)))


def _top_level(tree: ast.Module) -> list[str]:
    return [
        full
        for node in tree.body
        for full in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
        )
    ]


def imports_that_break_the_rule(source: str, number: str) -> list[str]:
    """Ours: ``mskseg``, rooms of the library, one module of ``mskseg_studies``.

    Phantoms and miniatures come by name through the manifest; the data and the model chapter look
    inside their packages.
    """
    names = [name for name in _top_level(ast.parse(source)) if name.startswith("mskseg")]
    inside = {"mskseg_phantom", "mskseg_mini"} if number in {"01", "02"} else set()
    wrong = []
    for name in names:
        package, *rest = name.split(".")
        room = package == "mskseg" and len(rest) < 2 and (ROOT / "mskseg" / Path(*rest)).is_dir()
        study = package == "mskseg_studies" and len(rest) == 1
        if not (room or study or package in inside):
            wrong.append(name)
    studies = [name for name in names if name.startswith("mskseg_studies")]
    return wrong + studies[1:]


def test_imports_are_seven_lines_at_most_of_public_names_and_one_study(
    source: Path, cells: list[Any]
):
    lines = [line for line in cells[3].source.splitlines() if line.strip()]
    assert len(lines) <= 7, lines
    assert imports_that_break_the_rule(cells[3].source, source.name[:2]) == []


def test_the_rule_of_imports_sees_modules_phantoms_and_a_second_study():
    good = "import numpy as np\nimport mskseg\nfrom mskseg import display\n"
    assert imports_that_break_the_rule(f"{good}from mskseg_studies import tuning", "04") == []
    assert imports_that_break_the_rule("import mskseg_phantom", "01") == []
    for wrong in (
        "from mskseg.evaluation.metrics import dice",
        "import mskseg_phantom",
        "from mskseg_studies.tuning.bench import TuningBench",
        "from mskseg_studies import tuning, published",
    ):
        assert imports_that_break_the_rule(good + wrong, "04"), wrong


def test_arguments_are_spelled_out(source: Path, cells: list[Any]):
    """No ``f(**arguments)``: a reader sees what is passed. CSS names, with hyphens, may be so."""
    for code in _code(cells):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and not ast.unparse(node.func).endswith("set_properties"):
                assert all(keyword.arg for keyword in node.keywords), ast.unparse(node)


def test_next_and_previous_follow_the_path(source: Path, cells: list[Any]):
    numbers = [path.name[:2] for path in SOURCES]
    at = numbers.index(source.name[:2])
    first_line = re.search(r"previous notebook:? *([^;.|\n]*)", cells[0].source).group(1)
    if at:
        assert numbers[at - 1] in first_line, first_line
    if at + 1 < len(numbers):
        text = cells[-1].source.partition("## Next")[2].partition("\n- ")[0]
        assert numbers[at + 1] in text or SOURCES[at + 1].stem in text, text


def test_the_fifth_cell_is_the_only_parameters_cell_and_holds_commented_literals(cells: list[Any]):
    assert [i for i, c in enumerate(cells) if "parameters" in c.metadata.get("tags", [])] == [4]
    lines = cells[4].source.splitlines()
    for statement in ast.parse(cells[4].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
        first = lines[statement.lineno - 1]  # a long list goes on below it
        assert "  # " in first, f"without a comment: {first}"


def test_the_sixth_cell_prints_versions_device_and_seed(cells: list[Any]):
    last = cells[5].source.splitlines()[-1]
    assert last.startswith("print(")
    for word in ("__version__", "device", "seed"):
        assert word in last


def test_number_and_length_of_cells(cells: list[Any]):
    lengths = [len(code.splitlines()) for code in _code(cells)]
    assert 25 <= len(cells) <= 45
    assert statistics.median(lengths) <= 6
    assert max(lengths) <= 20


def test_functions_are_short_and_a_name_is_bound_once(cells: list[Any]):
    bound: Counter[str] = Counter()
    for code in _code(cells):
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 8, node.name
        targets = [t for s in tree.body if isinstance(s, ast.Assign) for t in s.targets]
        names = (n for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))
        bound.update(name.id for name in names if isinstance(name.ctx, ast.Store))
    assert [name for name, times in bound.items() if times > 1] == []


def test_no_magics_no_addresses_no_hashes_no_test_switches(cells: list[Any]):
    for cell in cells:
        assert not ADDRESS.search(cell.source), cell.source
        assert not HASH.search(cell.source), cell.source
    for code in _code(cells):
        assert not re.search(r"^\s*[%!]", code, flags=re.MULTILINE)
        assert not re.search(r"\bif .*(TEST|CI)\b|environ", code)


def test_no_cell_is_allowed_to_fail_or_be_skipped(cells: list[Any]):
    tags = {tag for cell in cells for tag in cell.metadata.get("tags", [])}
    assert tags <= {"colab", "parameters", "exercise", "solution", "quiz"}


def test_pitfalls_are_few_caught_by_exact_type_and_asserted(cells: list[Any]):
    handlers = [
        (node, code)
        for code in _code(cells)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Try)
    ]
    assert len(handlers) <= 2
    for node, code in handlers:
        caught = [ast.unparse(handler.type) for handler in node.handlers if handler.type]
        assert len(caught) == len(node.handlers) == 1
        assert caught[0] not in {"Exception", "BaseException"}
        assert any(isinstance(inner, ast.Assert) for inner in ast.walk(node.handlers[0])), code
        assert node.orelse, "without an else, a failure that no longer happens passes"


def test_exercises_have_goal_hint_minutes_and_an_executed_collapsed_solution(cells: list[Any]):
    tags = [cell.metadata.get("tags", []) for cell in cells]
    exercises = [i for i, tag in enumerate(tags) if "exercise" in tag]
    assert exercises
    assert len(exercises) == sum("solution" in tag for tag in tags)
    for i in exercises:
        assert re.search(r"### Exercise \d.*\(\d+ minutes\)", cells[i - 1].source)
        assert "*Hint" in cells[i - 1].source
        assert tags[i + 1] == ["solution"]
        assert cells[i + 1].metadata["jupyter"] == {"source_hidden": True}
        assert cells[i + 2].source.startswith("**Discussion**")


def test_results_are_guessed_before_and_explained_after(cells: list[Any]):
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert text.count("> **Guess**") >= 2
    assert text.count("**What you see**") >= 4


def test_figures_have_alternative_text(cells: list[Any]):
    drawing = re.compile(r"\b(overlay|dice_by_tissue|show_slice|plt\.)\b")
    for cell in cells[3:]:
        if cell.cell_type == "code" and drawing.search(cell.source):
            assert len(cell.metadata.get("alt", "")) > 20, cell.source


def test_it_ends_with_takeaways_from_a_table_limits_and_next_with_dois(cells: list[Any]):
    assert _headings(cells)[-3:] == ["Take-aways", "Limits", "Next"]
    assert cells[-2].source.startswith("## Limits")
    assert 2 <= len(re.findall(r"doi:10\.\d{4,}/\S+", cells[-1].source)) <= 3
    takeaways = cells[-3]
    assert takeaways.cell_type == "code"
    literal = re.sub(r"\{[^{}]*\}", "", takeaways.source.partition('"""')[2])
    assert not re.search(r"\d", literal), "a number typed by hand"


def test_five_questions_with_folded_answers_stand_before_the_take_aways(cells: list[Any]):
    quizzes = [i for i, cell in enumerate(cells) if "quiz" in cell.metadata.get("tags", [])]
    assert len(quizzes) == 1
    quiz, after = cells[quizzes[0]].source, cells[quizzes[0] + 1].source
    assert quiz.startswith("## Quiz")
    assert re.findall(r"(?m)^\*\*(\d)\.\*\* .+\?", quiz) == list("12345")
    answers = re.findall(r"<details><summary>Answer</summary>\n\n(.+?)\n\n</details>", quiz, re.S)
    assert len(answers) == 5
    assert not any(re.search(r"\d\.\d", answer) for answer in answers), "a result typed by hand"
    assert after.startswith("## Take-aways")
    assert "**If you remember one thing**: " in after


def test_what_notebook_03_scored_is_kept_and_not_predicted_again():
    """Pictures and the worst cases come from `KeptPredictions`; only exercises score again."""
    cells = load_notebook(next(path for path in SOURCES if path.stem.startswith("03"))).cells
    code = _code(
        [c for c in cells if not {"exercise", "solution"} & set(c.metadata.get("tags", []))]
    )
    scoring = next(k for k, text in enumerate(code) if "kept=predictions" in text)
    again = re.compile(r"\.predict\(|predict_slice\(|score_cases\(")
    assert not any(again.search(text) for text in code[scoring + 1 :])
    assert any("predictions[" in text for text in code[scoring + 1 :])
