"""The echoes of a multi-echo scan, a case each: one anatomy in several contrasts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mskseg.case import Case
from mskseg.io.readers import load_echoes
from mskseg_phantom import scan_phantom


def make_echoes(subject: int, echo_times_ms: Sequence[int]) -> list[Case]:
    """Make the echoes of a multi-echo scan of a phantom's knee, 256 x 256 x 8 voxels.

    Parameters
    ----------
    subject : int
        Number of the phantom's subject.
    echo_times_ms : sequence of int
        Of 10, 20, ... 80.

    Raises
    ------
    InputError
        If there is no such echo.
    """
    names = [f"mese_te{te}" for te in echo_times_ms]
    return list(scan_phantom("knee", subject, sequences=names, shape=(256, 256, 8)))


def read_echoes(folder: str | os.PathLike[str]) -> list[Case]:
    """Read the echoes of a DICOM series as phases, in the order of their echo times.

    Raises
    ------
    InputError
        As `mskseg.io.readers.load_echoes`.
    """
    subject = Path(folder).name
    return [
        Case(subject=subject, image=image, sequence=f"{echo:.1f} ms")
        for echo, image in load_echoes(folder).items()
    ]
