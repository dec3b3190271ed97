"""Two copies of the notebooks: without solutions for learners, as slides for whoever leads."""

import copy
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from mskseg.errors import InputError
from mskseg.files import write_text
from mskseg.workbook.pairing import notebook_text
from mskseg.workbook.record import finished_notebooks
from mskseg.workbook.slides import slide_copy, write_slides
from mskseg.workbook.sources import (
    GUIDE_FILE,
    executed_notebook,
    find_notebooks,
    load_notebook,
    notebooks_folder,
)

_DISCUSSION = "**Discussion**"


@dataclass(frozen=True)
class Lesson:
    """The folders written, and the notebooks without results on their slides."""

    learners: Path
    slides: Path
    notebooks: tuple[str, ...]
    without_results: tuple[str, ...]


def write_lesson(*, folder: Path | None = None, output: Path = Path("output")) -> Lesson:
    """Write ``lesson/learners`` and ``lesson/slides``, with what a run left in `output`."""
    folder = folder or notebooks_folder()
    learners, slides = output / "lesson" / "learners", output / "lesson" / "slides"
    paths = find_notebooks(folder)
    finished = finished_notebooks(output)
    for path in paths:
        source = load_notebook(path)
        write_text(learners / f"{path.stem}.ipynb", notebook_text(learner_copy(source)))
        done = executed_notebook(output / "notebooks" / f"{path.stem}.ipynb")
        if done is None:
            finished.discard(path.stem)
        shown = done if done is not None and path.stem in finished else source
        marked = slide_copy(shown, questions=questions_about(path.stem, folder))
        try:
            nbformat.validate(marked)
        except nbformat.ValidationError as error:
            raise InputError(f"{path.stem} cannot become slides: {error.message}") from error
        write_text(slides / f"{path.stem}.ipynb", f"{nbformat.writes(marked)}\n")
        write_slides(marked, slides / f"{path.stem}.html", title=path.stem)
    for path in (folder / GUIDE_FILE, *sorted((folder / "studies").glob("*.md"))):
        if path.is_file():
            write_text(learners / path.relative_to(folder), path.read_text(encoding="utf-8"))
    names = tuple(path.stem for path in paths)
    return Lesson(learners, slides, names, tuple(n for n in names if n not in finished))


def learner_copy(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook with empty cells for its solutions, and the discussion after each folded."""
    copied = copy.deepcopy(notebook)
    after_solution = False
    for cell in copied.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell["source"], cell["metadata"] = "", {"tags": ["exercise"]}
            after_solution = True
        elif after_solution and cell.source.startswith(_DISCUSSION):
            cell["source"] = _folded(cell.source)
            after_solution = False
    return copied


def questions_about(name: str, folder: Path) -> list[str]:
    """Read the guide's questions about a notebook; empty where there are none."""
    guide = folder / GUIDE_FILE
    if not guide.is_file():
        return []
    sections = re.split(r"(?m)^### ", guide.read_text(encoding="utf-8"))
    section = next((part for part in sections if part.startswith(name)), "")
    return re.findall(r"(?m)^\d\. (.+)$", section.split("\n## ")[0])


def _folded(text: str) -> str:
    """Fold the first paragraphs, up to the next heading, into an element to click on."""
    discussion, *rest = re.split(r"(?m)^(?=#{2,3} )", text, maxsplit=1)
    inner = discussion.removeprefix(_DISCUSSION).lstrip(": ").strip()
    inner = inner[:1].upper() + inner[1:]
    shown = "<details><summary><b>Discussion</b>: open it after your own attempt</summary>"
    return "\n\n".join([shown, inner, "</details>", *rest])
