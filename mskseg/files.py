"""Write a file completely or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from mskseg.errors import OutputError

_READING = Lock()


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` once the block succeeded.

    The folder is made where it is missing. If the block fails, or the disk is full, `path` is as it
    was and the temporary file is gone. Two processes may write the same path: the last one wins.
    All suffixes (``.nii.gz``) are kept on the temporary path, since writers choose their format by
    them. Raises OutputError if the folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=".partial-", suffix="".join(target.suffixes), dir=target.parent
        )
        os.close(handle)
    except OSError as error:
        raise _cannot_write(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except OutputError:
        raise
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_write(target: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"cannot write {target}: {reason}; choose a folder that exists, is writable and has space"
    )


def _umask() -> int:
    """Read it, which sets it for a moment: one thread at a time, or it could stay so."""
    with _READING:
        mask = os.umask(0o077)
        os.umask(mask)
    return mask
