"""The command line: read the arguments, run the command, turn errors into one line.

Exit codes: 0 success; 1 a notebook failed; 2 bad input or an output that cannot be written, with a
one-line reason on stderr; 3 an error of our own; 130 interrupted. Never a traceback, unless
``MSKSEG_TRACEBACK`` is set.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NoReturn, cast

from mskseg.cli import catalogue, evaluate, finetune, notebooks, run, segment
from mskseg.environment import check_extra
from mskseg.errors import MsksegError

# All but tab and line feed, and what changes the direction of writing; a progress bar needs to
# return to the start of its line, and to the line above.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_NO_BAR = rf"(?!\x1b\[A)[{_CONTROL}]"
BAD_INPUT, OUR_ERROR, INTERRUPTED = 2, 3, 130


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage that argparse puts in front."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"mskseg: {message}; see `{self.prog} --help`\n")


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import mskseg

        print(f"mskseg {mskseg.__version__}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Declare every command and its arguments."""
    parser = _Parser(
        prog="mskseg",
        description="Promptable foundation models on musculoskeletal MRI. Not a medical device.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for module in (run, notebooks, catalogue, evaluate, segment, finetune):
        module.add_to(commands)
    return parser


class _Plain:
    """A stream without control characters: names come from other people's files."""

    def __init__(self, stream: Any, control: str) -> None:
        self._stream, self._control = stream, re.compile(control)

    def write(self, text: str) -> Any:
        return self._stream.write(self._control.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, that of the process by default; returns the exit code, see the module."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show: an escape
            stream.reconfigure(errors="backslashreplace")
    for reader in ("nibabel", "pydicom"):  # whose lines would stand before ours
        logging.getLogger(reader).setLevel(logging.CRITICAL)
    out, err = _Plain(sys.stdout, rf"[\r{_CONTROL}]"), _Plain(sys.stderr, _NO_BAR)
    with redirect_stdout(cast(Any, out)), redirect_stderr(cast(Any, err)):
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    # OpenMP's threads wait for each other in busy loops: several times slower on two cores beside
    # another job. Sleeping at once makes a model that runs alone slower by a third to a half; with
    # a short loop before it two jobs cost each other a fifth or two. Before torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        arguments = build_parser().parse_args(argv)
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("default")
            if "extra" in arguments:
                check_extra(arguments.extra)
            code: int = arguments.command(arguments)
        _show(notes)
        sys.stdout.flush()
        return code
    except MsksegError as error:
        return _stop(BAD_INPUT, str(error), error)
    except KeyboardInterrupt:
        return _stop(INTERRUPTED, "interrupted")
    except BrokenPipeError:  # `mskseg data list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _stop(BAD_INPUT, f"{error.filename or 'a file'}: {error.strerror or error}", error)
    except MemoryError as error:
        return _stop(BAD_INPUT, "not enough memory; try a smaller model or image", error)
    except Exception as error:  # noqa: BLE001  the last line before a user
        reason = f"unexpected {type(error).__name__}: {error}"
        return _stop(OUR_ERROR, f"{reason}; set MSKSEG_TRACEBACK=1 and report what it shows", error)


def _show(notes: Iterable[warnings.WarningMessage]) -> None:
    """Print each different warning as one line."""
    for text in dict.fromkeys(" ".join(str(note.message).split()) for note in notes):
        print(f"mskseg: note: {text}", file=sys.stderr)


def _stop(code: int, reason: str, error: BaseException | None = None) -> int:
    if error is not None and os.environ.get("MSKSEG_TRACEBACK"):
        raise error
    print(f"mskseg: {' '.join(reason.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
