"""``mskseg run``: execute the notebooks."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli.inputs import add_device, at_least_1, check_model_is_here
from mskseg.cli.outputs import add_quiet, shows_progress
from mskseg.environment import available_cores
from mskseg.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mskseg.workbook import NotebookRun

SIZES = ("quick", "default", "full", "study")
_VERBS = {"dataset": "data", "model": "models"}


def add_to(commands: Any) -> None:
    """Declare the arguments of ``run``."""
    run = commands.add_parser(
        "run",
        help="execute notebooks and write output/ (HTML, tables, figures)",
        description="Execute the notebooks that are named, or --all; without either, say what that "
        "would be. What an interrupted run finished is kept.",
    )
    run.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="names or their beginnings")
    run.add_argument("--all", action="store_true", help="all notebooks")
    for noun in ("dataset", "model"):
        run.add_argument(
            f"--{noun}",
            action="append",
            dest=f"{noun}s",
            metavar="NAME",
            help=f"in place of the notebooks' own; repeatable (mskseg {_VERBS[noun]} list)",
        )
    run.add_argument(
        "--published",
        action="store_true",
        help="published models on real scans, those that are here, in place of the built-in ones",
    )
    add_device(run, default=None)
    run.add_argument("--size", choices=SIZES, default="default")
    run.add_argument("--output", type=Path, default=Path("output"), metavar="DIR")
    run.add_argument(
        "--offline",
        action="store_true",
        help="download nothing: go on with the scans that are here",
    )
    run.add_argument("--fresh", action="store_true", help="run finished notebooks again too")
    run.add_argument(
        "--jobs",
        type=at_least_1,
        default=min(2, available_cores()),
        metavar="N",
        help="notebooks at a time, which share the cores (here %(default)s)",
    )
    add_quiet(run)
    run.set_defaults(command=run_notebooks, extra="workbook")


def run_notebooks(arguments: argparse.Namespace) -> int:
    """Execute the notebooks that were named, or all, or say what that would be.

    Gives 1 if one failed or a claim lost its cell.
    """
    from mskseg.workbook import run_workbook, write_run_index
    from mskseg.workbook.execution import make_output
    from mskseg.workbook.sources import find_notebooks, notebooks_folder

    named = {"datasets": arguments.datasets, "models": arguments.models, "device": arguments.device}
    given = {name: value for name, value in named.items() if value is not None}
    check_choices(given)
    paths = find_notebooks(notebooks_folder(), arguments.notebooks)  # refused before any fetching
    if not (arguments.notebooks or arguments.all):
        print(plan(paths, arguments))
        return 0
    make_output(arguments.output)
    bring_real_scans(offline=arguments.offline, progress=shows_progress(arguments))
    if arguments.published:
        given = published_at_hand() | given
    runs = run_workbook(
        arguments.notebooks,
        output=arguments.output,
        size=arguments.size,
        given=given,
        fresh=arguments.fresh,
        jobs=arguments.jobs,
        progress=shows_progress(arguments),
    )
    print(report(runs))
    report_failed = summarise(arguments.output, size=arguments.size)
    write_run_index(runs, arguments.output, size=arguments.size, given=given)  # now with the ledger
    return int(report_failed or any(run.failed for run in runs))


def plan(paths: Sequence[Path], arguments: argparse.Namespace) -> str:
    """Say what a run of the notebooks would do, and how long it takes by what their heads say."""
    from mskseg.workbook.record import finished_notebooks

    finished = finished_notebooks(arguments.output)
    lines, total = [], 0
    for path in paths:
        told = re.search(r"about (\d+) to run", path.read_text(encoding="utf-8"))
        total += int(told[1]) if told else 0
        done = "  finished, kept if nothing changed" if path.stem in finished else ""
        lines.append(f"{path.stem:<40}  {told[1] if told else '< 1':>3} min{done}")
    return "\n".join(
        [
            f"{len(paths)} notebooks, {total} minutes one after the other on two cores at the size "
            "default (quick: about a minute each; full and study: hours):",
            *lines,
            f"They write {arguments.output}/: pages, tables, figures. Real scans are fetched first "
            "(50 MB, once; --offline leaves it).",
            "Start them: mskseg run --all; some: mskseg run 01 03",
        ]
    )


def bring_real_scans(*, offline: bool, progress: bool) -> None:
    """Fetch the real scans that notebooks show, unless `offline`, and say which are here."""
    from mskseg.datasets.fetching import is_offline
    from mskseg.datasets.loading import fetch_real_scans, list_at_hand, real_scans

    offline = offline or is_offline()

    def is_here(name: str) -> int:
        return sum(subject in wanted[name] for subject in list_at_hand(name))

    wanted = real_scans()
    if not offline and any(is_here(name) < len(wanted[name]) for name in wanted):
        print(f"fetching real scans ({', '.join(wanted)}; 50 MB, once; --offline leaves it)")
        offline = not fetch_real_scans(progress=progress)
        if offline:
            print("no answer within three seconds; going on with the scans that are here")
    if offline:
        os.environ["MSKSEG_OFFLINE"] = "1"  # the notebooks' kernels inherit it
    counts = ", ".join(f"{name} {is_here(name)} of {len(wanted[name])}" for name in wanted)
    print(f"people with real scans: {counts}")


def summarise(output: Path, *, size: str) -> bool:
    """Print the installed reports on an output folder, such as the claims; True if one failed."""
    from mskseg.registry import run_reports

    failed = False
    for report in run_reports():
        summary = report.summarise(output, size=size)
        print(f"\n{summary.title}")
        for line in (*summary.lines, *(f"FAILED {failure}" for failure in summary.failures)):
            print(line)
        print(f"open {summary.page}")
        failed = failed or bool(summary.failures)
    return failed


def published_at_hand() -> dict[str, Any]:
    """List published models and real scans that are here; InputError if either are missing."""
    from mskseg.datasets.fetching import is_fetched
    from mskseg.datasets.loading import list_at_hand, real_scans
    from mskseg.datasets.manifest import load_manifest

    models = load_manifest().models.items()
    found = {
        "models": [name for name, entry in models if not entry.miniature and is_fetched(name)],
        "datasets": [name for name in real_scans() if list_at_hand(name)],
    }
    for noun, names in found.items():
        if not names:
            verb = _VERBS[noun.removesuffix("s")]
            raise InputError(
                f"expected published models and real scans, got no {noun}; "
                f"fetch some with `mskseg {verb} fetch NAME`"
            )
    return found


def check_choices(given: Mapping[str, Any]) -> None:
    """Raise InputError on a choice that no notebook can use, before one is started."""
    from mskseg.datasets.loading import check_can_be_scored
    from mskseg.datasets.manifest import load_manifest
    from mskseg.models.segmenter import available_device

    manifest = load_manifest()
    for noun, known in (("datasets", manifest.datasets), ("models", manifest.models)):
        for name in given.get(noun, ()):
            if name not in known:
                raise InputError(
                    f"unknown {noun[:-1]} {name!r}; there are {', '.join(sorted(known))}"
                    f"{did_you_mean(name, known)}"
                )
    for name in given.get("datasets", ()):
        check_can_be_scored(name)
    for name in given.get("models", ()):
        check_model_is_here(name)
    if "device" in given:
        available_device(given["device"])


def report(runs: Sequence[NotebookRun]) -> str:
    """Lay out each notebook's outcome, where each failure is, and the page to open."""
    width = max(len(run.name) for run in runs)
    lines = [f"{'notebook':<{width}}  seconds  status"]
    lines += [f"{run.name:<{width}}  {run.seconds:>7.1f}  {run.status}" for run in runs]
    for run in (run for run in runs if run.failed):
        where = f"cell {run.cell}" if run.cell else "no cell"
        lines.append(f"FAILED {run.name}, {where}: {run.error}")
    for name in dict.fromkeys(name for run in runs for name in run.unused):
        without = ", ".join(run.name for run in runs if name in run.unused)
        option = f"--{name.removesuffix('s')}"
        lines.append(f"{option} was not used by {without}: what they use is in their parameters")
    if noisy := [f"{run.name} ({run.stderr_lines})" for run in runs if run.stderr_lines]:
        lines.append(f"lines on stderr, kept in the pages: {', '.join(noisy)}")
    lines.append(f"open {runs[0].page.parent / 'index.html'}")
    return "\n".join(lines)
