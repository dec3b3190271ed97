"""``mskseg lesson``: the notebooks for learners, and as slides for whoever leads the group."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the arguments of ``lesson``."""
    lesson = commands.add_parser(
        "lesson",
        help="write the notebooks without solutions, and as slides with speaker notes",
        description="Write DIR/lesson/learners (no solutions) and DIR/lesson/slides (with speaker "
        "notes; results where `mskseg run` left them in DIR).",
    )
    lesson.add_argument("--output", type=Path, default=Path("output"), metavar="DIR")
    lesson.set_defaults(command=make_lesson)


def make_lesson(arguments: argparse.Namespace) -> int:
    """Write both copies and say where they are."""
    from mskseg.workbook.lesson import write_lesson

    lesson = write_lesson(output=arguments.output.resolve())
    print(f"{len(lesson.notebooks)} notebooks for learners, without solutions: {lesson.learners}")
    print(f"slides (n: notes below, s: notes in a window of their own): {lesson.slides}")
    if lesson.without_results:
        named = ", ".join(lesson.without_results)
        print(f"slides without results, since `mskseg run` did not finish them here: {named}")
    return 0
