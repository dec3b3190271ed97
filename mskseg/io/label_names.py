"""The names of labels, from the small files that other tools write beside label maps."""

import csv
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from mskseg.errors import InputError, naming
from mskseg.input_files import parse_json, parsed, printable, read_text

Pair = tuple[str, str]  # value, name

_MOST_MB = 2.0
_COMMENT = re.compile(r"//|#(?!(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})\b)")  # a colour is none: #ff0000
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")
_PLAIN = re.compile(r"(-?\d+)[\s:=]+(\S.*)")
# What headers call the two columns, the surest first, without case, spaces and underscores.
_VALUES = ("labelvalue", "labelid", "value", "label", "index", "id", "number", "no", "no.", "key")
_NAMES = ("name", "labelname", "tissue", "structure", "region", "label", "description")


def load_label_names(path: str | os.PathLike[str]) -> dict[int, str]:
    """Read which label is which tissue; a warning says as what form the file was read.

    Parameters
    ----------
    path : path-like
        A label description of ITK-SNAP; a colour table of 3D Slicer or FreeSurfer; nnU-Net's
        ``dataset.json``; a CSV or TSV whose header names the columns, such as BIDS ``dseg.tsv``, or
        ``label,name`` without a header; one ``value name`` per line; JSON ``{"value": "name"}``.
        In UTF-8, or UTF-16 with its mark; of 2 MB at most.

    Returns
    -------
    dict of int to str
        By label, without the background 0. A name that repeats its number ("7 Plantaris Left", as
        ITK-SNAP users write it) is given without it. nnU-Net's "ignore" keeps its name and its
        meaning: a `Case` whose reference holds such voxels is refused.

    Raises
    ------
    InputError
        If the file is missing, is no text, names no label, has a line that fits none of the forms,
        names a label twice, or does not say which column is which.
    """
    source = Path(path)
    text = read_text(source, most_mb=_MOST_MB)
    with parsed(source, "file of names", "give one `value name` per line"), naming(source):
        suffix = source.suffix.lower()
        form, pairs = _from_json(text) if suffix == ".json" else _from_lines(text, suffix=suffix)
        names = by_label(pairs)
        if not names:
            raise InputError("names no label; give one `value name` per line")
    warnings.warn(f"{source}: {len(names)} labels, read as {form}", stacklevel=2)
    return names


def nnunet_names(labels: object) -> list[Pair]:
    """Pair value and name of the labels in a ``dataset.json``, of either version of nnU-Net.

    InputError for regions, which are unions of labels and name no label.
    """
    if not isinstance(labels, dict):
        raise InputError("expected nnU-Net's labels {name: value}")
    pairs = []
    for key, other in labels.items():
        value, name = (key, other) if _is_integer(str(key)) else (other, key)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]  # which nnU-Net takes as the label alone
        if not isinstance(name, str) or isinstance(value, bool) or not _is_integer(str(value)):
            raise InputError(
                f"names labels in a way not known here ({key!r}: {other!r}; regions of several "
                "values are not supported); give one value to each name"
            )
        pairs.append((str(value), name))
    return pairs


def _from_json(text: str) -> tuple[str, list[Pair]]:
    try:
        content = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error}); expected {{value: name}}") from error
    if isinstance(content, dict) and isinstance(content.get("labels"), dict):
        return "nnU-Net's dataset.json", nnunet_names(content["labels"])
    pairs = list(content.items()) if isinstance(content, dict) else [("", "")]
    if not all(_is_integer(value) for value, _ in pairs):
        raise InputError('expected one JSON object {"value": "name"} with whole numbers as keys')
    for value, name in pairs:
        if not isinstance(name, str):
            raise InputError(f"label {value} has the name {name!r}, expected text; name it")
    return 'JSON {"value": "name"}', pairs


def _from_lines(text: str, *, suffix: str) -> tuple[str, list[Pair]]:
    lines = [(n, line.strip(" ")) for n, line in enumerate(text.splitlines(), start=1)]
    lines = [(n, line) for n, line in lines if line.strip() and not _COMMENT.match(line)]
    delimiter = _delimiter([line for _, line in lines], suffix)
    if delimiter is None:
        return _from_words(lines)
    return _from_table([(n, _cells(line, delimiter)) for n, line in lines], delimiter)


def _cells(line: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip() for cell in cells]


def _delimiter(lines: Sequence[str], suffix: str) -> str | None:
    """Find what stands between columns; None where only spaces do."""
    usual = {".csv": ",", ".tsv": "\t"}.get(suffix)
    counts = {d: min((line.count(d) for line in lines), default=0) for d in (usual or "") + "\t;"}
    best = max(counts, key=lambda d: counts[d])
    if counts[best] and (usual or any(_is_integer(line.partition(best)[0]) for line in lines)):
        return best
    return usual


