"""Set-up files say the same thing, and no committed file knows this machine or an index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from mskseg import environment

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"jupyter-core": "jupyter_core", "matplotlib": "matplotlib-base", "torch": "pytorch"}
TEXT = {".py", ".toml", ".txt", ".yml", ".yaml", ".md", ".cff", ".ipynb", ".json", ".csv", ""}
MAY_HOLD_ADDRESSES = {"data_manifest.yaml", "LICENSE"}
# A server of a test on this machine, and names that can never be reached.
HARMLESS = re.compile(
    r"https?://(127\\?\.0\\?\.0\\?\.1|localhost|([\w.]+\.)?(invalid|test|example)\b)"
)


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _requirements() -> dict[str, str]:
    project = _project()
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["nnunet"], *extras["test"]]
    lines.remove("mskseg[nnunet]")  # how the test extra includes the other one
    pairs = (re.match(r"([\w-]+)(.*)", line).groups() for line in lines)
    return {name: ranges.replace(" ", "") for name, ranges in pairs}


def _pins() -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition("==")
            pins.setdefault(name, set()).add(rest.partition(" ;")[0])
    return pins


def _committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout.splitlines()
    paths = [ROOT / name for name in listed]
    return [path for path in paths if path.is_file() and path.suffix in TEXT]


def test_environment_yml_has_the_ranges_of_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = dict(
        re.split(r"\s+", line, maxsplit=1) for line in listed["dependencies"] if " " in line
    )
    assert conda.pop("python") == _project()["requires-python"]
    expected = {CONDA_NAMES.get(name, name): ranges for name, ranges in _requirements().items()}
    assert conda == expected


def test_constraints_pin_every_requirement_within_its_range():
    from packaging.specifiers import SpecifierSet

    pins = _pins()
    for name, ranges in _requirements().items():
        assert pins.get(name), f"{name} is not pinned: run `make constraints`"
        assert all(pin in SpecifierSet(ranges) for pin in pins[name]), name


def test_constraints_hold_versions_only():
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#.*|[a-z0-9-]+==[\w.+!]+( ; .+)?", line), line
        assert "://" not in line
        assert "file:" not in line


def test_torch_and_torchvision_are_the_pair_that_belongs_together():
    assert {len(_pins()[name]) for name in ("torch", "torchvision")} == {1}
    environment.check_torch_pair()


def test_a_broken_pair_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def broken(name: str) -> None:
        raise RuntimeError(f"operator {name}::nms does not exist\nand a long trace")

    monkeypatch.setattr(environment.importlib, "import_module", broken)
    with pytest.raises(environment.EnvironmentMismatchError) as caught:
        environment.check_torch_pair()
    message = str(caught.value)
    assert f"torch {version('torch')} and torchvision {version('torchvision')}" in message
    assert "constraints.txt" in message
    assert "\n" not in message


def test_every_dependency_earns_its_place_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w, -]+?)(?: \(test\))? \|", changelog, flags=re.MULTILINE)
    explained = {name for row in rows for name in row.split(", ")} - {"dependency"}
    assert explained == set(_requirements())


def test_no_committed_file_holds_an_address_outside_the_manifest():
    for path in _committed():
        if path.name in MAY_HOLD_ADDRESSES or path == Path(__file__):
            continue
        text = HARMLESS.sub("", path.read_text(encoding="utf-8"))
        assert not re.search(r"https?://\w|git@|--(extra-)?index-url", text), path


def test_no_committed_file_holds_a_path_of_a_machine():
    machine = re.compile(r"(?<![\w.}])/(work|root)/\w")
    for path in _committed():
        if path == Path(__file__):
            continue
        found = machine.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found and found.group()}"


def test_make_alone_lists_every_target():
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make"], cwd=ROOT, env=outside, capture_output=True, encoding="utf-8", check=True
    ).stdout
    listed = {line.split()[0] for line in shown.splitlines()}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE).group(1).split()
    assert shown.startswith("help")
    assert listed == set(phony)
    assert {"workbook", "test", "lab", "check", "constraints"} <= listed


def test_readme_is_short_names_the_two_commands_and_says_what_it_is_not():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.split()) <= 700
    for words in ("make workbook", "make test", "Not a medical device"):
        assert words in readme


def test_readme_lists_every_notebook_and_its_figures_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for notebook in (ROOT / "notebooks").glob("*.py"):
        assert notebook.stem in readme
    figures = re.findall(r"!\[(.+?)\]\((.+?)\)", readme)
    assert figures
    assert all(alt and (ROOT / path).is_file() for alt, path in figures)


def test_ci_runs_exactly_the_documented_commands():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-2:] == ["make check", "make test"]


# --- the wheel: what the package reads at run time goes with it ----------------------------------

PACKAGE_DATA = (
    "mskseg/py.typed",
    "mskseg/display/canvas.css",
    "mskseg/display/canvas.js",
    "mskseg_studies/published/casali_2025.csv",
    "mskseg_studies/published/hu_2023.csv",
    "mskseg_studies/published/ma_2024.csv",
    "mskseg_mini/sam_vit_mini.safetensors",
    "mskseg_mini/medsam_vit_mini.safetensors",
)


def test_what_is_no_code_is_known_to_git_and_not_excluded_since_hatch_packs_by_that():
    options = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "mskseg"]
    listed = subprocess.run(
        options, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert set(PACKAGE_DATA) <= set(listed.splitlines())
    assert all((ROOT / name).stat().st_size or name.endswith("py.typed") for name in PACKAGE_DATA)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["mskseg"]
    assert not {"exclude", "only-include"} & (
        wheel.keys() | project["tool"]["hatch"]["build"].keys()
    )


def test_every_published_table_is_in_that_list():
    tables = (ROOT / "mskseg" / "evaluation" / "published").glob("*.csv")
    assert {str(path.relative_to(ROOT)) for path in tables} <= set(PACKAGE_DATA)


def test_a_wheel_that_is_built_holds_them_and_the_manifest(tmp_path: Path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    assert {*PACKAGE_DATA, "mskseg/data_manifest.yaml"} <= held
    assert not [name for name in held if name.startswith(("tests/", "notebooks/"))]
