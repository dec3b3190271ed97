"""A reader's own scans: images by one glob, label maps by another, whose they are by a pattern."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from mskseg.datasets.layouts.lazy import LazyCaseSet
from mskseg.datasets.layouts.pairing import About, bare_name, natural
from mskseg.errors import InputError

_NAMED = ("sequence", "side", "visit", "site")


def read_globbed(
    images: str, labels: str, *, subject_pattern: str, about: About | None = None
) -> LazyCaseSet:
    """Pair images with label maps by what a pattern finds in their paths.

    Parameters
    ----------
    images, labels : str
        Globs; ``**`` goes through folders.
    subject_pattern : str
        A regular expression, searched in each path (with ``/`` between folders). The subject is its
        group ``subject``, else its first group, else all that it matches. Groups ``sequence``,
        ``side``, ``visit`` and ``site`` describe a scan, and tell those of one subject apart: a
        label map belongs to the images that agree with it in every group that both have.
    about : About, optional
        What is the same for all scans.

    Returns
    -------
    LazyCaseSet
        Reads a scan when it is asked for.

    Raises
    ------
    InputError
        If the pattern is none or matches no subject in a path, a glob finds nothing, or an image
        has no label map or several.
    """
    pattern = _compiled(subject_pattern)
    described = about or About()
    found = {p: _said(pattern, p) for p in _files(images, "images")}
    references = {p: _said(pattern, p) for p in _files(labels, "labels")}
    scans = []
    for path, said in found.items():
        told = said if "sequence" in said else said | {"sequence": bare_name(path)}
        scan = described.scan(told, image=path, reference=_label_of(path, said, references))
        scans.append(scan)
    return LazyCaseSet("own data", scans)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"the subject pattern {pattern!r} is no regular expression: {error}; try 'sub-[0-9]+'"
        ) from error


def _files(pattern: str, what: str) -> list[Path]:
    expanded = str(Path(pattern).expanduser())
    found = sorted(glob.glob(expanded, recursive=True), key=natural)  # noqa: PTH207  (absolute too)
    if not found:
        raise InputError(
            f"no file matches {pattern!r}, expected the {what}; correct the glob, in quotes so "
            "that the shell leaves it alone"
        )
    return [Path(name) for name in found]


def _said(pattern: re.Pattern[str], path: Path) -> dict[str, str]:
    match = pattern.search(path.as_posix())
    named = {} if match is None else {k: v for k, v in match.groupdict().items() if v}
    subject = None if match is None else named.get("subject") or match[1 if pattern.groups else 0]
    if not subject:
        raise InputError(
            f"the subject pattern {pattern.pattern!r} matches no subject in {path}; it is searched "
            "in the whole path, for example 'sub-[0-9]+'"
        )
    return {k: v for k, v in named.items() if k in _NAMED} | {"subject": subject}


def _label_of(image: Path, said: dict[str, str], references: dict[Path, dict[str, str]]) -> Path:
    fitting = [
        path
        for path, other in references.items()
        if all(other[key] == said[key] for key in other.keys() & said.keys())
    ]
    if len(fitting) != 1:
        names = ", ".join(path.name for path in fitting[:3]) or "none"
        raise InputError(
            f"{image} of subject {said['subject']} has {len(fitting)} label maps ({names}), "
            "expected one; correct the globs, or tell scans apart by groups in the pattern, such "
            "as (?P<visit>...)"
        )
    return fitting[0]
