"""Write a file completely or not at all, and clear away what killed processes left of theirs."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from mskseg.errors import OutputError

PARTIAL = ".mskseg-partial-"
"""How the names of files begin that are not complete yet."""

_WEEK_S = 7 * 86_400.0  # no notebook runs for so long


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` once the block succeeded.

    The folder is made where it is missing. If the block fails, or the disk is full, `path` is as it
    was and the temporary file is gone. Two processes may write the same path: the last one wins.
    All suffixes (``.nii.gz``) are kept on the temporary path, since writers choose their format by
    them. Raises OutputError if the folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    temporary = target.parent / f"{PARTIAL}{uuid4().hex}{''.join(target.suffixes)}"
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


def sweep(folder: Path, start: str = PARTIAL) -> None:
    """Remove what killed processes left in a folder under our temporary names, after a week."""
    for path in folder.glob(f"{start}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _WEEK_S:
                continue  # another process may be at work on it
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


@cache
def _sweep_once(folder: Path) -> None:
    sweep(folder)


def locked(path: Path) -> FileLock:
    """Let one process after the other into a block, by a lock on a file beside `path`."""
    return FileLock(path.with_name(f".{path.name}.lock"))
