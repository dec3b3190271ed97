"""A notebook as slides with speaker notes.

The marks are Jupyter's own (``slideshow.slide_type``), so ``jupyter nbconvert --to slides`` takes
the notebook too. Its page loads reveal.js from another server; ours needs no internet.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from traitlets.config import Config

from mskseg.files import write_text
from mskseg.workbook.pages import content_policy, harmless, packaged

SlideType = Literal["slide", "subslide", "notes", "skip"]
HIDE_INPUT = "hide-input"
_WHOLE = ("## Limits", "## Next", "### Exercise")  # short, and to be read by everybody
_SETUP_CELLS = (2, 3, 4)  # imports, parameters, what follows from them: see CONTRIBUTING.md


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
    else:
        for chunk in re.split(r"(?m)^(?=#{2,3} )", cell.source):
            yield from _slides_of_chunk(chunk.strip())


def _code(cell: NotebookNode, position: int) -> Any:
    if "solution" in _tags(cell):
        return _markdown(f"**Solution**\n\n```python\n{cell.source}\n```", "notes")
    kind: SlideType = "skip" if position in _SETUP_CELLS else "subslide"
    outputs = cell.get("outputs", [])
    seen = "alt" in cell.metadata or "Markdown(" in cell.source
    metadata: dict[str, Any] = {"slideshow": {"slide_type": kind}, "tags": list(_tags(cell))}
    metadata |= {"alt": cell.metadata["alt"]} if "alt" in cell.metadata else {}
    if outputs and seen:
        metadata["tags"].append(HIDE_INPUT)
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
