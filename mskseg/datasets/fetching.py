"""Bring the files of a manifest entry into the cache, each complete and checked, or not at all.

A file counts only with the size and sha256 of the manifest. It comes from its pinned address or, on
a machine without internet, from any folder that holds the same bytes under any name. The folder of
a data set with many scans is brought by a person, or unpacked here from its archives.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pooch
import requests
from tqdm.auto import tqdm

from mskseg.datasets.archives import is_unpacked, unpack
from mskseg.datasets.manifest import DatasetEntry, ModelEntry, RemoteFile, load_manifest
from mskseg.environment import package_version
from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.input_files import reason_of, user_path
from mskseg.registry import file_in_package

State = Literal["builtin", "present", "missing", "damaged"]

_TIMEOUT_S = 30.0  # without a byte, not for the whole file
_CHUNK_BYTES = 2**20
_MOST_BYTES = 20 * 10**9  # of a download whose size the manifest does not know


def cache_dir() -> Path:
    """Find the folder of the cache, made or not: ``MSKSEG_CACHE``, else the platform's."""
    if chosen := os.environ.get("MSKSEG_CACHE"):
        return user_path(chosen).absolute()
    found = Path(pooch.os_cache("mskseg"))
    if not found.is_absolute():  # "~/..." where nobody knows a home folder
        raise InputError("there is no home folder for the cache; name one in MSKSEG_CACHE")
    return found


def cache_path(*parts: str) -> Path:
    """Join a path below the cache; InputError if it would leave it, by ``..`` or by a link."""
    root = cache_dir().resolve()
    path = root.joinpath(*parts).resolve()
    if not path.is_relative_to(root) or path == root:
        raise InputError(f"{path} lies outside the cache {root}; remove the link that leads there")
    return path


def brought_path(dataset: str) -> Path:
    """Say where a data set's folder is looked for: in ``MSKSEG_DATA`` if set, else in the cache."""
    chosen = os.environ.get("MSKSEG_DATA")
    return (user_path(chosen).absolute() if chosen else cache_dir()) / dataset


def is_offline() -> bool:
    """Tell whether downloads are switched off by ``MSKSEG_OFFLINE``."""
    return os.environ.get("MSKSEG_OFFLINE", "") not in ("", "0")


def fetch(
    name: str,
    *,
    roles: Collection[str] | None = None,
    from_dir: str | Path | None = None,
    progress: bool = True,
    timeout_s: float = _TIMEOUT_S,
) -> dict[str, Path]:
    """Bring an entry's files into the cache, and give their paths; never part of a file.

    What is there already is checked by sha256, and replaced if damaged.

    Parameters
    ----------
    name : str
        A data set or model of the manifest.
    roles : collection of str, optional
        Only these files of it; all by default.
    from_dir : path-like, optional
        Take what is missing from the files below this folder, whatever they are called, instead of
        downloading it. Of a data set with registration: the folder itself.
    progress : bool
        Show a bar for each download.
    timeout_s : float
        Give up a download after so long without a byte.

    Returns
    -------
    dict of role to Path
        Empty for what a package makes; the role "folder" for a data set with registration.

    Raises
    ------
    InputError
        If the entry is unknown, a file cannot be had (or must not: ``MSKSEG_OFFLINE``), it has
        another checksum, or a folder or package is not there.
    OutputError
        If the cache cannot be written to.
    """
    entry = load_manifest().entry(name)
    if entry.access == "registration":
        return {"folder": _brought_folder(name, entry, from_dir=from_dir)}
    files = {r: f for r, f in entry.roles.items() if roles is None or r in roles}
    if (entry.access == "direct" or from_dir is not None) and _is_in_package(entry):
        return {role: _file_of_package(entry, file) for role, file in files.items()}
    paths = {role: cache_path(name, file.name) for role, file in files.items()}
    lacking = [role for role, file in files.items() if _state(paths[role], file) != "present"]
    if entry.access == "package" and from_dir is None:  # a file in the cache was brought
        return paths | {role: _file_of_package(entry, files[role]) for role in lacking}
    wanted = {paths[role]: files[role] for role in lacking}
    if from_dir is not None:
        _copy_matching(wanted, user_path(from_dir))
        return paths
    for path, file in wanted.items():
        if file.url is None:
            raise InputError(
                f"{file.name} of {name} cannot be downloaded: {entry.instructions} Then run "
                f"the fetch again with --from and the folder it is in (sha256 {file.sha256})"
            )
        _download(file, path, progress=progress, timeout_s=timeout_s)
    return paths


