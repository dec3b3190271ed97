"""What earlier runs finished, so that an interrupted run continues where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import mskseg
from mskseg.datasets.fetching import verify
from mskseg.datasets.manifest import load_manifest, manifest_path
from mskseg.files import written_atomically

Status = Literal["passed", "failed", "kept"]
RECORD_FILE = "finished.json"  # in the output's folder of notebooks
_LIBRARIES = ("numpy", "pandas", "scipy", "torch")  # that a number in a notebook may depend on


@dataclass(frozen=True)
class NotebookRun:
    """What became of one notebook."""

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
    """What earlier runs finished, by notebook; written after each one, from any thread.

    Without `keep` nothing of it is taken as finished, and what is run again replaces its entry.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        self._path, self._lock = path, Lock()
        self.kept = keep
        self._runs: dict[str, dict[str, Any]] = {}
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                self._runs = found if isinstance(found, dict) else {}
            except ValueError:  # a damaged record costs a new run, no more
                self._runs = {}

    def finished(self, name: str, key: str) -> NotebookRun | None:
        """Give the run of that key, marked as kept, if its page still lies there."""
        entry = self._runs.get(name, {})
        if not self.kept or entry.get("key") != key or not Path(entry["run"]["page"]).is_file():
            return None
        run = NotebookRun(**{**entry["run"], "page": Path(entry["run"]["page"])})
        return replace(run, status="kept")

    def add(self, run: NotebookRun, key: str) -> None:
        """Remember a run that passed; forget an earlier one of a notebook that failed."""
        with self._lock:
            self._runs.pop(run.name, None)
            if not run.failed:
                self._runs[run.name] = {"key": key, "run": {**asdict(run), "page": str(run.page)}}
            with written_atomically(self._path) as temporary:
                temporary.write_text(json.dumps(self._runs, indent=1), encoding="utf-8")


def finished_notebooks(output: Path) -> set[str]:
    """Name the notebooks that finished in an output folder; none where nothing ran yet."""
    try:
        found = json.loads((output / "notebooks" / RECORD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return set(found) if isinstance(found, dict) else set()


def _fetched(notebook: Path) -> str:
    """Say which files of the data sets that a notebook names are here: with them it shows more."""
    text = notebook.read_text(encoding="utf-8")
    named = [name for name in load_manifest().datasets if name in text]
    return " ".join(f"{name} {file.state}" for name in named for file in verify(name))


def result_key(path: Path, parameters: Mapping[str, Any], *, read: Iterable[Path] = ()) -> str:
    """Digest all that a notebook's result depends on: the library's files, the data that are here.

    Parameters
    ----------
    path : Path
        The notebook's source.
    parameters : mapping
        What is injected.
    read : iterable of Path
        Files of other notebooks that it reads.

    Returns
    -------
    str
        A sha256.
    """
    digest = hashlib.sha256(mskseg.__version__.encode())
    digest.update(_fetched(path).encode())
    digest.update(json.dumps(parameters, sort_keys=True, default=str).encode())
    package = Path(__file__).parents[1]
    sources = [*package.rglob("*.py"), *package.rglob("*.safetensors"), manifest_path()]
    digest.update(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    for file in [path, *sorted(sources), *sorted(read)]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
