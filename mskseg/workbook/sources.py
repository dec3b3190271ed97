"""The notebooks as files: where they lie, their parameters at each size, their source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from filecmp import cmp
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mskseg.errors import InputError, OutputError, did_you_mean
from mskseg.files import written_atomically
from mskseg.input_files import read_yaml, reason_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

Size = Literal["quick", "default", "full", "study"]

SIZES_FILE = "sizes.yaml"
GUIDE_FILE = "README.md"
PACKAGED = Path(__file__).resolve().parent / "installed"
"""Where a wheel has ``notebooks/`` and ``results/``; in a checkout they lie at its root."""

_CHECKOUT = Path(__file__).resolve().parents[2]
_COPIED = (
    f"notebooks/{SIZES_FILE}",
    f"notebooks/{GUIDE_FILE}",
    "notebooks/*.py",
    "notebooks/*.ipynb",
    "notebooks/studies/*.md",
    "results/*",
)


def notebooks_folder() -> Path:
    """Find the notebooks: in ``./notebooks``, else in the checkout, else in the package."""
    return _root_with_notebooks(Path.cwd(), _CHECKOUT, PACKAGED) / "notebooks"


def copy_workbook(target: Path, *, overwrite: bool = False) -> int:
    """Write notebooks and results into a folder, over changed files only to `overwrite` them."""
    root = _root_with_notebooks(_CHECKOUT, PACKAGED)
    sources = [path for pattern in _COPIED for path in sorted(root.glob(pattern))]
    copies = {path: target / path.relative_to(root) for path in sources}
    changed = [
        copy
        for path, copy in copies.items()
        if copy.exists() and not cmp(path, copy, shallow=False)
    ]
    if changed and not overwrite:
        raise OutputError(
            f"{changed[0]} differs from the notebook as installed, {len(changed)} such files in "
            f"{target}; choose another folder, or replace them with --overwrite"
        )
    for path, copy in copies.items():
        if not copy.exists() or copy in changed:
            with written_atomically(copy) as temporary:
                temporary.write_bytes(path.read_bytes())
    return len(copies)


def _root_with_notebooks(*folders: Path) -> Path:
    for folder in folders:
        if (folder / "notebooks" / SIZES_FILE).is_file():
            return folder
    raise InputError(
        f"no notebooks/{SIZES_FILE} in {Path.cwd()}; call this in a clone of mskseg, or in a "
        "folder that `mskseg workbook` wrote"
    )


def find_notebooks(folder: Path, names: Iterable[str] = ()) -> list[Path]:
    """List notebooks, each once, by its source if there is one; `names` may be beginnings."""
    found = {path.stem: path for suffix in ("ipynb", "py") for path in folder.glob(f"*.{suffix}")}
    if not found:
        raise InputError(f"no notebook in {folder}; expected files like 03_verb_object.py")
    wanted = [_match(name, sorted(found)) for name in names] or [sorted(found)]
    return [found[stem] for stem in sorted(set().union(*wanted))]


def _match(name: str, stems: Sequence[str]) -> list[str]:
    wanted = Path(name).name.removesuffix(".py").removesuffix(".ipynb")
    fitting = [stem for stem in stems if wanted and stem.startswith(wanted)]
    if wanted in fitting:
        return [wanted]
    if not fitting:
        alike = did_you_mean(name, stems)
        raise InputError(f"no notebook named {name!r}; there are {', '.join(stems)}{alike}")
    return fitting


def read_sizes(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Read ``sizes.yaml``: notebook -> size -> parameters that differ from the notebook's own."""
    path = folder / SIZES_FILE
    table = read_yaml(path) or {}
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise InputError(f"{path}: expected a table notebook -> size -> parameters")
    return {name: {size: dict(row.get(size) or {}) for size in row} for name, row in table.items()}


def load_notebook(path: Path) -> NotebookNode:
    """Read a notebook from its py:percent source or its ``.ipynb``; InputError if it is neither."""
    import jupytext

    try:
        notebook: NotebookNode = jupytext.read(path)
    except Exception as error:  # jupytext passes on whatever its parsers raise
        raise InputError(f"cannot read {path} as a notebook: {reason_of(error)}") from error
    notebook.metadata.setdefault(
        "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    return notebook


def executed_notebook(path: Path) -> NotebookNode | None:
    """Read what a run left; None where it is missing, or damaged by a full disk, for example."""
    try:
        return load_notebook(path)
    except InputError:
        return None


def declared_parameters(notebook: NotebookNode) -> set[str]:
    """Name what a notebook's ``parameters`` cell binds."""
    return {
        target.id
        for cell in notebook.cells
        if "parameters" in cell.metadata.get("tags", [])
        for statement in ast.parse(cell.source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
