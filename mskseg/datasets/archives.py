"""Unpack a zip archive completely or not at all, and never outside its folder."""

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from mskseg.errors import InputError, OutputError
from mskseg.files import PARTIAL, sweep

MARK = ".mskseg-unpacked"
"""File in an unpacked folder that holds the sha256 of its archive."""


def is_unpacked(folder: Path, *, sha256: str) -> bool:
    """Tell whether a folder was unpacked from the archive of that sha256."""
    try:
        return (folder / MARK).read_text(encoding="utf-8") == sha256
    except OSError:
        return False


def unpack(archive: Path, folder: Path, *, sha256: str, progress: bool) -> None:
    """Unpack a zip archive, whose sha256 the caller has checked, in place of a folder, or nothing.

    InputError if it is no complete, safe archive; OutputError without space or a writable folder.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                _check_member(member, archive)
            _check_space(members, archive, folder)
            _unpack_beside(opened, folder, sha256=sha256, progress=progress)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(
            f"{archive} is not a complete zip archive ({error}); delete it and fetch it again"
        ) from error
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot unpack {archive.name} into {folder}: {error.strerror or error}; free space "
            "there, or choose another cache with MSKSEG_CACHE"
        ) from error


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    """Refuse what `ZipFile.extract` would put elsewhere in silence, or could not extract."""
    name = member.filename
    pure = PurePosixPath(name)
    leaves = pure.is_absolute() or ".." in pure.parts or "\\" in name
    if leaves or re.match(r"[A-Za-z]:", name) or "\0" in member.orig_filename:
        raise InputError(
            f"{archive} has a member {name!r} that would lie outside its folder; nothing was "
            "unpacked, get the archive from its publisher"
        )
    if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 1:
        kind = "encrypted" if member.flag_bits & 1 else "a link"
        raise InputError(f"{archive} has a member {name!r} that is {kind}; nothing was unpacked")


def _check_space(members: list[zipfile.ZipInfo], archive: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(member.file_size for member in members)
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise OutputError(
            f"cannot unpack {archive.name} into {folder}: it takes {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; free space there, or choose another cache with "
            "MSKSEG_CACHE"
        )


def _unpack_beside(opened: zipfile.ZipFile, folder: Path, *, sha256: str, progress: bool) -> None:
    sweep(folder.parent)
    temporary = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder.parent))
    try:
        for member in tqdm(opened.infolist(), desc=f"unpack {folder.name}", disable=not progress):
            opened.extract(member, temporary)
        (temporary / MARK).write_text(sha256, encoding="utf-8")
        temporary.chmod(0o755)  # mkdtemp's folders are private
        _put_in_place(temporary, folder, sha256=sha256)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, folder: Path, *, sha256: str) -> None:
    """Rename, unless another process has unpacked the same and may be reading it by now."""
    if is_unpacked(folder, sha256=sha256):
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        temporary.replace(folder)
    except OSError:
        if not is_unpacked(folder, sha256=sha256):
            raise
