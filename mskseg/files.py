"""Write a file completely or not at all, and clear away what killed processes left of theirs."""

import os
import platform
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from mskseg.errors import OutputError

PARTIAL = ".partial-"
"""How the names of files begin that are not complete yet."""

_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_OWNED = re.compile(r"([0-9a-f]{8})-(\d+)-")
_DAY_S = 86_400.0


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` once the block succeeded.

    The folder is made where it is missing. If the block fails, or the disk is full, `path` is as it
    was and the temporary file is gone. Two processes may write the same path: the last one wins.
    All suffixes (``.nii.gz``) are kept on the temporary path, since writers choose their format by
    them. Raises OutputError if the folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    temporary = target.parent / f"{owned(PARTIAL)}{uuid4().hex}{''.join(target.suffixes)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(target.parent.absolute())
        temporary.touch()  # fails before the block has done its work
        yield temporary
        temporary.replace(target)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}; choose a folder that exists, is "
            "writable and has space"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8 by `written_atomically`."""
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def owned(start: str) -> str:
    """Lengthen the start of a temporary name by this machine and process, for `sweep`."""
    return f"{start}{_HOST}-{os.getpid()}-"


def sweep(folder: Path, start: str = PARTIAL, *, strangers: bool = False) -> None:
    """Remove what processes that are gone left in a folder under temporary names.

    Those of another machine go after a day, since nobody here sees whether it still works on them;
    names that tell no owner if `strangers` says that this folder is ours alone.
    """
    for path in folder.glob(f"{start}*"):
        owner = _OWNED.match(path.name, len(start))
        with suppress(OSError):
            if owner is None:
                gone = strangers
            elif owner[1] == _HOST:
                gone = not _is_running(int(owner[2]))
            else:
                gone = time.time() - path.stat().st_mtime > _DAY_S
            if gone and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif gone:
                path.unlink()


@cache
def _sweep_once(folder: Path) -> None:
    sweep(folder)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # where the question would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def locked(path: Path) -> FileLock:
    """Let one process after the other into a block, by a lock on a file beside `path`."""
    return FileLock(path.with_name(f".{path.name}.lock"))
