"""The house as a whole: arrows between the packages, no circles, its size, what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import mskseg

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "mskseg"
MAY_IMPORT = {
    "mskseg": {"mskseg"},
    "mskseg_phantom": {"mskseg", "mskseg_phantom"},
    "mskseg_networks": {"mskseg", "mskseg_networks"},
    "mskseg_mini": {"mskseg", "mskseg_phantom", "mskseg_mini"},
    "mskseg_studies": {"mskseg", "mskseg_phantom", "mskseg_studies"},
}
MOST_LINES, MOST_FILES = 15_000, 110  # of the library: what comes later takes the room of what goes
MOST_TOGETHER = 32_000  # lines of all but the published networks, which are counted apart
MOST_OF_NETWORKS = 900
TORCH = {"torch", "torchvision", "segment_anything", "monai"}
WITHOUT_TORCH = ("mskseg.volume", "mskseg.io", "mskseg.prompts", "mskseg.evaluation.metrics")
HEAVY = ("torch", "SimpleITK", "matplotlib", "pandas", "nibabel", "scipy", "numpy", "monai")


def modules_of(root: Path) -> dict[str, Path]:
    """Every module of the five packages, by its full name; a package is its ``__init__``."""
    paths = [path for package in MAY_IMPORT for path in sorted((root / package).rglob("*.py"))]
    dotted = {".".join(path.relative_to(root).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in dotted.items()}


MODULES = modules_of(ROOT)


def imported_names(source: str) -> set[str]:
    """Full names of everything a source imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides the arrow"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(path: Path, modules: Iterable[str] = tuple(MODULES)) -> set[str]:
    """Our modules that a file imports: of ``package.module.name`` the longest that is a module."""
    found = set()
    for name in imported_names(path.read_text(encoding="utf-8")):
        parts = name.split(".")
        beginnings = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        found.add(next((start for start in beginnings if start in modules), ""))
    return found - {""}


def graph_of(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    return {name: imported_modules(path, tuple(modules)) for name, path in modules.items()}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Find the strongly connected components of more than one module (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in sorted(graph[module]):
            if target not in number:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], number[target])
        if lowest[module] == number[module]:
            at = stack.index(module)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1:
                found.append(sorted(component))

    for module in graph:
        if module not in number:
            visit(module)
    return found


def wrong_arrows(graph: Mapping[str, set[str]]) -> list[str]:
    return [
        f"{module} -> {target}"
        for module, targets in graph.items()
        for target in sorted(targets)
        if target.split(".")[0] not in MAY_IMPORT[module.split(".")[0]]
    ]


def size_of(package: Path) -> tuple[int, int]:
    """Lines, the blank ones and docstrings included, and files."""
    sources = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    return sum(len(source.splitlines()) for source in sources), len(sources)


def write_tree(root: Path, sources: Mapping[str, str]) -> dict[str, Path]:
    for name, source in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return modules_of(root)


# --- arrows and circles ---------------------------------------------------------------------------


def test_arrows_between_the_packages_point_one_way():
    assert wrong_arrows(graph_of(MODULES)) == []


def test_no_package_imports_a_notebook_or_a_test():
    for path in MODULES.values():
        roots = {n.split(".")[0] for n in imported_names(path.read_text(encoding="utf-8"))}
        assert not roots & {"notebooks", "tests", "support", "benchmarks"}, path


def test_no_modules_import_each_other_in_a_circle():
    graph = graph_of(MODULES)
    stub = (LIBRARY / "__init__.pyi").read_text(encoding="utf-8").replace("from .", "from mskseg.")
    lazily = {name.rpartition(".")[0] for name in imported_names(stub)}
    assert lazily <= set(MODULES)
    graph["mskseg"] |= lazily  # what the lazy names import counts too
    assert circles(graph) == []


def test_the_rule_of_arrows_sees_an_import_inside_a_function(tmp_path: Path):
    modules = write_tree(
        tmp_path,
        {
            "mskseg/__init__.py": "",
            "mskseg/wrong.py": "def f():\n    from mskseg_phantom import scans\n",
            "mskseg_phantom/__init__.py": "",
            "mskseg_phantom/scans.py": "import mskseg_mini.weights\n",
            "mskseg_mini/__init__.py": "from mskseg_phantom.scans import scan\n",
            "mskseg_mini/weights.py": "import mskseg\n",
        },
    )
    assert wrong_arrows(graph_of(modules)) == [
        "mskseg.wrong -> mskseg_phantom.scans",
        "mskseg_phantom.scans -> mskseg_mini.weights",
    ]


