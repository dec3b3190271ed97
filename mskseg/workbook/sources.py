"""The notebooks as files: where they lie, their parameters at each size, their source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mskseg.errors import InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode

Size = Literal["quick", "default", "full"]

SIZES_FILE = "sizes.yaml"


def notebooks_folder() -> Path:
    """Find the notebooks: ``./notebooks``, else the folder of the checkout this package runs from.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If neither holds a table of sizes.
    """
    checkout = Path(__file__).resolve().parents[2]
    for folder in (Path.cwd(), checkout):
        if (folder / "notebooks" / SIZES_FILE).is_file():
            return folder / "notebooks"
    raise InputError(
        f"no notebooks/{SIZES_FILE} in {Path.cwd()}; run this in the folder of a clone of mskseg"
    )


def find_notebooks(folder: Path, names: Iterable[str] = ()) -> list[Path]:
    """List the notebooks of a folder, each once, by its source where there is one.

    Parameters
    ----------
    folder : Path
        Holds ``NAME.py`` (py:percent) and ``NAME.ipynb``.
    names : iterable of str, optional
        File names, stems, or their beginnings ("03"); all notebooks where none is given.

    Returns
    -------
    list of Path
        Sorted by name. ``NAME.py`` where it exists, else ``NAME.ipynb``.

    Raises
    ------
    InputError
        If a name fits no notebook, or the folder has none.
    """
    found = {path.stem: path for suffix in ("ipynb", "py") for path in folder.glob(f"*.{suffix}")}
    if not found:
        raise InputError(f"no notebook in {folder}; expected files like 03_verb_object.py")
    wanted = [_match(name, sorted(found)) for name in names] or [sorted(found)]
    return [found[stem] for stem in sorted(set().union(*wanted))]


def _match(name: str, stems: Sequence[str]) -> list[str]:
    stem = Path(name).name.removesuffix(".py").removesuffix(".ipynb")
    fitting = [one for one in stems if one == stem] or [
        s for s in stems if stem and s.startswith(stem)
    ]
    if not fitting:
        raise InputError(f"no notebook named {name!r}; there are {', '.join(stems)}")
    return fitting


def read_sizes(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Read ``sizes.yaml``: notebook -> size -> parameters that differ from the notebook's own.

    Raises
    ------
    InputError
        If the file is missing or is not such a table.
    """
    import yaml

    path = folder / SIZES_FILE
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise InputError(f"{path}: expected a table notebook -> size -> parameters")
    return {name: {size: dict(row.get(size) or {}) for size in row} for name, row in table.items()}


def load_notebook(path: Path) -> NotebookNode:
    """Read a notebook from its py:percent source or its ``.ipynb``.

    Raises
    ------
    InputError
        If the file is neither.
    """
    import jupytext

    try:
        notebook: NotebookNode = jupytext.read(path)
    except Exception as error:  # jupytext passes on whatever its parsers raise
        raise InputError(
            f"cannot read {path} as a notebook: {str(error).splitlines()[0]}"
        ) from error
    notebook.metadata.setdefault(
        "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    return notebook


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
