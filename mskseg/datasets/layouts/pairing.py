"""What all layouts share: pairs of image and label map, and names taken apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.lazy import Reader, ScanFiles, read_pair
from mskseg.errors import InputError

_NIFTI = (".nii.gz", ".nii")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class About(CaseDescription):
    """What is the same for all scans of a data set, unless a file name or a header says otherwise.

    Attributes are those of `mskseg.case.CaseDescription`.
    """

    subject: str = ""

    def scan(
        self,
        said: Mapping[str, str],
        *,
        image: Path,
        reference: Path,
        echo: int | None = None,
        read: Reader = read_pair,
    ) -> ScanFiles:
        """Describe one scan; what its name `said`, by group, goes before what is general."""
        described = {each.name: getattr(self, each.name) for each in fields(CaseDescription)}
        return ScanFiles(
            image=image, reference=reference, echo=echo, read=read, **(described | dict(said))
        )


def natural(text: str) -> list[tuple[int, str]]:
    """Order names so that 10 comes after 9: a key for `sorted`."""
    pieces = re.split(r"(\d+)", text)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def bare_name(path: Path) -> str:
    """Name of a file without its ending, where ``.nii.gz`` is one ending."""
    ending = next((e for e in _NIFTI if path.name.lower().endswith(e)), path.suffix)
    return path.name[: len(path.name) - len(ending)]


def named_parts(pattern: str, text: str, *, path: Path) -> dict[str, str]:
    """Take a name apart by a pattern with named groups; groups that took no part are left out.

    Raises
    ------
    InputError
        If the name does not have that form, all of it.
    """
    found = re.fullmatch(pattern, text)
    if found is None or not found["subject"]:
        raise InputError(
            f"{path} does not say whose it is: its name {text!r} is not of the form {pattern!r}; "
            "rename the file or correct the pattern"
        )
    return {part: value for part, value in found.groupdict().items() if value}


def check_complete(
    folder: Path, dataset: str, *, images: Collection[Path], missing: Iterable[Path]
) -> None:
    """Make sure that a data set's folder is not half there.

    Parameters
    ----------
    folder : Path
        Of the data set.
    dataset : str
    images : collection of Path
        Those that were found.
    missing : iterable of Path
        Files that should be there and are not.

    Raises
    ------
    InputError
        Saying how many, and which first.
    """
    if not images:
        raise InputError(
            f"{folder} holds no image of {dataset} in the layout that is expected; see its entry "
            "in data_manifest.yaml and put the folder right"
        )
    lacking = sorted(missing, key=lambda path: natural(str(path)))
    if lacking:
        first = ", ".join(_below(path, folder) for path in lacking[:_SHOWN])
        more = ", ..." if len(lacking) > _SHOWN else ""
        raise InputError(
            f"{folder} is only half there: {len(lacking)} files of {dataset} are missing "
            f"({first}{more}); complete it, or move away what belongs to them"
        )


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
