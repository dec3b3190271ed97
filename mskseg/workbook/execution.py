"""Execute the notebooks: inject their parameters, run them, keep what they say."""

from __future__ import annotations

import copy
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.environment import available_cores
from mskseg.errors import InputError, OutputError
from mskseg.files import PARTIAL, sweep, write_text
from mskseg.registry import run_reports
from mskseg.workbook.pages import write_page, write_run_index
from mskseg.workbook.record import RECORD_FILE, NotebookRun, Record, result_key
from mskseg.workbook.sources import (
    SIZES_FILE,
    Size,
    declared_parameters,
    executed_notebook,
    find_notebooks,
    load_notebook,
    notebooks_folder,
    read_sizes,
)

if TYPE_CHECKING:
    from nbformat import NotebookNode

_KERNELS = "mskseg-kernels-"  # how folders of kernels' files begin, in the system's temporary one


def run_workbook(
    names: Iterable[str] = (),
    *,
    folder: Path | None = None,
    output: Path = Path("output"),
    size: Size = "default",
    given: Mapping[str, Any] | None = None,
    fresh: bool = False,
    jobs: int = 1,
    progress: bool = True,
) -> list[NotebookRun]:
    """Execute notebooks and write ``output/`` (notebooks, html, tables, figures).

    Parameters
    ----------
    names : iterable of str
        File names, stems or their beginnings; all notebooks by default.
    folder, output : Path
        Of the notebooks, `notebooks_folder` by default; of the results, made where it is missing.
    size : {"quick", "default", "full", "study"}
        Column of ``sizes.yaml``.
    given : mapping, optional
        Parameters that go before the table's, such as ``datasets``, where a notebook declares them.
    fresh : bool
        Run what an earlier run finished again, its trainings too.
    jobs : int
        Notebooks at a time; they share the cores. One that reads others' tables waits for all.
    """
    if jobs < 1:
        raise InputError(f"expected 1 notebook or more at a time, got {jobs}; pass another --jobs")
    folder = folder or notebooks_folder()
    paths = find_notebooks(folder, names)
    sizes = read_sizes(folder)
    if missing := [path.stem for path in paths if size not in sizes.get(path.stem, {})]:
        raise InputError(
            f"{folder / SIZES_FILE} has no {size!r} parameters for {', '.join(missing)}; add them"
        )
    output = make_output(output)
    given = given or {}
    record = Record(output / "notebooks" / RECORD_FILE, keep=not fresh)
    runs: dict[str, NotebookRun] = {}

    def run(path: Path) -> NotebookRun:
        of_size = sizes[path.stem][size]
        return _run_or_keep(path, output, of_size, given, record=record, progress=progress)

    judges = [path for path in paths if "tables" in declared_parameters(load_notebook(path))]
    # Those that stand alone, and after them, one by one, those that judge their tables.
    alone = [path for path in paths if path not in judges]
    if jobs > 1:  # the first page is there soon, and no core waits for the longest at the end
        alone[1:] = sorted(alone[1:], key=_minutes_to_run, reverse=True)
    for together in (alone, *([path] for path in judges)):
        for done in _at_a_time(run, together, jobs=jobs):
            runs[done.name] = done
            in_order = [runs[path.stem] for path in paths if path.stem in runs]
            write_run_index(in_order, output, size=size, given=given)
    return [runs[path.stem] for path in paths]


def _minutes_to_run(path: Path) -> int:
    """Read how many minutes a notebook says that it takes; 0 where it does not."""
    said = re.search(r"about (\d+) to run", path.read_text(encoding="utf-8"))
    return int(said[1]) if said else 0


def _at_a_time(
    run: Callable[[Path], NotebookRun], paths: list[Path], *, jobs: int
) -> Iterator[NotebookRun]:
    """Run `jobs` notebooks at a time, in threads so that an interrupt is heard at once."""
    from jupyter_core.utils import ensure_event_loop

    def run_in_thread(path: Path) -> NotebookRun:
        try:
            return run(path)
        finally:
            ensure_event_loop().close()  # that nbclient talked to the kernel in

    pool = ThreadPoolExecutor(jobs)
    try:
        with _cores_shared_by(min(jobs, len(paths))):
            waiting: list[Future[NotebookRun]] = [pool.submit(run_in_thread, p) for p in paths]
            for finished in as_completed(waiting):
                yield finished.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        import psutil

        for kernel in psutil.Process().children(recursive=True):
            kernel.kill()  # or their threads would go on to the end of the notebooks
        raise
    finally:
        pool.shutdown()


@contextmanager
def _cores_shared_by(jobs: int) -> Iterator[None]:
    """Limit the kernels that are started meanwhile to their part of the cores."""
    if jobs < 2 or "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, available_cores() // jobs))
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


def make_output(output: Path) -> Path:
    """Make the folders of a run; OutputError if one cannot be written to."""
    parts = [output.resolve() / part for part in ("notebooks", "html", "tables", "figures")]
    for folder in parts:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise OutputError(
                f"cannot write to {folder}: {error.strerror or error}; choose another --output"
            ) from error
    trainings = [path for path in (output / "trainings").rglob("*") if path.is_dir()]
    for folder in (*parts, *trainings):
        sweep(folder)
    sweep(Path(tempfile.gettempdir()), _KERNELS)
    return output.resolve()


