"""The errors a user can cause, each one line: what came, what was expected, what to do."""

from __future__ import annotations


class MsksegError(Exception):
    """Base of the errors that the command line reports in one line, with exit code 2."""


class InputError(MsksegError, ValueError):
    """What was given cannot be used: a file, a name, a prompt, a parameter."""


class OutputError(MsksegError, OSError):
    """A result cannot be written: no permission, no space, not a folder."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