@dataclass(frozen=True)
class FileStatus:
    """State of one file of an entry."""

    entry: str
    role: str
    state: State


def verify(name: str | None = None) -> Iterator[FileStatus]:
    """Compare the files of one entry, or of all, with the manifest; nothing is fetched."""
    manifest = load_manifest()
    for known in [name] if name else [*manifest.datasets, *manifest.models]:
        entry = manifest.entry(known)
        if entry.access == "package" or _is_in_package(entry):
            yield FileStatus(known, "all", _state_of_package(known, entry))
            continue
        if entry.access == "registration":
            here = brought_path(known).is_dir()
            yield FileStatus(known, "folder", "present" if here else "missing")
        for role, file in entry.roles.items():
            yield FileStatus(known, role, _state(cache_path(known, file.name), file))


def is_fetched(name: str) -> bool:
    """Tell whether an entry's files or folder are in their places, without reading them."""
    entry = load_manifest().entry(name)
    if entry.access == "registration":
        return brought_path(name).is_dir()
    if _is_in_package(entry):
        return True
    return all(cache_path(name, file.name).is_file() for file in entry.roles.values())


def dataset_folder(name: str, *, download: bool, progress: bool) -> Path:
    """Find the folder of a data set, brought or unpacked; `download` fetches its archives."""
    entry = load_manifest().datasets[name]
    if not entry.files or any((brought_path(name) / role).is_dir() for role in entry.files):
        return _brought_folder(name, entry)
    folder = cache_path(name, "unpacked")
    packed = {r: f for r, f in entry.files.items() if not is_unpacked(folder / r, sha256=f.sha256)}
    here = all(cache_path(name, file.name).is_file() for file in packed.values())
    if not here and not download:
        raise InputError(
            f"{name} is not here yet; run `mskseg data fetch {name}`, or put its folder into "
            f"$MSKSEG_DATA/{name}"
        )
    if packed:
        archives = fetch(name, progress=progress)
    for role, file in packed.items():
        unpack(archives[role], folder / role, sha256=file.sha256, progress=progress)
    return folder


def _brought_folder(
    name: str, entry: DatasetEntry | ModelEntry, *, from_dir: str | Path | None = None
) -> Path:
    folder = brought_path(name) if from_dir is None else user_path(from_dir)
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    state = "is empty" if folder.is_dir() else "is missing"
    instructions = " ".join(entry.instructions.split())
    raise InputError(
        f"the folder of {name} {state}: {folder}. To get it: {instructions} Then put it there, or "
        f"into $MSKSEG_DATA/{name}"
    )


def _is_in_package(entry: DatasetEntry | ModelEntry) -> bool:
    """Whether an entry has files, and all of them lie in an installed package."""
    try:
        return bool(entry.package and [_file_of_package(entry, f) for f in entry.roles.values()])
    except InputError:
        return False


def _file_of_package(entry: DatasetEntry | ModelEntry, file: RemoteFile) -> Path:
    package = str(entry.package)
    how = " ".join(entry.instructions.split())
    try:
        path = file_in_package(package, str(file.path))
    except InputError as error:
        if not how:
            raise
        raise InputError(f"{str(error).partition(';')[0]}; {how}") from error
    if not matches(path, file):
        version = package_version(package.replace("_", "-")) or "of an unknown version"
        raise InputError(
            f"{path} of {package} {version} is not the file of the manifest (expected sha256 "
            f"{file.sha256}); {how or f'install the package {package} again'}"
        )
    return path


