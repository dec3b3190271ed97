from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mskseg

PACKAGE = Path(mskseg.__file__).parent
HEAVY = ("torch", "SimpleITK", "matplotlib", "pandas", "nibabel", "scipy", "numpy", "monai")

BASE = {"errors", "files", "environment"}  # no layer: they import nothing of ours but each other
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    "data": BASE | {"data"},
    "prompts": BASE | {"prompts"},
    "models": BASE | {"models", "data", "prompts"},
    # The assessment and what selects a tuning score with the library's own evaluation.
    "training": BASE | {"training", "evaluation", "models", "data", "prompts"},
    "evaluation": BASE | {"evaluation", "models", "data", "prompts", "provenance"},
    "specialists": BASE | {"specialists", "training", "evaluation", "models", "data", "prompts"},
}
TOP = {"workbook", "cli", "commands"}
COMMANDS = {"training/assess.py"}  # run by `python -m`, imported by nothing of ours
NO_TORCH = ("data", "prompts", "evaluation/metrics", "evaluation/surfaces", "evaluation/volumes")


def imports_of(path: Path) -> set[str]:
    """Full names of everything a module imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_parts(path: Path) -> set[str]:
    """Our sub-packages that a module imports: {"data", "errors"}."""
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("mskseg.")}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards_only(path):
    part = part_of(path)
    if part in TOP or path == PACKAGE / "__init__.py":
        return
    imported = own_parts(path)
    assert not imported & TOP, "nothing imports workbook or cli"
    assert not any(name.startswith("mskseg_mini.assess.") for name in imports_of(path))
    if path.relative_to(PACKAGE).as_posix() in COMMANDS:
        return
    if part in MAY_IMPORT:
        known = {p.stem if p.suffix else p.name for p in PACKAGE.iterdir()}
        assert imported & known <= MAY_IMPORT[part]


@pytest.mark.parametrize("layer", NO_TORCH)
def test_data_prompts_and_metrics_know_no_torch(layer):
    place = PACKAGE / layer
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert paths
    for path in filter(Path.exists, paths):
        roots = {name.split(".")[0] for name in imports_of(path)}
        assert not roots & {"torch", "torchvision", "segment_anything", "monai"}, path


def test_the_rule_sees_an_import_that_points_upwards(tmp_path):
    """The check itself can fail: imports inside functions count."""
    module = tmp_path / "wrong.py"
    module.write_text("def f():\n    from mskseg.models import segmenter\n    import torch.nn\n")
    assert own_parts(module) == {"models"}
    assert "torch.nn" in imports_of(module)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )


def test_import_is_silent_and_loads_nothing_heavy():
    done = run(f"import sys, mskseg; print([m for m in {HEAVY} if m in sys.modules])")
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_import_is_quick():
    timed = "import time; t = time.perf_counter(); import mskseg; print(time.perf_counter() - t)"
    assert min(float(run(timed).stdout) for _ in range(3)) < 0.3


def test_import_leaves_seeds_warnings_and_threads_alone():
    run(
        "import random, warnings, threading; random.seed(1); state = random.getstate();"
        "filters = list(warnings.filters); import mskseg;"
        "assert random.getstate() == state and warnings.filters == filters;"
        "assert threading.active_count() == 1"
    )


def test_loading_a_nifti_needs_neither_torch_nor_simpleitk():
    done = run(
        "import sys; from mskseg.data import readers, cases; import mskseg.prompts;"
        "print([m for m in ('torch', 'SimpleITK', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(set(mskseg.__all__) - {"__version__"}))
def test_every_public_name_has_a_home_that_defines_it(name):
    """Read from the source, since importing torch costs seconds."""
    module = PACKAGE.parent / (mskseg._HOMES[name].replace(".", "/") + ".py")
    tree = ast.parse(module.read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert name in defined | {full.split(".")[-1] for full in imports_of(module)}
    assert name in dir(mskseg)


def test_public_names_are_imported_when_used():
    assert mskseg.Volume.__module__ == "mskseg.volume"
    assert mskseg.load_image.__module__ == "mskseg.io.readers"


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
        mskseg.segment_everything  # noqa: B018


def test_version_is_told_without_installation(monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert mskseg.__version__ == "0+unknown"
