"""`data_manifest.yaml`: every data set and checkpoint, where it is and what it must hash to.

No other module knows an address, a size or a checksum. Files lie in one cache folder
(`cache_dir`), each under its entry's name, and are used only if their sha256 is the manifest's.
They come there from their pinned address or, on a machine without internet, from any folder that
holds the same bytes under any name (``fetch(name, from_dir=...)``). Data sets that ask for a
registration are folders that a person brings: see `mskseg.datasets.locations`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from mskseg.datasets.entries import DatasetEntry, Manifest, ModelEntry, Reference, RemoteFile
from mskseg.errors import InputError
from mskseg.registry import file_in_package

State = Literal["builtin", "present", "missing", "damaged"]


@dataclass(frozen=True)
class FileStatus:
    """What `verify` found: one file of one entry.

    `state` is "present" only if size and sha256 are the manifest's; `path` is None for what comes
    with the package.
    """

    entry: str
    role: str
    state: State
    path: Path | None


def manifest_path() -> Path:
    """Where the manifest is: inside an installed package, else at the root of a checkout.

    The environment variable ``MSKSEG_MANIFEST`` names another: data sets and models of one's own.
    """
    if chosen := os.environ.get("MSKSEG_MANIFEST"):
        return Path(chosen).expanduser()
    packaged = Path(str(resources.files("mskseg"))) / "data_manifest.yaml"
    return packaged if packaged.is_file() else packaged.parents[1] / packaged.name


def load_manifest(path: str | Path | None = None) -> Manifest:
    """Read and check the manifest.

    Parameters
    ----------
    path : path-like, optional
        Another manifest than the package's.

    Raises
    ------
    InputError
        If it is missing, not YAML, has an unknown or missing field, one name twice, or a malformed
        value; the message names the first such field.
    """
    return _load(Path(path) if path is not None else manifest_path())


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, of which YAML itself keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # which the base class reports
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice; each name once", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


@lru_cache(maxsize=4)
def _load(path: Path) -> Manifest:
    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506
        return Manifest.model_validate(content)
    except OSError as error:
        raise InputError(f"cannot read the manifest {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top level"
        raise InputError(
            f"{path} is no manifest: {where}: {first['msg']} ({error.error_count()} such in all)"
        ) from error


def cache_dir() -> Path:
    """Give the folder of fetched files: the environment's `MSKSEG_CACHE`, else the platform's own.

    It is not made here; `fetch` makes it.
    """
    chosen = os.environ.get("MSKSEG_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch  # here: it brings requests, and reading the manifest needs neither

    return Path(pooch.os_cache("mskseg"))


def cached_path(entry_name: str, file: RemoteFile) -> Path:
    """Give where a file of an entry belongs in the cache, whether it is there or not.

    Raises
    ------
    InputError
        If the path would leave the cache (a link in the cache may lead out of it).
    """
    return inside_cache(entry_name, file.name)


def inside_cache(*parts: str) -> Path:
    """Give a path below the cache for something to be written.

    Raises
    ------
    InputError
        If the path would leave the cache, by ``..`` or by a link in the cache.
    """
    root = cache_dir().resolve()
    path = root.joinpath(*parts).resolve()
    if not path.is_relative_to(root) or path == root:
        raise InputError(f"{path} lies outside the cache {root}; remove the link that leads there")
    return path


def expected_folder(entry_name: str) -> Path:
    """Give where a data set's folder is looked for: below `MSKSEG_DATA` if set, else in the cache.

    Whether it is there or not, and without a slash at its end.
    """
    chosen = os.environ.get("MSKSEG_DATA")
    return (Path(chosen).expanduser().absolute() if chosen else cache_dir()) / entry_name


def fetch(
    entry_name: str,
    *,
    from_dir: str | Path | None = None,
    progress: bool = True,
    manifest: Manifest | None = None,
) -> dict[str, Path]:
    """Make sure that an entry's files are in the cache, and give their paths.

    What is there already is checked by sha256, and replaced if damaged.

    Parameters
    ----------
    entry_name : str
        A data set or model of the manifest.
    from_dir : path-like, optional
        Take what is missing from the files below this folder, whatever they are called, instead of
        downloading it. Of a data set with registration: the folder to look at.
    progress : bool
        Show a bar for each download.
    manifest : Manifest, optional
        Another manifest than the package's.

    Returns
    -------
    dict of role to Path
        Empty for what a package makes; the role "folder" for a data set with registration.

    Raises
    ------
    InputError
        If the entry is unknown; a file cannot be downloaded, arrives truncated or with another
        checksum, is not below `from_dir`, or has no address; or the folder of a data set with
        registration is not there. The cache never holds part of a file.
    OutputError
        If the cache cannot be written to.
    """
    from mskseg.datasets.transfer import copy_matching, download

    entry = (manifest or load_manifest()).entry(entry_name)
    if entry.access == "registration":
        from mskseg.datasets.locations import brought_folder

        return {"folder": brought_folder(entry_name, entry, root=from_dir)}
    if entry.access == "package":
        return {role: _packaged(entry, file) for role, file in entry.roles.items()}
    paths = {role: cached_path(entry_name, file) for role, file in entry.roles.items()}
    wanted = {
        paths[role]: file
        for role, file in entry.roles.items()
        if _state(paths[role], file) != "present"
    }
    if from_dir is not None:
        copy_matching(wanted, Path(from_dir).expanduser())
        return paths
    for path, file in wanted.items():
        if file.url is None:
            raise InputError(
                f"{file.name} of {entry_name} cannot be downloaded: {entry.instructions} Then run "
                f"the fetch again with --from and the folder it is in (sha256 {file.sha256})"
            )
        download(file, path, progress=progress)
    return paths


def verify(
    entry_name: str | None = None, *, manifest: Manifest | None = None
) -> Iterator[FileStatus]:
    """Compare the cache with the manifest, file by file, without fetching anything.

    Parameters
    ----------
    entry_name : str, optional
        One entry; by default all.
    manifest : Manifest, optional
        Another manifest than the package's.

    Yields
    ------
    FileStatus

    Raises
    ------
    InputError
        If the entry is unknown.
    """
    manifest = manifest or load_manifest()
    names = [entry_name] if entry_name else [*manifest.datasets, *manifest.models]
    for name in names:
        entry = manifest.entry(name)
        if entry.access == "package":
            yield FileStatus(name, "all", "builtin", None)
            continue
        if entry.access == "registration":
            folder = expected_folder(name)
            yield FileStatus(name, "folder", "present" if folder.is_dir() else "missing", folder)
        for role, file in entry.roles.items():
            path = cached_path(name, file)
            yield FileStatus(name, role, _state(path, file), path)


def matches(path: Path, file: RemoteFile) -> bool:
    """Tell whether a file has the size and sha256 of `file`. OSError if it cannot be read."""
    if file.bytes is not None and path.stat().st_size != file.bytes:
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256


def _packaged(entry: DatasetEntry | ModelEntry, file: RemoteFile) -> Path:
    path = file_in_package(str(entry.package), str(file.path))
    if not matches(path, file):
        raise InputError(
            f"{path} is not the file of the manifest (expected sha256 {file.sha256}); install the "
            f"package {entry.package} again"
        )
    return path


def _state(path: Path, file: RemoteFile) -> State:
    if not path.is_file():
        return "missing"
    try:
        return "present" if matches(path, file) else "damaged"
    except OSError:  # unreadable: as good as damaged, and replaced alike
        return "damaged"


__all__ = [
    "DatasetEntry",
    "FileStatus",
    "Manifest",
    "ModelEntry",
    "Reference",
    "RemoteFile",
    "cache_dir",
    "cached_path",
    "expected_folder",
    "fetch",
    "inside_cache",
    "load_manifest",
    "manifest_path",
    "verify",
]