def _state_of_package(name: str, entry: DatasetEntry | ModelEntry) -> State:
    for file in entry.roles.values():
        if _state(cache_path(name, file.name), file) == "present":
            continue
        try:
            path = file_in_package(str(entry.package), str(file.path))
        except InputError:
            return "missing"
        if not matches(path, file):
            return "damaged"
    return "builtin"


def _state(path: Path, file: RemoteFile) -> State:
    if not path.is_file():
        return "missing"
    try:
        return "present" if matches(path, file) else "damaged"
    except OSError:  # unreadable: as good as damaged, and replaced alike
        return "damaged"


def matches(path: Path, file: RemoteFile) -> bool:
    """Whether a file has the size and the checksum of the manifest."""
    if file.bytes is not None and path.stat().st_size != file.bytes:
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256


def _download(file: RemoteFile, target: Path, *, progress: bool, timeout_s: float) -> None:
    if is_offline():
        raise InputError(
            f"{file.name} is not here, and MSKSEG_OFFLINE switches downloads off; unset it, or "
            "bring the file with --from and its folder"
        )
    bar = tqdm(total=file.bytes, unit="B", unit_scale=True, desc=file.name, disable=not progress)
    size, most = 0, file.bytes or _MOST_BYTES
    with bar, written_atomically(target) as temporary:
        with temporary.open("wb") as opened:
            for chunk in _received(file, timeout_s=timeout_s):
                bar.update(len(chunk))
                size += opened.write(chunk)
                if size > most:
                    raise InputError(
                        f"{file.url} sends more than the {most} bytes that are expected; it was "
                        "cut there, and nothing is kept: the file changed upstream or on the way"
                    )
        if file.bytes is not None and size < file.bytes:
            raise InputError(f"{file.url} broke off after {size} of {file.bytes} bytes; try again")
        if not matches(temporary, file):
            raise InputError(
                f"{file.url} gave {size} bytes with sha256 {pooch.file_hash(str(temporary))}, "
                f"expected {_expected(file)}; the file changed upstream or on the way"
            )


def _received(file: RemoteFile, *, timeout_s: float) -> Iterator[bytes]:
    """Give a file piece by piece; whatever the answer leads to is one InputError."""
    try:
        with requests.get(str(file.url), stream=True, timeout=timeout_s) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(_CHUNK_BYTES)
    except Exception as error:  # redirects to nowhere raise more than requests' own errors
        reason = f"{type(error).__name__}: no connection, or it broke off"
        reason = reason_of(error) if isinstance(error, requests.HTTPError) else reason
        raise InputError(
            f"{file.name} could not be downloaded from {file.url} ({reason}); try again, or fetch "
            "it elsewhere and use --from"
        ) from error


def _copy_matching(wanted: Mapping[Path, RemoteFile], folder: Path) -> None:
    """Copy what is found below a folder by size and sha256; all of it, or nothing."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one that holds the files")
    sources = {target: _find(file, folder) for target, file in wanted.items()}
    for target, source in sources.items():
        with written_atomically(target) as temporary:
            shutil.copyfile(source, temporary)
            if not matches(temporary, wanted[target]):
                raise InputError(f"{source} changed while it was copied; try again")


def _find(file: RemoteFile, folder: Path) -> Path:
    below = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    # Where the size is unknown each file has to be hashed: the likeliest first.
    for path in sorted(below, key=lambda path: path.name != file.name):
        try:
            if path.is_file() and matches(path, file):  # a pipe would wait for its writer
                return path
        except OSError:
            continue  # a dangling link or an unreadable file is not what is looked for
    raise InputError(
        f"no file below {folder} is {file.name}: expected {_expected(file)}; the name does not "
        "matter, the content does"
    )


def _expected(file: RemoteFile) -> str:
    size = "a file" if file.bytes is None else f"{file.bytes} bytes"
    return f"{size} with sha256 {file.sha256}"
