"""Phantoms as data sets: made on first use, only as far as asked for, and kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from mskseg.data import phantom
from mskseg.data.cases import Case
from mskseg.data.manifest import cache_dir
from mskseg.data.phantom.scans import subject_name, thigh_case
from mskseg.data.readers import load_image, load_label_map, save_nifti
from mskseg.data.splits import Part, Split
from mskseg.data.volume import LabelMap, Volume
from mskseg.errors import InputError


@dataclass(frozen=True)
class Phantom:
    """How one anatomy is made; everything is asked for when it is needed.

    Attributes
    ----------
    version : callable
        Part of the cache's key.
    numbers : callable
        Numbers of the subjects in each part of the split.
    sequences : callable
        Names of all sequences.
    subject_name : callable
        Name of a subject, of its number.
    scan : callable
        ``scan(number, sequences=...)`` makes one `Case` for each sequence.
    describe : callable
        ``describe(number, image, reference, sequence=...)`` is the `Case` of a scan read again.
    """

    version: Callable[[], int]
    numbers: Callable[[], Mapping[Any, tuple[int, ...]]]
    sequences: Callable[[], Sequence[str]]
    subject_name: Callable[[int], str]
    scan: Callable[..., Iterable[Case]]
    describe: Callable[..., Case]


# Looked up in `phantom` at each call, so that a test can put a smaller one in its place.
PHANTOMS: Mapping[str, Phantom] = {
    "phantom_thigh": Phantom(
        version=lambda: phantom.PHANTOM_VERSION,
        numbers=lambda: phantom.SPLIT,
        sequences=lambda: tuple(phantom.SEQUENCES),
        subject_name=subject_name,
        scan=lambda number, *, sequences: phantom.scan_thigh(number, sequences=sequences),
        describe=thigh_case,
    ),
}
"""The built-in data sets, by their id in the manifest."""


def phantom_split(name: str) -> Split:
    """Give the split that belongs to a phantom."""
    made = PHANTOMS[name]
    parts: dict[Part, tuple[str, ...]] = {
        part: tuple(map(made.subject_name, n)) for part, n in made.numbers().items()
    }
    return Split(name, parts)


def phantom_subjects(name: str) -> tuple[str, ...]:
    """List the subjects of a phantom, in the order of its parts."""
    return tuple(subject for part in phantom_split(name).parts.values() for subject in part)


def phantom_cases(
    name: str, subjects: Sequence[str], sequences: Sequence[str], *, progress: bool
) -> list[Case]:
    """Read scans of a phantom from the cache, and make those that are missing or damaged.

    By subject, then by sequence, in the order asked for. Raises OutputError if the cache cannot be
    written to.
    """
    made = PHANTOMS[name]
    numbers = {made.subject_name(n): n for part in made.numbers().values() for n in part}
    files = {subject: _files(name, subject, sequences) for subject in subjects}
    missing = [s for s in subjects if not all(path.is_file() for path in files[s].values())]
    with tqdm(total=len(missing), desc=name, unit="subject",
              disable=not (progress and missing)) as bar:  # fmt: skip
        cases = []
        for subject in subjects:
            cases += _one_subject(made, numbers[subject], files[subject])
            bar.update(subject in missing)
    return cases


def _one_subject(made: Phantom, number: int, files: Mapping[str, Path]) -> list[Case]:
    sequences = [kind for kind in files if kind != "labels"]
    try:
        return _read(made, number, files)
    except InputError:
        for case in made.scan(number, sequences=sequences):
            save_nifti(case.image, files[case.sequence])
            if case.reference is not None:
                save_nifti(case.reference, files["labels"])
    return _read(made, number, files)  # what later calls will read, to the last bit


def _read(made: Phantom, number: int, files: Mapping[str, Path]) -> list[Case]:
    reference: LabelMap = load_label_map(files["labels"])
    images: dict[str, Volume] = {k: load_image(p) for k, p in files.items() if k != "labels"}
    return [
        made.describe(number, image, reference, sequence=sequence)
        for sequence, image in images.items()
    ]


def _files(name: str, subject: str, sequences: Sequence[str]) -> dict[str, Path]:
    folder = cache_dir() / name / f"version-{PHANTOMS[name].version()}"
    return {kind: folder / f"{subject}_{kind}.nii.gz" for kind in ("labels", *sequences)}
