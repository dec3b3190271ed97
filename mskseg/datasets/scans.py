"""Scans that are known by their files, and read when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from mskseg.case import Case, CaseDescription, CaseSet
from mskseg.errors import InputError, naming
from mskseg.io import load_image, load_label_map
from mskseg.io.dicom import list_echoes
from mskseg.volume import LabelMap, Volume

_KEPT = 2  # read cases that a set keeps: `cases[0]` again and again costs one reading


def read_pair(scan: "ScanFiles") -> tuple[Volume, LabelMap | None]:
    """Read image and label map as they are; the `Case` checks that they share one grid."""
    echo = None if scan.echo is None else _echo_time(scan.image, scan.echo)
    image = load_image(scan.image, echo=echo)
    return image, None if scan.reference is None else load_label_map(scan.reference)


def _echo_time(folder: Path, number: int) -> float:
    times = list_echoes(folder)
    if number >= len(times):
        raise InputError(
            f"{folder} holds {len(times)} echoes, expected echo {number + 1}; get it again or "
            "correct the number of echoes in the layout"
        )
    return times[number]


@dataclass(frozen=True, eq=False)
class ScanFiles(CaseDescription):
    """What a `Case` will say of itself, and the files it is read from."""

    image: Path  # a file, or the folder of a DICOM series
    reference: Path | None
    echo: int | None = None  # of a DICOM series, from 0, by echo time
    read: Callable[["ScanFiles"], tuple[Volume, LabelMap | None]] = read_pair

    def load(self) -> Case:
        """Read the files; InputError if they are bad, do not fit, or `tissues` lacks a label."""
        image, reference = self.read(self)
        if reference is not None:
            with naming(cast(Path, self.reference)):
                check_labels(reference, self.tissues, dataset=self.dataset)
        return Case(image=image, reference=reference, **described(self))


def scan_files(
    template: CaseDescription,
    name_parts: Mapping[str, str],
    *,
    image: Path,
    reference: Path | None,
    echo: int | None = None,
    read: Callable[[ScanFiles], tuple[Volume, LabelMap | None]] = read_pair,
) -> ScanFiles:
    """Describe one scan by a template, and by what its name says, which goes first."""
    known = described(template) | dict(name_parts)
    return ScanFiles(image=image, reference=reference, echo=echo, read=read, **known)


def described(scan: CaseDescription) -> dict[str, Any]:
    """Give what is known about a scan by name of the field."""
    return {f.name: getattr(scan, f.name) for f in fields(CaseDescription)}


def check_labels(reference: LabelMap, tissues: Mapping[int, str], *, dataset: str) -> None:
    """Make sure that every value of a label map has a name, where any has; InputError if not."""
    unnamed = [int(label) for label in reference.labels if int(label) not in tissues]
    if tissues and unnamed:
        raise InputError(
            f"the label map has the values {unnamed}, which {dataset} does not name (it names "
            f"{_ranges(tissues)}); correct the label map, or name the values"
        )


def _ranges(values: Mapping[int, str]) -> str:
    """Numbers in short: "1-25, 100"."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


class LazyCaseSet(CaseSet):
    """A `CaseSet` that reads a case each time it is asked for, and keeps the last two."""

    def __init__(self, name: str, scans: Sequence[ScanFiles]) -> None:
        # The base class asks its cases for names and attributes only, which scans have as well.
        super().__init__(name, cast("Sequence[Case]", scans))
        self._load = lru_cache(_KEPT)(lambda index: scans[index].load())

    @property
    def scans(self) -> tuple[ScanFiles, ...]:
        """The files of all cases, in order."""
        return cast("tuple[ScanFiles, ...]", self._cases)

    def _at(self, index: int) -> Case:
        return self._load(range(len(self))[index])