def test_the_rule_of_circles_sees_one_through_a_function_and_an_init(tmp_path: Path):
    modules = write_tree(
        tmp_path,
        {
            "mskseg/__init__.py": "",
            "mskseg/a.py": "def f():\n    from mskseg.room import name\n",
            "mskseg/room/__init__.py": "from mskseg.room.b import name as name\n",
            "mskseg/room/b.py": "from mskseg.a import f\nname = 1\n",
            "mskseg/room/c.py": "from mskseg.room.b import name\n",
        },
    )
    assert circles(graph_of(modules)) == [["mskseg.a", "mskseg.room", "mskseg.room.b"]]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_relative_imports_are_refused():
    with pytest.raises(AssertionError, match="relative"):
        imported_names("from .volume import Volume")


# --- size -----------------------------------------------------------------------------------------


def test_the_library_stays_thin():
    lines, files = size_of(LIBRARY)
    assert lines <= MOST_LINES, "take the room of what comes from what it replaces"
    assert files <= MOST_FILES


def test_the_packages_stay_small_together():
    lines = {package: size_of(ROOT / package)[0] for package in MAY_IMPORT}
    assert lines.pop("mskseg_networks") <= MOST_OF_NETWORKS
    assert sum(lines.values()) <= MOST_TOGETHER, lines


def test_size_counts_blank_lines_and_files(tmp_path: Path):
    write_tree(tmp_path, {"mskseg/__init__.py": "", "mskseg/a.py": "x = 1\n\n\ny = 2\n"})
    assert size_of(tmp_path / "mskseg") == (4, 2)


# --- what an import loads -------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_volumes_files_prompts_and_metrics_name_no_torch(name: str):
    """Neither at the top nor inside functions, in the room itself."""
    inside = [module for module in MODULES if f"{module}.".startswith(f"{name}.")]
    assert inside
    for module in inside:
        source = MODULES[module].read_text(encoding="utf-8")
        assert not {n.split(".")[0] for n in imported_names(source)} & TORCH, module


def test_the_rule_of_torch_sees_it_inside_a_function():
    assert imported_names("def f():\n    import torch.nn\n") == {"torch.nn"}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_volumes_files_prompts_and_metrics_load_no_torch(name: str):
    heavy = sorted(TORCH | {"matplotlib", "IPython"})
    assert run(f"import sys, {name}; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_import_is_silent_and_loads_nothing_heavy():
    assert run(f"import sys, mskseg; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_no_room_of_the_notebooks_waits_for_torchvision():
    rooms = sorted(path.name for path in (ROOT / "mskseg_studies").iterdir() if path.is_dir())
    names = ", ".join(f"mskseg_studies.{room}" for room in rooms if room[0] != "_")
    heavy = ["torchvision", "torch._dynamo"]  # seconds of each start
    assert run(f"import sys, {names}; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_what_is_loaded_would_be_seen():
    assert run("import sys, mskseg; mskseg.Volume; print('numpy' in sys.modules)") == "True"


def test_import_is_quick():
    timed = "import time; t = time.process_time(); import mskseg; print(time.process_time() - t)"
    assert min(float(run(timed)) for _ in range(3)) < 0.3


def test_import_leaves_seeds_warnings_and_threads_alone():
    run(
        "import random, warnings, threading; random.seed(1); state = random.getstate();"
        "filters = list(warnings.filters); import mskseg;"
        "assert random.getstate() == state and warnings.filters == filters;"
        "assert threading.active_count() == 1"
    )


# --- the library alone ----------------------------------------------------------------------------

EXTRAS = (
    "anywidget ipykernel ipywidgets jupyter_core jupyterlab jupytext nbconvert nbformat papermill "
    "psutil traitlets IPython segmentation_models_pytorch nnunetv2 highdicom"
)
ROOMS = (
    "evaluation display models datasets.loading io prompts finetuning cli.main cli.evaluate "
    "cli.segment cli.finetune workbook.sources"
)


def test_the_rooms_of_the_library_need_no_extra():
    run(
        f"import sys; sys.modules.update(dict.fromkeys({EXTRAS.split()}));"
        f"import {', '.join(f'mskseg.{room}' for room in ROOMS.split())}"
    )


# --- the facade -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", mskseg.__all__)
def test_every_public_name_can_be_had_and_documents_itself(name: str):
    assert getattr(mskseg, name).__doc__
    assert name in dir(mskseg)


def test_a_public_name_is_not_hidden_by_the_module_of_its_name():
    code = "import mskseg.provenance, mskseg; print(callable(mskseg.provenance))"
    assert run(code) == "True"


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="segment_everything"):
        mskseg.segment_everything  # noqa: B018


def test_the_version_is_known_without_installation(monkeypatch: pytest.MonkeyPatch):
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert mskseg.__version__ == "0+unknown"


# --- examples in docstrings -----------------------------------------------------------------------


WITH_EXAMPLES = [name for name, path in MODULES.items() if ">>> " in path.read_text("utf-8")]


def test_there_are_examples_and_none_is_skipped():
    assert WITH_EXAMPLES
    for name in WITH_EXAMPLES:
        assert "+SKIP" not in MODULES[name].read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_run(name: str):
    import doctest
    from importlib import import_module

    result = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted
    assert result.failed == 0