def _from_words(lines: list[tuple[int, str]]) -> tuple[str, list[Pair]]:
    """Leave out numbers beside the name, if they stand in every line as colours do."""
    split = []
    for number, line in lines:
        found = _PLAIN.fullmatch(line.strip())
        if found is None:
            raise InputError(f"line {number} is {line[:60]!r}; expected `value name`")
        words = _cells(" ".join(found[2].split()), " ")
        text = [i for i, word in enumerate(words) if not _NUMBER.fullmatch(word)] or [0]
        split.append((found[1], words, text[0], len(words) - text[-1] - 1))
    before, after = _colours([s[2] for s in split]), min(_colours([s[3] for s in split]), 4)
    pairs = [(v, " ".join(words[before : len(words) - after])) for v, words, _, _ in split]
    if before:
        return "ITK-SNAP's label descriptions" if before == 6 else "colours before names", pairs
    return "a colour table of 3D Slicer or FreeSurfer" if after else "`value name` lines", pairs


def _colours(counts: list[int]) -> int:
    if max(counts, default=0) < 3:
        return 0
    if min(counts) < 3:
        raise InputError(
            "has numbers like colours in some lines and not in others; write all alike"
        )
    return min(counts)


def _from_table(rows: list[tuple[int, list[str]]], delimiter: str) -> tuple[str, list[Pair]]:
    header = [] if any(map(_NUMBER.fullmatch, rows[0][1] if rows else "0")) else rows[0][1]
    body = rows[1:] if header else rows
    width, columns, value, name = len(rows[0][1]) if rows else 0, [], 0, 1
    unfit = [(n, row) for n, row in body if len(row) != width or width < 2]
    if not unfit:
        columns = list(zip(*(row for _, row in body), strict=True))
        value, name = _by_header(header, columns) if header else (0, 1)
        unfit = [(n, row) for n, row in body if not _is_integer(row[value])]
    for number, row in unfit:
        raise InputError(
            f"line {number} is {delimiter.join(row)[:60]!r}; expected `label{delimiter}name` or "
            "the columns of its header"
        )
    if not header and columns:
        name = _by_content(columns)
    said = f"{header[value]!r} and {header[name]!r}" if header else "label, name"
    return f"a table with the columns {said}", [(row[value], row[name]) for _, row in body]


def _by_header(header: list[str], columns: list[tuple[str, ...]]) -> tuple[int, int]:
    """Find value and name by what the header calls them, else by what alone can be meant."""
    keys = [re.sub(r"[\s_]", "", cell).casefold() for cell in header]
    whole = [i for i, c in enumerate(columns) if keys[i] and any(map(_is_integer, c))]
    named = [i for key in _VALUES for i in whole if keys[i] == key]
    value = named[0] if named else whole[0] if len(whole) == 1 else -1
    words = [i for i in _of_text(columns) if i != value and keys[i]]
    named = [i for key in _NAMES for i in words if keys[i] == key]
    name = named[0] if named else words[0] if len(words) == 1 else -1
    if columns and min(value, name) < 0:
        raise InputError(
            f"of the columns {', '.join(map(repr, header))} none, or several, may hold the "
            f"{'labels' if value < 0 else 'names'}; call the two columns label and name"
        )
    return value, name


def _by_content(columns: list[tuple[str, ...]]) -> int:
    """Find the one column of text where there is no header, beside colours at most."""
    words = [i for i in _of_text(columns) if i]
    numbers = [c for c in columns[1:] if all(map(_NUMBER.fullmatch, c))]
    if len(words) != 1 or len(numbers) not in (0, 3, 4, 6):
        raise InputError(
            f"holds {len(columns)} columns without a header, and which is the name is not clear; "
            "write the header label,name over them"
        )
    return words[0]


def _of_text(columns: list[tuple[str, ...]]) -> list[int]:
    """Say which columns hold more than numbers and colours."""
    other = re.compile(rf"{_NUMBER.pattern}|#[0-9a-fA-F]{{3,8}}|")
    return [i for i, column in enumerate(columns) if not all(map(other.fullmatch, column))]


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d{1,9}\s*", text) is not None


def by_label(pairs: Iterable[Pair]) -> dict[int, str]:
    """Check names, and put them by label without the background; InputError if one is none."""
    names: dict[int, str] = {}
    for value, text in pairs:
        if not _is_integer(value):
            raise InputError(f"the label {value[:30]!r} is too large; expected 9 digits at most")
        label, name = int(value), " ".join(text.split())
        if label in names:
            raise InputError(f"label {label} is named twice; keep one name for each label")
        if not name or printable(name) != name:
            raise InputError(f"label {label} has the name {name!r}, expected text; name it")
        names[label] = name.removeprefix(f"{label} ").strip()
    names.pop(0, None)
    return names
