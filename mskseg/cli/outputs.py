"""Ask whether a result can be written before the work that makes it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mskseg.errors import InputError, OutputError


def check_writable(path: Path, *, suffixes: Sequence[str] = ()) -> Path:
    """Check that a file can be written at `path`, and leave what is there as it is.

    No folder is made: where the file's is missing, the nearest one above it is tried.

    Parameters
    ----------
    path : Path
        The file to be written later.
    suffixes : sequence of str, optional
        The endings its format needs, such as ".nii.gz".

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        If `path` is a folder, has another ending, or its folder cannot be written to.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give the name of a file")
    if suffixes and not path.name.lower().endswith(tuple(suffixes)):
        raise OutputError(f"cannot write {path}: expected a name ending in {' or '.join(suffixes)}")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        handle, name = tempfile.mkstemp(prefix=".writable-", dir=there)
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that is writable"
        ) from error
    return path


def check_not_input(output: Path, *inputs: Path) -> None:
    """Refuse to write over what is read.

    Raises
    ------
    InputError
        If `output` is one of `inputs`.
    """
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise InputError(f"{output} is an input too; choose another name for the result")
