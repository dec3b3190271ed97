"""Find what other installed packages offer, by entry point, without naming the packages.

There are four kinds of offer: ``mskseg.datasets``, a `mskseg.datasets.sources.DatasetSource` of
what code makes, such as phantoms; ``mskseg.architectures``, a
`mskseg.models.checkpoints.Architecture` that weights named in the manifest fit;
``mskseg.preprocessings``, a class derived from `mskseg.models.preprocessing.Preprocessing`;
``mskseg.run_reports``, what sums up a run of the notebooks.

The manifest entry of a data set with ``access: package`` and no files names the package, and with
it its entry point. Weights need none: ``weights.path`` is a file inside the package, and
``architecture`` a published network or an offer. One manifest is read: ``MSKSEG_MANIFEST`` names
yours in place of ours, so start from a copy.
"""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from mskseg.errors import InputError

_GROUPS = ("datasets", "architectures", "preprocessings", "run_reports")
_REPORTS = "mskseg.run_reports"


def offers(group: str) -> dict[str, EntryPoint]:
    """List what is offered in a group, by name, without importing anything."""
    return {point.name: point for point in sorted(entry_points(group=group))}


def offering_packages() -> set[str]:
    """Name the packages whose code may have a part in a result: those that offer something."""
    return {
        point.module.partition(".")[0]
        for group in _GROUPS
        for point in entry_points(group=f"mskseg.{group}")
    }


def load_offer(group: str, name: str) -> Any:
    """Import one offer; InputError if no installed package has it."""
    found = offers(group)
    if name not in found:
        raise InputError(
            f"no installed package offers {name!r} in {group!r}; there are "
            f"{', '.join(found) or 'none'}; install the package that the manifest names"
        )
    return found[name].load()


def file_in_package(package: str, path: str) -> Path:
    """Find a file inside an installed package without importing it; InputError if it has none."""
    spec = find_spec(package) if "." not in package else None
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in folders:
        if (found := Path(folder, path)).is_file():
            return found
    missing = f"has no file {path}" if folders else "is not installed"
    raise InputError(f"the package {package} {missing}; install it again, or name another entry")


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
    return [load_offer(_REPORTS, name) for name in offers(_REPORTS)]
