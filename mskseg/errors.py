"""The errors a user can cause, each one line: what was expected, what was got, what to do."""

import difflib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class MsksegError(Exception):
    """Base of the errors that the command line reports in one line, with exit code 2."""


class InputError(MsksegError, ValueError):
    """What was given cannot be used: a file, a name, a prompt, a parameter."""


class OutputError(MsksegError, OSError):
    """A result cannot be written: no permission, no space, not a folder."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the path in front of the message of an InputError that the block raises."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{os.fspath(path)}: {error}") from error.__cause__


def check_told_apart(names: Iterable[object], *, what: str) -> None:
    """Raise InputError if two of the names by which a table tells things apart are the same."""
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(
            f"two {what} are both called {doubled[0]}, so the table could not tell them apart; "
            "give names that differ"
        )


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Give the end of a message that suggests the word that is most alike; empty if none is."""
    alike = difflib.get_close_matches(word, list(words), n=1)
    return f", did you mean {alike[0]}?" if alike else ""
