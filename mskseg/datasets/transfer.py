"""Bring a file of the manifest into the cache: complete and with its sha256, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pooch
import requests
from tqdm.auto import tqdm

from mskseg.datasets.entries import RemoteFile
from mskseg.datasets.manifest import matches
from mskseg.errors import InputError
from mskseg.files import written_atomically

_TIMEOUT_S = 30.0  # without a byte, not for the whole file
_CHUNK_BYTES = 2**20


def download(file: RemoteFile, target: Path, *, progress: bool) -> None:
    """Download one file through pooch, beside the target, and rename it once it is checked.

    Parameters
    ----------
    file : RemoteFile
        With its url.
    target : Path
        Replaced only by a complete file of the right sha256.
    progress : bool
        Show a bar.

    Raises
    ------
    InputError
        Saying what the server answered, or that the content is not the manifest's.
    OutputError
        If the folder cannot be written to.
    """
    # Our own writer: a full disk is reported here as everywhere else.
    with _bar(file, shown=progress) as bar, written_atomically(target) as temporary:
        _receive(file, temporary, bar)
        _check_content(temporary, file)


def _receive(file: RemoteFile, path: Path, bar: Any) -> None:
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_S)
    try:
        downloader(str(file.url), str(path), None)
    except requests.HTTPError as error:
        raise InputError(
            f"{file.name} could not be downloaded ({error}); fetch it elsewhere and use --from"
        ) from error
    except requests.RequestException as error:
        raise InputError(
            f"{file.name} could not be downloaded from {file.url} ({type(error).__name__}: no "
            "connection, or it broke off); try again, or fetch it elsewhere and use --from"
        ) from error


def copy_matching(wanted: Mapping[Path, RemoteFile], folder: Path) -> None:
    """Copy files into the cache that are found below a folder by size and sha256.

    Parameters
    ----------
    wanted : dict of target Path to RemoteFile
    folder : Path
        Searched with all its subfolders; names do not matter.

    Raises
    ------
    InputError
        If the folder does not exist or a file is not in it; then nothing is copied.
    OutputError
        If the cache cannot be written to.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one that holds the files")
    found = {target: _find(file, folder) for target, file in wanted.items()}
    for target, source in found.items():
        with written_atomically(target) as temporary:
            shutil.copyfile(source, temporary)
            if not matches(temporary, wanted[target]):
                raise InputError(f"{source} changed while it was copied; try again")


def _find(file: RemoteFile, folder: Path) -> Path:
    below = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    # Where the size is unknown each file has to be hashed: the likeliest first.
    for path in sorted(below, key=lambda path: path.name != file.name):
        try:
            if matches(path, file):
                return path
        except OSError:
            continue  # a dangling link or an unreadable file is not what is looked for
    raise InputError(
        f"no file below {folder} is {file.name}: expected {_expected(file)}; the name does not "
        "matter, the content does"
    )


def _check_content(path: Path, file: RemoteFile) -> None:
    size = path.stat().st_size
    if file.bytes is not None and size < file.bytes:
        raise InputError(f"{file.url} broke off after {size} of {file.bytes} bytes; try again")
    if not matches(path, file):
        raise InputError(
            f"{file.url} gave {size} bytes with sha256 {pooch.file_hash(str(path))}, expected "
            f"{_expected(file)}; the file changed upstream or on the way"
        )


def _expected(file: RemoteFile) -> str:
    size = "a file" if file.bytes is None else f"{file.bytes} bytes"
    return f"{size} with sha256 {file.sha256}"


@contextmanager
def _bar(file: RemoteFile, *, shown: bool) -> Iterator[Any]:
    # A bar without a total has no truth value, which pooch asks for before it sets the total.
    total = file.bytes or 1
    bar: Any = tqdm(total=total, unit="B", unit_scale=True, desc=file.name, disable=not shown)
    try:
        yield bar
    finally:
        bar.close()
