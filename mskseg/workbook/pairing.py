"""Write each notebook's ``.ipynb`` from its ``.py``, always the same bytes for the same source.

``python -m mskseg.workbook.pairing`` (``make notebooks``) writes them all. Outputs, counts and
random cell ids would make every commit differ; there are none.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mskseg.files import written_atomically
from mskseg.workbook.sources import find_notebooks, load_notebook, notebooks_folder

if TYPE_CHECKING:
    from nbformat import NotebookNode

_OURS = ("tags", "alt", "jupyter")  # the rest of a cell's metadata are jupytext's notes on layout


def notebook_text(notebook: NotebookNode) -> str:
    """Write a notebook as nbformat 4.5 JSON without outputs or counts, its cells numbered."""
    import nbformat

    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell["metadata"] = {key: cell.metadata[key] for key in _OURS if key in cell.metadata}
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    notebook["metadata"] = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text + "\n"


def write_pairs(folder: Path) -> list[Path]:
    """Write the ``.ipynb`` of every ``.py`` in a folder and return the paths written."""
    written = []
    for source in (path for path in find_notebooks(folder) if path.suffix == ".py"):
        target = source.with_suffix(".ipynb")
        with written_atomically(target) as temporary:
            temporary.write_text(notebook_text(load_notebook(source)), encoding="utf-8")
        written.append(target)
    return written


if __name__ == "__main__":
    sys.stdout.writelines(f"{path}\n" for path in write_pairs(notebooks_folder()))
