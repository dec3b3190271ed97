"""The scans of this study: knees with detail to lose, and several images of the same slices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mskseg.case import Case
from mskseg.io import load_echoes
from mskseg.splits import Part
from mskseg_phantom import SPLIT, make_phantom, scan_phantom


def make_fine_knees(n_subjects: int, *, size_px: int) -> list[Case]:
    """Make knees of the first test subjects, finer than the built-in data set.

    Each has 8 slices of `size_px` rows and columns; the field of view stays.
    """
    return [
        make_phantom("knee", subject, shape=(size_px, size_px, 8))
        for subject in SPLIT["test"][:n_subjects]
    ]


def make_phases(
    anatomy: str, sequences: Sequence[str] | None = None, *, part: Part = "test", n_subjects: int
) -> list[Case]:
    """Make several images of each of the first subjects of a part, 256 x 256 x 8 voxels.

    Parameters
    ----------
    anatomy : str
        Of the phantoms, such as ``thigh``.
    sequences : sequence of str, optional
        By default the anatomy's own; ``mese_te10`` to ``mese_te80`` are echoes of one scan.
    part : {"train", "validation", "test", "inference"}
        Choose a combination on one part, report it on another.
    n_subjects : int
        All if there are fewer.

    Raises InputError if anatomy or sequence are unknown.
    """
    return [
        case
        for subject in SPLIT[part][:n_subjects]
        for case in scan_phantom(anatomy, subject, sequences=sequences, shape=(256, 256, 8))
    ]


def read_echoes(folder: str | os.PathLike[str]) -> list[Case]:
    """Read the echoes of a DICOM series, a case each, in the order of their echo times.

    Raises InputError as `mskseg.load_echoes`.
    """
    subject = Path(folder).name
    return [
        Case(subject=subject, image=image, sequence=f"{echo_ms:.1f} ms")
        for echo_ms, image in load_echoes(folder).items()
    ]
