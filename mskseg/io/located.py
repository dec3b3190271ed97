"""Errors that say which file they are about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mskseg.errors import InputError


@contextmanager
def errors_name(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the path in front of the message of an InputError that the block raises."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{os.fspath(path)}: {error}") from error.__cause__
