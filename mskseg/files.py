"""Write a file completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from mskseg.errors import OutputError


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` once the block succeeded.

    The folder is made where it is missing. If the block fails, or the disk is full, `path` is as it
    was and the temporary file is gone. Two processes may write the same path: the last one wins.
    All suffixes (``.nii.gz``) are kept on the temporary path, since writers choose their format by
    them. Raises OutputError if the folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    temporary = target.parent / f".partial-{uuid4().hex}{''.join(target.suffixes)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
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
        temporary.write_text(text, encoding="utf-8")
