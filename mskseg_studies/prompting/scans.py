"""The scans of this study: knees with detail to lose, and the echoes of a multi-echo scan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mskseg.case import Case
from mskseg.io import load_echoes
from mskseg_phantom import SPLIT, make_phantom, scan_phantom


def make_fine_knees(n_subjects: int, *, size_px: int) -> list[Case]:
    """Make knees of the first test subjects, finer than the built-in data set.

    Each has 8 slices of `size_px` rows and columns; the field of view stays.
    """
    return [
        make_phantom("knee", subject, shape=(size_px, size_px, 8))
        for subject in SPLIT["test"][:n_subjects]
    ]


def make_echoes(echo_times_ms: Sequence[int]) -> list[Case]:
    """Make echoes of a multi-echo scan, 256 x 256 x 8 voxels, of the first test subject's knee.

    Gives a case for each echo time, of 10, 20, ... 80 ms; InputError if there is no such echo.
    """
    names = [f"mese_te{echo_ms}" for echo_ms in echo_times_ms]
    return list(scan_phantom("knee", SPLIT["test"][0], sequences=names, shape=(256, 256, 8)))


def read_echoes(folder: str | os.PathLike[str]) -> list[Case]:
    """Read the echoes of a DICOM series, a case each, in the order of their echo times.

    Raises InputError as `mskseg.load_echoes`.
    """
    subject = Path(folder).name
    return [
        Case(subject=subject, image=image, sequence=f"{echo_ms:.1f} ms")
        for echo_ms, image in load_echoes(folder).items()
    ]
