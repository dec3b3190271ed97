"""Where the folder of a data set with many scans is: brought by a person, or unpacked here.

Looked for in this order: the folder that the caller names, ``$MSKSEG_DATA/<data set>``, the cache.
"""

from __future__ import annotations

from pathlib import Path

from mskseg.datasets.archives import is_unpacked, unpack
from mskseg.datasets.entries import DatasetEntry, ModelEntry
from mskseg.datasets.manifest import cached_path, expected_folder, fetch, inside_cache
from mskseg.errors import InputError


def brought_folder(
    name: str, entry: DatasetEntry | ModelEntry, *, root: str | Path | None = None
) -> Path:
    """Find the folder of a data set that a person has to bring.

    Parameters
    ----------
    name : str
        Of the data set.
    entry : DatasetEntry
        Its instructions are in the message if the folder is not there.
    root : path-like, optional
        The folder itself, if it is not where it is looked for by default.

    Raises
    ------
    InputError
        If the folder is missing or empty.
    """
    folder = Path(root).expanduser() if root is not None else expected_folder(name)
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    state = "is empty" if folder.is_dir() else "is missing"
    raise InputError(
        f"the folder of {name} {state}: {folder}. To get it: {_one_line(entry.instructions)} Then "
        f"put it there, or into $MSKSEG_DATA/{name}, or name it with root="
    )


def dataset_folder(
    name: str,
    entry: DatasetEntry,
    *,
    root: str | Path | None = None,
    get: bool = True,
    progress: bool = True,
) -> Path:
    """Find the folder of a data set that has a layout; fetch and unpack it if that is possible.

    Parameters
    ----------
    name, entry, root
        As for `brought_folder`.
    get : bool
        Whether archives may be downloaded; those that are here are unpacked in any case.
    progress : bool
        Show bars while that is done.

    Raises
    ------
    InputError
        If the folder is not there and cannot be had, or `get` is False and it is not there.
    OutputError
        If the cache cannot be written to.
    """
    if root is not None or not entry.files or _is_brought(expected_folder(name), entry):
        return brought_folder(name, entry, root=root)
    folder = inside_cache(name, "unpacked")
    missing = [
        role
        for role, file in entry.files.items()
        if not is_unpacked(folder / role, sha256=file.sha256)
    ]
    here = all(cached_path(name, entry.files[role]).is_file() for role in missing)
    if not here and not get:
        raise InputError(
            f"{name} is not here yet; `mskseg data fetch {name}` brings it, or put its folder into "
            f"$MSKSEG_DATA/{name}"
        )
    if missing:
        fetch(name, progress=progress)
    for role in missing:
        file = entry.files[role]
        unpack(cached_path(name, file), folder / role, sha256=file.sha256, progress=progress)
    return folder


def _is_brought(folder: Path, entry: DatasetEntry) -> bool:
    """Whether a person put the unpacked folders there: one for each archive, or some of them."""
    return any((folder / role).is_dir() for role in entry.files)


def _one_line(text: str) -> str:
    return " ".join(text.split())
