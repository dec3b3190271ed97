"""A record of the notebooks that finished, so that an interrupted run continues."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import mskseg
from mskseg.datasets.fetching import verify
from mskseg.datasets.manifest import load_manifest, manifest_path
from mskseg.files import locked, write_text
from mskseg.registry import offering_packages

Status = Literal["passed", "failed", "kept"]
RECORD_FILE = "finished.json"  # in the output's folder of notebooks
_LIBRARIES = ("numpy", "pandas", "scipy", "torch")  # that a number in a notebook may depend on


@dataclass(frozen=True)
class NotebookRun:
    """The outcome of one notebook."""

    name: str
    status: Status  # kept: finished in an earlier run with the same source, parameters and package
    seconds: float
    page: Path
    cell: int | None = None  # position of the failing cell in the source, the first is 1
    error: str = ""  # "KeyError: 'femur'"
    stderr_lines: int = 0  # how much the notebook wrote to stderr; the text is in the page
    unused: tuple[str, ...] = ()  # what was given and the notebook has no parameter for

    @property
    def failed(self) -> bool:
        """Whether the notebook raised an error or could not be executed."""
        return self.status == "failed"


class Record:
    """The runs that finished, by notebook, kept from any thread; without `keep` none counts."""

    def __init__(self, path: Path, *, keep: bool) -> None:
        self._path = path
        self.kept = keep
        self._runs = _read(path)

    def finished(self, name: str, key: str) -> NotebookRun | None:
        """Return the run of that key, marked as kept, if its page is still there."""
        entry = self._runs.get(name, {})
        if not self.kept or entry.get("key") != key or not Path(entry["run"]["page"]).is_file():
            return None
        run = NotebookRun(**{**entry["run"], "page": Path(entry["run"]["page"])})
        return replace(run, status="kept")

    def add(self, run: NotebookRun, key: str) -> None:
        """Remember a run that passed; forget an earlier one of a notebook that failed."""
        with locked(self._path):  # another run of other notebooks may write here too
            runs = _read(self._path)
            runs.pop(run.name, None)
            if not run.failed:
                runs[run.name] = {"key": key, "run": {**asdict(run), "page": str(run.page)}}
            write_text(self._path, json.dumps(runs, indent=1))


def finished_notebooks(output: Path) -> set[str]:
    """Name the notebooks that finished in an output folder."""
    return set(_read(output / "notebooks" / RECORD_FILE))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # missing or damaged: a new run, no more
        return {}
    runs = record.items() if isinstance(record, dict) else ()
    return {name: run for name, run in runs if isinstance(run, dict)}


def result_key(path: Path, parameters: Mapping[str, Any], *, read: Iterable[Path] = ()) -> str:
    """Digest what a result depends on: source, parameters, code, weights, data, files it reads."""
    digest = hashlib.sha256(mskseg.__version__.encode())
    digest.update(_present_data(path).encode())
    digest.update(json.dumps(parameters, sort_keys=True, default=str).encode())
    digest.update(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    for file in [path, *sorted(_package_files()), manifest_path(), *sorted(read)]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _present_data(notebook: Path) -> str:
    """List which files of the data sets that a notebook names are here: with them it shows more."""
    text = notebook.read_text(encoding="utf-8")
    named = [name for name in load_manifest().datasets if name in text]
    return " ".join(f"{name} {file.state}" for name in named for file in verify(name))


def _package_files() -> Iterator[Path]:
    for package in {"mskseg", *offering_packages()}:
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            for pattern in ("*.py", "*.safetensors"):
                yield from Path(folder).rglob(pattern)
