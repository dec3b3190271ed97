"""Write each notebook's ``.ipynb`` from its ``.py``, always the same bytes for the same source.

``python -m mskseg.workbook.pairing`` (``make notebooks``) writes them all. Outputs, counts and
random cell ids would make every commit differ; there are none.
"""

import sys

import nbformat
from nbformat import NotebookNode

from mskseg.files import write_text
from mskseg.workbook.sources import find_notebooks, load_notebook, notebooks_folder

_OURS = ("tags", "alt", "jupyter")  # the rest of a cell's metadata are jupytext's notes on layout


def notebook_text(notebook: NotebookNode) -> str:
    """Write a notebook as nbformat 4.5 JSON without outputs or counts, its cells numbered."""
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
    text: str = nbformat.writes(notebook)
    return text + "\n"


if __name__ == "__main__":
    for source in (path for path in find_notebooks(notebooks_folder()) if path.suffix == ".py"):
        target = source.with_suffix(".ipynb")
        write_text(target, notebook_text(load_notebook(source)))
        sys.stdout.write(f"{target}\n")
