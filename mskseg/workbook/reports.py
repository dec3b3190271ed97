"""What other packages add to the end of a run: a summary of its tables, such as judged claims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mskseg.registry import load_offer, offers

_GROUP = "mskseg.run_reports"


@dataclass(frozen=True)
class RunSummary:
    """What a report says of an output folder.

    Attributes
    ----------
    title : str
    lines : tuple of str
        For a terminal.
    failures : tuple of str
        What makes the run fail, a line each; empty if nothing does.
    page : Path
        The same, to be opened in a browser.
    """

    title: str
    lines: tuple[str, ...]
    failures: tuple[str, ...]
    page: Path


class RunReport(Protocol):
    """Sums up what lies in an output folder after a run of the notebooks."""

    def inputs(self) -> list[Path]:
        """List the files that the report reads beside tables; a change is a reason to run again."""

    def summarise(self, output: Path, *, size: str) -> RunSummary:
        """Read the tables of an output folder and write a page into it."""


def run_reports() -> list[RunReport]:
    """Give the reports that installed packages offer, by name of the offer."""
    return [load_offer(_GROUP, name) for name in offers(_GROUP)]
