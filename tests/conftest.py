from __future__ import annotations

import os
from pathlib import Path

import pytest

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "real" in r.keywords]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests on real scans were skipped: set MSKSEG_REAL_DATA to their folder"
        )
