"""``mskseg workbook``, ``mskseg lab`` and ``mskseg lesson``: write the notebooks, or open them."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the arguments of the three commands."""
    workbook = commands.add_parser(
        "workbook",
        help="write the notebooks into a folder of your own",
        description="Write DIR/notebooks with the study cards and the table of sizes, and "
        "DIR/results. Called in DIR, `mskseg run` and `mskseg lab` use them.",
    )
    workbook.add_argument("folder", type=Path, metavar="DIR")
    workbook.add_argument(
        "--overwrite", action="store_true", help="replace files that are there and differ"
    )
    workbook.set_defaults(command=write_notebooks)
    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab")
    lab.set_defaults(command=open_lab, extra="workbook")
    lesson = commands.add_parser(
        "lesson",
        help="write the notebooks without solutions, and as slides with speaker notes",
        description="Write DIR/lesson/learners (no solutions) and DIR/lesson/slides (with speaker "
        "notes; results where `mskseg run` left them in DIR).",
    )
    lesson.add_argument("--output", type=Path, default=Path("output"), metavar="DIR")
    lesson.set_defaults(command=make_lesson, extra="workbook")


def write_notebooks(arguments: argparse.Namespace) -> int:
    """Copy the notebooks and print where they are."""
    from mskseg.workbook.sources import copy_workbook

    n_files = copy_workbook(arguments.folder, overwrite=arguments.overwrite)
    print(f"{n_files} files: {arguments.folder / 'notebooks'}, {arguments.folder / 'results'}")
    return 0


def open_lab(arguments: argparse.Namespace) -> int:
    """Start JupyterLab with the notebooks, copied from the package first, until it is closed."""
    from mskseg.workbook.sources import PACKAGED, copy_workbook, notebooks_folder

    del arguments
    folder = notebooks_folder()
    if folder.is_relative_to(PACKAGED):
        copy_workbook(Path.cwd())
        folder = notebooks_folder()
        print(f"the notebooks are written to {folder}")
    return subprocess.run([sys.executable, "-m", "jupyterlab"], cwd=folder).returncode


def make_lesson(arguments: argparse.Namespace) -> int:
    """Write the learners' copy and the slides, and print where they are."""
    from mskseg.workbook.lesson import write_lesson

    output = arguments.output.resolve()
    notebooks, folder = write_lesson(output=output), output / "lesson"
    print(f"{len(notebooks)} notebooks for learners, without solutions: {folder / 'learners'}")
    print(f"slides (n: notes below, s: notes in a window of their own): {folder / 'slides'}")
    if names := ", ".join(name for name, has_results in notebooks.items() if not has_results):
        print(f"slides without results, since `mskseg run` did not finish them here: {names}")
    return 0