def _run_or_keep(
    path: Path,
    output: Path,
    of_size: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    record: Record,
    progress: bool,
) -> NotebookRun:
    """Run a notebook with the parameters that it declares, unless an earlier run stands."""
    notebook = load_notebook(path)
    declared = declared_parameters(notebook)
    parameters = {**of_size, **given, "output": str(output)}
    parameters = {name: value for name, value in parameters.items() if name in declared}
    key = result_key(path, parameters, read=_read_by(path, output, declared, parameters))
    run = record.finished(path.stem, key)
    if run is None:
        _keep_trainings_of(key, output / "trainings" / path.stem, fresh=not record.kept)
        run = _execute(notebook, path, output, parameters=parameters, progress=progress)
        record.add(run, key)
    return replace(run, unused=tuple(name for name in given if name not in declared))


def _keep_trainings_of(key: str, folder: Path, *, fresh: bool) -> None:
    """Let a notebook resume its own trainings only, not those of other code or parameters."""
    note = folder / "key.txt"
    if fresh or not note.is_file() or note.read_bytes() != key.encode():
        shutil.rmtree(folder, ignore_errors=True)
        write_text(note, key)


def _read_by(
    path: Path, output: Path, declared: set[str], parameters: Mapping[str, Any]
) -> list[Path]:
    """List the files that a notebook reads: committed results, and the tables of the others."""
    committed = path.parent / parameters.get("results", "../results")
    read = list(committed.glob("*.csv")) if "results" in declared else []
    if "tables" in declared:
        tables = (output / "tables").glob("*.csv")
        read += [path for report in run_reports() for path in report.inputs()]
        read += [*(t for t in tables if not t.name.startswith(path.name[:2]))]
    return read


def _execute(
    notebook: NotebookNode,
    path: Path,
    output: Path,
    *,
    parameters: Mapping[str, Any],
    progress: bool,
) -> NotebookRun:
    """Run a notebook in its own folder and write it as ``.ipynb`` and HTML, though it may fail."""
    saved = output / "notebooks" / f"{path.stem}.ipynb"
    page = output / "html" / f"{path.stem}.html"
    started = time.perf_counter()
    error, index = _papermill(
        notebook, saved, parameters=parameters, cwd=path.parent, progress=progress
    )
    seconds = time.perf_counter() - started
    executed = executed_notebook(saved) or notebook
    write_page(executed, page, title=path.stem)
    return NotebookRun(
        name=path.stem,
        status="failed" if error else "passed",
        seconds=round(seconds, 1),
        page=page,
        cell=_source_position(executed, index),
        error=error,
        stderr_lines=_stderr_lines(executed),
    )


def _papermill(
    notebook: NotebookNode,
    path: Path,
    *,
    parameters: Mapping[str, Any],
    cwd: Path,
    progress: bool,
) -> tuple[str, int | None]:
    """Execute into `path`; return the error in one line, "" if it passed, and its cell's index."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").addHandler(logging.NullHandler())  # what it says is in our line
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    path.unlink(missing_ok=True)  # a crash before the first save must not show an old result
    try:
        with tempfile.TemporaryDirectory(prefix=_KERNELS) as sockets:
            papermill.execute_notebook(
                copy.deepcopy(notebook),
                partial,
                parameters=dict(parameters),
                kernel_name="python3",
                progress_bar={"desc": path.stem, "leave": False} if progress else False,
                cwd=cwd,
                start_timeout=180,  # a first import of torch on a busy disk
                **_kernel_transport(Path(sockets)),
            )
    except PapermillExecutionError as error:
        return f"{error.ename}: {_first_line(error.evalue)}", error.cell_index
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free some space"
        ) from error
    except Exception as error:  # noqa: BLE001  a dead kernel is this notebook's failure, not the run's
        return f"{type(error).__name__}: {_first_line(str(error))}", None
    finally:
        if partial.is_file():
            partial.replace(path)
    return "", None


def _kernel_transport(folder: Path) -> dict[str, Any]:
    """Talk to the kernel over sockets in `folder`, which nobody else on the machine can open."""
    from traitlets.config import Config

    if os.name != "posix":
        return {}
    sockets = {"transport": "ipc", "ip": str(folder / "kernel")}
    return {"config": Config(KernelManager={**sockets, "connection_file": str(folder / "file")})}


def _source_position(executed: NotebookNode, index: int | None) -> int | None:
    """Count from 1, in the source: papermill adds cells of its own to what it executes."""
    if index is None:
        return None
    tags = [cell.metadata.get("tags", []) for cell in executed.cells]
    before_markers = [tag for tag in tags if "papermill-error-cell-tag" not in tag]
    return sum("injected-parameters" not in tag for tag in before_markers[: index + 1])


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def _stderr_lines(notebook: NotebookNode) -> int:
    return sum(
        len(out.text.splitlines())
        for cell in notebook.cells
        for out in cell.get("outputs", [])
        if out.get("name") == "stderr"
    )
