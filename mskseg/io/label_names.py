"""The names of labels, from the small files that come with label maps."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mskseg.errors import InputError, naming

_COMMENTS = ("#", "//")
# ITK-SNAP: index, red, green, blue, alpha, visible, mesh, "name"
_ITK_SNAP = re.compile(r'(\d+)\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+\d+\s+\d+\s+"(.*)"')
_PLAIN = re.compile(r"(-?\d+)[\s:=]+(\S.*)")


def load_label_names(path: str | os.PathLike[str]) -> dict[int, str]:
    """Read which label is which tissue.

    Parameters
    ----------
    path : path-like
        An ITK-SNAP label description; or one ``value name`` per line; or CSV ``label,name`` with or
        without a header; or JSON ``{"value": "name"}``.

    Returns
    -------
    dict of int to str
        By label, without the background 0. A name that repeats its number ("7 Plantaris Left", as
        ITK-SNAP users write it) is given without it.

    Raises
    ------
    InputError
        If the file is missing, is no text, names no label, has a line that fits none of the forms,
        or names a label twice.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{source}: no such file; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: cannot be read as text; give a file of names") from error
    with naming(source):
        names = _by_label(_pairs(text, suffix=source.suffix.lower()))
        if not names:
            raise InputError("names no label; give one `value name` per line")
    return names


def _pairs(text: str, *, suffix: str) -> Iterable[tuple[str, str]]:
    if suffix == ".json":
        return _from_json(text)
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1)]
    lines = [(n, line) for n, line in lines if line and not line.startswith(_COMMENTS)]
    if suffix == ".csv":
        return _from_csv(lines)
    return [_from_line(number, line) for number, line in lines]


def _from_line(number: int, line: str) -> tuple[str, str]:
    found = _ITK_SNAP.fullmatch(line) or _PLAIN.fullmatch(line)
    if found is None:
        raise InputError(f"line {number} is {line[:60]!r}; expected `value name`")
    return found[1], found[2].strip().strip('"')


def _from_csv(lines: list[tuple[int, str]]) -> list[tuple[str, str]]:
    rows = [(number, next(csv.reader([line]))) for number, line in lines]
    if rows and not re.match(r"\s*[-+.\d]", rows[0][1][0]):
        rows = rows[1:]  # a header
    for number, row in rows:
        if len(row) < 2 or not _is_integer(row[0]):
            raise InputError(f"line {number} is {','.join(row)[:60]!r}; expected `label,name`")
    return [(row[0], row[1].strip()) for _, row in rows]


def _from_json(text: str) -> list[tuple[str, str]]:
    try:
        content = json.loads(text, object_pairs_hook=list)  # pairs: a name given twice is seen
    except ValueError as error:
        raise InputError(f"not JSON ({error}); expected {{value: name}}") from error
    pairs: list[Any] = content if isinstance(content, list) else [None]
    if not all(isinstance(pair, tuple) and _is_integer(pair[0]) for pair in pairs):
        raise InputError('expected one JSON object {"value": "name"} with whole numbers as keys')
    return [(key, str(name)) for key, name in pairs]


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d+\s*", text) is not None


def _by_label(pairs: Iterable[tuple[str, str]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for value, name in pairs:
        label = int(value)
        if label in names:
            raise InputError(f"label {label} is named twice; keep one name for each label")
        names[label] = name.removeprefix(f"{label} ").strip()
    names.pop(0, None)
    return names
