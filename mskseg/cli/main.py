"""The command line: read the arguments, run the command, turn errors into one line.

Exit codes: 0 success; 1 a notebook failed; 2 bad input or an output that cannot be written, with a
one-line reason on stderr; 3 an error of our own; 130 interrupted. Never a traceback, unless
``MSKSEG_TRACEBACK`` is set.
"""

import argparse
import importlib
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NoReturn, cast

import mskseg
from mskseg.cli import catalogue, evaluate, finetune, notebooks, run, score, segment
from mskseg.environment import check_extra
from mskseg.errors import InputError, MsksegError, did_you_mean

# All but tab and line feed, and what changes the direction of writing; a progress bar needs to
# return to the start of its line, and to the line above.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_NO_BAR = rf"(?!\x1b\[A)[{_CONTROL}]"
BAD_INPUT, OUR_ERROR, INTERRUPTED = 2, 3, 130
_EXAMPLES = {
    "run": "mskseg run 03",
    "workbook": "mskseg workbook my_copy",
    "lab": "mskseg lab",
    "lesson": "mskseg lesson --output output",
    "data": "mskseg data fetch qmritools_thigh",
    "models": "mskseg models fetch sam_vit_b",
    "evaluate": "mskseg evaluate thigh.nii.gz --reference labels.nii.gz --csv dice.csv",
    "score": "mskseg score nnunet=mask.nii.gz --reference labels.nii.gz",
    "segment": "mskseg segment thigh.nii.gz --box '12 80 60 130 120' --propagate -o mask.nii.gz",
    "finetune": "mskseg finetune --images 'scans/*_image.nii.gz' --labels 'scans/*_labels.nii.gz' "
    "--subject-pattern 'sub-[0-9]+' --output tuned",
    "completion": "mskseg completion bash >> ~/.bashrc",
}


class _Help(argparse.HelpFormatter):
    """Shows the default of an option that has one, and keeps the lines of a text with several."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        says_it = not text or "default" in text
        without = action.default in (None, False, argparse.SUPPRESS)
        return text if says_it or without else f"{text} (default: %(default)s)"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines()
        return text if len(lines) > 1 else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage in front, and suggests the right word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)
        for command in self.prog.split()[1:2]:
            if "Example" not in (self.epilog or ""):
                self.epilog = f"{self.epilog or ''} Example: {_EXAMPLES[command]}".strip()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is unknown here, where the command's own options are known."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"invalid choice: '([^']*)'|unrecognized arguments: ([^ =]+)", message)
        words = [w for each in self._actions for w in (*each.option_strings, *(each.choices or ()))]
        alike = did_you_mean(wrong[1] or wrong[2], words) if wrong else ""
        self.exit(BAD_INPUT, f"mskseg: {message}{alike}; see `{self.prog} --help`\n")


def build_parser() -> argparse.ArgumentParser:
    """Declare every command and its arguments."""
    parser = _Parser(
        prog="mskseg",
        description="Promptable foundation models on musculoskeletal MRI. Not a medical device.",
        epilog="\n  ".join(["Examples:", *_EXAMPLES.values()]),
    )
    parser.set_defaults(command=lambda _: _print(parser.format_help()))
    version = f"mskseg {mskseg.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    for module in (run, notebooks, catalogue, evaluate, score, segment, finetune):
        module.add_to(commands)
    completion = commands.add_parser("completion", help="print completion for a shell, by shtab")
    completion.add_argument("shell", choices=("bash", "zsh"))
    completion.set_defaults(command=lambda arguments: _complete(parser, arguments.shell))
    return parser


def _complete(parser: argparse.ArgumentParser, shell: str) -> int:
    """Print the script that completes commands, options and choices."""
    try:
        shtab = importlib.import_module("shtab")
    except ImportError as error:
        raise InputError(
            "expected shtab, which writes completions, not installed; run: python -m pip install "
            "shtab"
        ) from error
    return _print(shtab.complete(parser, shell))


def _print(text: str) -> int:
    print(text, end="")
    return 0


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
        if type(error).__name__ == "OutOfMemoryError":  # of torch, which is not imported here
            return _stop(BAD_INPUT, "not enough memory on the device; use --device cpu", error)
        if re.search(r"\bMPS\b|'aten::", str(error)):
            why = str(error).partition(". ")[0]
            return _stop(BAD_INPUT, f"the device lacks something ({why}); use --device cpu", error)
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
