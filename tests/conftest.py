from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from mskseg.environment import available_cores

# No deadline: a busy machine is no bug. The same examples every time, so that CI does not flicker.
settings.register_profile("mskseg", deadline=None, derandomize=True)
settings.load_profile("mskseg")

pytest_plugins = [
    "support.drawn_cases",
    "support.lite",
    "support.small_sam2s",
    "support.small_sams",
    "support.tuning_cases",
]

REPOSITORY = Path(__file__).parent.parent


def _real_data_folder() -> Path:
    named = os.environ.get("MSKSEG_REAL_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real scans; skips where it is absent. Mark the test `real`."""
    folder = _real_data_folder()
    if not folder.is_dir():
        pytest.skip("no real scans: set MSKSEG_REAL_DATA to their folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's cache out of the tests, and the tests out of it; nothing is downloaded.

    All workers of a run share it: what one has drawn, none draws again.
    """
    own = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSKSEG_CACHE", str((own.parent if _WORKERS else own) / "cache"))
        patch.setenv("MSKSEG_OFFLINE", "1")
        yield


# --- workers share the cores, with the kernels of their notebooks; set before torch is imported ---

_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # OpenMP must sleep while it waits
if _WORKERS:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // _WORKERS)))

# --- who runs what: files whole, since a file shares its fixtures, but notebooks one by one -------

_FIRST = ("notebooks/test_promise.py", "notebooks/test_execution.py")  # the longest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let workers begin with what takes longest, so that none is left alone with it at the end."""

    def turn(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(_FIRST) if name in item.nodeid), len(_FIRST))

    if _WORKERS:
        items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadFileScheduling

    class NotebooksOneByOne(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if _FIRST[1] in nodeid else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # by the number of tests, which puts notebooks last
    return NotebooksOneByOne(config, log)


# --- closing lines: how many tests on real scans ran; in CI none may be skipped ------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = _real_counts(terminalreporter)
    if sum(counts.values()) == 0:
        return
    terminalreporter.write_line(
        f"tests on real scans: {counts['run']} run, {counts['skipped']} skipped"
        + (" (set MSKSEG_REAL_DATA to the folder of the scans)" if counts["skipped"] else "")
    )
    if _real_skipped_in_ci(terminalreporter):
        terminalreporter.write_line(
            "FAILED: CI=true and the scans are there, so none may be skipped"
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.exitstatus == 0 and _real_skipped_in_ci(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _real_counts(reporter: pytest.TerminalReporter) -> dict[str, int]:
    def count(*outcomes: str) -> int:
        reports = (report for each in outcomes for report in reporter.stats.get(each, []))
        return sum("real" in getattr(report, "keywords", ()) for report in reports)

    return {"run": count("passed", "failed", "error"), "skipped": count("skipped")}


def _real_skipped_in_ci(reporter: pytest.TerminalReporter) -> bool:
    in_ci = os.environ.get("CI") == "true" and _real_data_folder().is_dir()
    return in_ci and _real_counts(reporter)["skipped"] > 0
