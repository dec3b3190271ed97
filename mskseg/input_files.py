"""Files that people give: read within stated limits, and damage told in one line."""

import codecs
import json
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from mskseg.errors import InputError, MsksegError, naming

MOST_TEXT_MB = 16.0
"""Of a text file: prompts of 10,000 boxes take 1 MB."""

_MOST_YAML_MB, _MOST_YAML_DEPTH = 1.0, 100  # whose parser takes 20 s for it, and more if deep


def user_path(path: str | os.PathLike[str]) -> Path:
    """Expand ``~``; InputError if there is no such user, or no home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{os.fspath(path)}: {error}; give the whole path") from error


def check_regular(path: str | os.PathLike[str], *, most_mb: float) -> None:
    """Refuse, before it is opened, what is no file or too large: a pipe waits, a device never ends.

    InputError says what is there; most callers put the path in front by `naming`.
    """
    try:
        found = Path(path).stat()
    except FileNotFoundError as error:
        raise InputError("no such file; check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({reason_of(error)}); check the path") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise InputError(f"cannot be read: it is {kind}, expected a file; give its path")
    if found.st_size > most_mb * 1e6:
        raise InputError(
            f"holds {found.st_size / 1e6:,.1f} MB, expected {most_mb:,g} MB at most; is it the "
            "file that is meant?"
        )


def read_text(path: str | os.PathLike[str], *, most_mb: float = MOST_TEXT_MB) -> str:
    """Read a text file in UTF-8, or in UTF-16 with its mark, which is noted.

    InputError, which names the file, if it is missing, no regular file, larger than `most_mb`, or
    of another encoding.
    """
    with naming(path):
        check_regular(path, most_mb=most_mb)
        try:
            content = Path(path).read_bytes()
            utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            text = content.decode("utf-16" if utf_16 else "utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(
                f"cannot be read as text: byte {error.start} is no {error.encoding.upper()}; save "
                "the file as UTF-8"
            ) from error
        except OSError as error:
            raise InputError(f"cannot be read as text ({reason_of(error)})") from error
        if "\0" in text:
            raise InputError("cannot be read as text: it holds the character 0; save it as UTF-8")
    if utf_16:
        warnings.warn(f"{os.fspath(path)} is UTF-16, and read so", stacklevel=2)
    return text


@contextmanager
def parsed(path: str | os.PathLike[str], kind: str, advice: str) -> Iterator[None]:
    """Turn whatever a parser raises on a file into one InputError that names the file."""
    try:
        yield
    except MsksegError:
        raise
    except Exception as error:  # parsers pass on whatever the bytes lead to
        other_form = isinstance(error, LookupError | TypeError | AttributeError)
        reason = "it is of another form" if other_form else reason_of(error)
        raise InputError(f"{os.fspath(path)} is no {kind} ({reason}); {advice}") from error


def reason_of(error: Exception) -> str:
    """Give the first line of an error's text, shortened; the name of its type if it has none."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = text.strip().splitlines()
    return lines[0].strip()[:200] if lines else type(error).__name__


def parse_json(text: str) -> Any:
    """Parse JSON whose objects name each key once, of which `json` keeps the last in silence.

    ValueError or RecursionError if it is none.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"{twice!r} is given twice; each name once")
        return content

    return json.loads(text, object_pairs_hook=unique)


def read_yaml(path: str | os.PathLike[str], loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Read safe YAML of 1 MB at most; InputError, which names the file, if it is none."""
    text = read_text(path, most_mb=_MOST_YAML_MB)
    with parsed(path, "YAML", "correct it"):
        depth = max(accumulate((c in "[{") - (c in "]}") for c in text), default=0)
        if depth > _MOST_YAML_DEPTH:
            raise ValueError(f"nested {depth} deep, expected {_MOST_YAML_DEPTH} at most")
        return yaml.load(text, loader)  # noqa: S506  (safe, or derived from it)


def printable(text: str) -> str:
    """Write out as escapes what no encoding holds: the bytes of a file name that is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
