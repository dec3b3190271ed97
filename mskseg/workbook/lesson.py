"""Two copies of the notebooks: without solutions for learners, as slides for whoever leads.

The marks of slides are Jupyter's own (``slideshow.slide_type``), so ``jupyter nbconvert --to
slides`` takes a notebook too. Its page loads reveal.js from another server; ours needs no internet.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from traitlets.config import Config

from mskseg.errors import InputError
from mskseg.files import write_text
from mskseg.workbook.pages import content_policy, harmless, packaged
from mskseg.workbook.pairing import notebook_text
from mskseg.workbook.record import finished_notebooks
from mskseg.workbook.sources import (
    GUIDE_FILE,
    executed_notebook,
    find_notebooks,
    load_notebook,
    notebooks_folder,
)

SlideType = Literal["slide", "subslide", "notes", "skip"]
HIDE_INPUT = "hide-input"
_WHOLE = ("## Limits", "## Next", "### Exercise")  # short, and to be read by everybody
_SETUP_CELLS = (2, 3, 4, 5)  # Colab, imports, parameters, what follows from them
_DISCUSSION = "**Discussion**"
_ANSWER = re.compile(r"\s*<details><summary>Answer</summary>.*?</details>", flags=re.DOTALL)


def write_lesson(*, folder: Path | None = None, output: Path = Path("output")) -> dict[str, bool]:
    """Write ``lesson/learners`` and ``lesson/slides``, with what a run left in `output`.

    Gives the notebooks by name, and whether their slides show results.
    """
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
    return {path.stem: path.stem in finished for path in paths}


def learner_copy(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook without solutions and quiz answers, and with each discussion folded."""
    copied = copy.deepcopy(notebook)
    after_solution = False
    for cell in copied.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell["source"], cell["metadata"] = "", {"tags": ["exercise"]}
            after_solution = True
        elif "quiz" in _tags(cell):
            cell["source"] = _ANSWER.sub("", cell.source)
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


def slide_copy(notebook: NotebookNode, *, questions: Sequence[str] = ()) -> Any:
    """Copy a notebook, best an executed one, with its cells marked as slides and speaker notes."""
    source = [c for c in notebook.cells if "injected-parameters" not in _tags(c)]
    cells = [made for k, cell in enumerate(source) for made in _slides_of(cell, k)]
    if questions:
        listed = "\n".join(f"{number}. {text}" for number, text in enumerate(questions, start=1))
        cells.append(_markdown(f"## Argue about it\n\n{listed}", "slide"))
    for number, cell in enumerate(cells):
        cell["id"] = f"slide-{number:03d}"
    return new_notebook(cells=cells, metadata={"kernelspec": notebook.metadata["kernelspec"]})


def write_slides(notebook: NotebookNode, path: Path, *, title: str) -> None:
    """Write a notebook from `slide_copy` as one page of slides that opens without internet."""
    remove = {"enabled": True, "remove_input_tags": {HIDE_INPUT}}
    exporter = SlidesExporter(raw_template=_template(), config=Config(TagRemovePreprocessor=remove))
    resources = {"metadata": {"name": title}}
    page, _ = exporter.from_notebook_node(harmless(notebook), resources=resources)
    write_text(path, page)


def _template() -> str:
    style, script = packaged("slides.css").strip(), packaged("slides.js").strip()
    page = packaged("slides.html.j2").replace("POLICY", content_policy(script))
    for mark, text in (("CSS", style), ("JS", script)):
        page = page.replace(mark, "{% raw %}" + text + "{% endraw %}")
    return page + packaged("figure.html.j2")


def _slides_of(cell: NotebookNode, position: int) -> Iterator[NotebookNode]:
    if position < 2:
        yield _markdown(cell.source, "slide")
    elif cell.cell_type == "code":
        yield _code(cell, position)
    elif "quiz" in _tags(cell):
        yield _markdown(_ANSWER.sub("", cell.source), "slide")
        yield _markdown(cell.source, "notes")
    else:
        for chunk in re.split(r"(?m)^(?=#{2,3} )", cell.source):
            yield from _slides_of_chunk(chunk.strip())


def _code(cell: NotebookNode, position: int) -> Any:
    if "solution" in _tags(cell):
        return _markdown(f"**Solution**\n\n```python\n{cell.source}\n```", "notes")
    kind: SlideType = "skip" if position in _SETUP_CELLS else "subslide"
    outputs = cell.get("outputs", [])
    seen = outputs and ("alt" in cell.metadata or "Markdown(" in cell.source)
    tags = [*_tags(cell), HIDE_INPUT] if seen else _tags(cell)
    metadata: dict[str, Any] = {"slideshow": {"slide_type": kind}, "tags": tags}
    metadata |= {"alt": cell.metadata["alt"]} if "alt" in cell.metadata else {}
    return new_code_cell(cell.source, metadata=metadata, outputs=outputs)


def _slides_of_chunk(chunk: str) -> Iterator[NotebookNode]:
    """Divide a heading and the text under it into a slide and its notes."""
    paragraphs = [text for text in chunk.split("\n\n") if text.strip()]
    if not paragraphs:
        return
    heading = paragraphs.pop(0) if paragraphs[0].startswith("#") else ""
    kind: SlideType = "slide" if heading.startswith("## ") else "subslide"
    if heading.startswith(_WHOLE):
        yield _markdown("\n\n".join([heading, *paragraphs]), kind)
        return
    guesses = [text for text in paragraphs if text.startswith("> **Guess**")]
    notes = [text for text in paragraphs if text not in guesses]
    shown = [heading, _first_sentence(notes), *guesses] if heading else guesses
    if not heading and notes:  # what you see: it belongs to the slide before
        yield _markdown("\n\n".join(notes), "notes")
    if shown:
        yield _markdown("\n\n".join(text for text in shown if text), kind)
    if heading and notes:
        yield _markdown("\n\n".join(notes), "notes")


def _first_sentence(paragraphs: Sequence[str]) -> str:
    text = paragraphs[0] if paragraphs and not paragraphs[0].startswith(("-", "|")) else ""
    return re.split(r"(?<=[.?!])\s", text, maxsplit=1)[0]


def _markdown(text: str, kind: SlideType) -> Any:
    return new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))
