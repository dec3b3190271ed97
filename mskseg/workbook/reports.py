"""Reports that other packages add to the end of a run, such as the judged claims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mskseg.registry import load_offer, offers

_GROUP = "mskseg.run_reports"


@dataclass(frozen=True)
class RunSummary:
    """The report on an output folder."""

    title: str
    lines: tuple[str, ...]  # for a terminal
    failures: tuple[str, ...]  # a line for each reason why the run failed
    page: Path  # the same, to be opened in a browser


class RunReport(Protocol):
    """Sums up what lies in an output folder after a run of the notebooks."""

    def inputs(self) -> list[Path]:
        """List the files that the report reads beside tables; a change is a reason to run again."""

    def summarise(self, output: Path, *, size: str) -> RunSummary:
        """Read the tables of an output folder and write a page into it."""


def run_reports() -> list[RunReport]:
    """Load the reports that installed packages offer."""
    return [load_offer(_GROUP, name) for name in offers(_GROUP)]
