"""Signal: from tissue to the strength of its MR signal in a sequence.

Water and fat are kept apart until a voxel is filled, since the opposed-phase image is the
*difference* of the two: a voxel that holds equal parts of both is dark, whatever surrounds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import cos, exp, radians, sin
from types import MappingProxyType
from typing import Literal

import numpy as np

from mskseg.data.phantom.shapes import FloatArray
from mskseg.errors import InputError

SequenceName = Literal["t1w", "dixon_opposed"]
FieldStrength = Literal["1.5T", "3T"]


class Tissue(IntEnum):
    """What a point of the body consists of, as far as its signal goes."""

    AIR = 0
    MUSCLE = 1
    FAT = 2
    MARROW = 3
    CORTEX = 4
    FIBROUS = 5
    SKIN = 6
    ARTERY = 7
    VEIN = 8
    NERVE = 9


@dataclass(frozen=True)
class TissueSignal:
    """Parameters of one tissue.

    Attributes
    ----------
    proton_density : float
        Relative to water, 0 to 1.
    t1_ms, t2_ms : mapping of field strength to float
        Relaxation times in milliseconds.
    fat_fraction : float
        Share of the protons that resonate as fat, 0 to 1.
    source : str
        Where the values come from, or ``assumed``.
    """

    proton_density: float
    t1_ms: Mapping[FieldStrength, float]
    t2_ms: Mapping[FieldStrength, float]
    fat_fraction: float
    source: str


def _row(
    density: float,
    t1: tuple[float, float],
    t2: tuple[float, float],
    fat_fraction: float,
    source: str,
) -> TissueSignal:
    t1_ms: dict[FieldStrength, float] = {"1.5T": t1[0], "3T": t1[1]}
    t2_ms: dict[FieldStrength, float] = {"1.5T": t2[0], "3T": t2[1]}
    return TissueSignal(
        density, MappingProxyType(t1_ms), MappingProxyType(t2_ms), fat_fraction, source
    )


_GOLD = "T1, T2: Gold 2004, doi 10.2214/ajr.183.2.1830343; density, fat fraction: assumed"
_STANISZ = "T1, T2: Stanisz 2005, doi 10.1002/mrm.20605; density, fat fraction: assumed"

# Columns: proton density, T1 in ms at (1.5 T, 3 T), T2 in ms at (1.5 T, 3 T), fat fraction, source.
TISSUE_SIGNAL: Mapping[Tissue, TissueSignal] = MappingProxyType(
    {
        Tissue.AIR: _row(0.0, (1000, 1000), (1, 1), 0.0, "no protons"),
        Tissue.MUSCLE: _row(0.80, (1130, 1420), (35, 32), 0.0, _GOLD),
        Tissue.FAT: _row(0.90, (288, 371), (165, 133), 0.95, _GOLD),
        Tissue.MARROW: _row(0.85, (288, 365), (165, 133), 0.90, _GOLD),
        Tissue.CORTEX: _row(0.15, (250, 250), (0.5, 0.5), 0.0, "assumed"),
        Tissue.FIBROUS: _row(0.35, (500, 600), (4, 4), 0.0, "assumed"),
        Tissue.SKIN: _row(0.60, (900, 1100), (22, 20), 0.10, "assumed"),
        Tissue.ARTERY: _row(0.85, (1441, 1932), (290, 275), 0.0, _STANISZ),
        Tissue.VEIN: _row(0.85, (1441, 1932), (180, 120), 0.0, "assumed, artery with a shorter T2"),
        Tissue.NERVE: _row(0.75, (1000, 1150), (75, 70), 0.25, "assumed"),
    }
)

# Blood that enters the slice between two pulses: lost to a spin echo, fresh for a gradient echo.
_FLOW: Mapping[SequenceName, Mapping[Tissue, float]] = MappingProxyType(
    {
        "t1w": {Tissue.ARTERY: 0.15, Tissue.VEIN: 0.4},
        "dixon_opposed": {Tissue.ARTERY: 1.5, Tissue.VEIN: 1.15},
    }
)
# Opposed in phase are the main methylene peaks; the olefinic ones (about a tenth) are not: assumed.
_OPPOSED_SHARE = 0.85

_SPIN_ECHO_TR_MS, _SPIN_ECHO_TE_MS = 600.0, 12.0
_GRADIENT_ECHO_TR_MS, _FLIP_DEGREES = 10.0, 3.0
_OPPOSED_TE_MS: Mapping[FieldStrength, float] = MappingProxyType({"1.5T": 2.3, "3T": 1.15})

SEQUENCES: tuple[SequenceName, ...] = ("t1w", "dixon_opposed")


def check_sequence(sequence: str) -> SequenceName:
    """Return `sequence`, or raise InputError if the phantom cannot make it."""
    for known in SEQUENCES:
        if sequence == known:
            return known
    raise InputError(
        f"unknown phantom sequence {sequence!r}; expected one of {', '.join(SEQUENCES)}"
    )


def tissue_signal(tissue: Tissue, *, sequence: SequenceName, field: FieldStrength) -> float:
    """Signal of a voxel full of one tissue; fat counts negative where it is opposed to water.

    Parameters
    ----------
    tissue : Tissue
        One of the phantom's tissues.
    sequence : str
        ``t1w``: spin echo, TR 600 ms, TE 12 ms. ``dixon_opposed``: spoiled gradient echo, TR 10 ms,
        3 degrees, at the first echo time with water and fat opposed (T2* taken as T2: assumed).
    field : str
        ``1.5T`` or ``3T``.

    Returns
    -------
    float
        Relative to a fully relaxed voxel of water.
    """
    row = TISSUE_SIGNAL[tissue]
    t1, t2, fat = row.t1_ms[field], row.t2_ms[field], row.fat_fraction
    if sequence == "t1w":
        strength = (1 - exp(-_SPIN_ECHO_TR_MS / t1)) * exp(-_SPIN_ECHO_TE_MS / t2)
        mixed = 1.0
    else:
        strength = _spoiled_gradient_echo(t1) * exp(-_OPPOSED_TE_MS[field] / t2)
        mixed = (1 - fat) - _OPPOSED_SHARE * fat
    return row.proton_density * strength * mixed * _FLOW[sequence].get(tissue, 1.0)


def _spoiled_gradient_echo(t1_ms: float) -> float:
    recovered = 1 - exp(-_GRADIENT_ECHO_TR_MS / t1_ms)
    flip = radians(_FLIP_DEGREES)
    return sin(flip) * recovered / (1 - cos(flip) * (1 - recovered))


def voxel_signal(
    fractions: FloatArray, *, sequence: SequenceName, field: FieldStrength
) -> FloatArray:
    """Signed signal of voxels that hold several tissues, before coil, noise and magnitude.

    Parameters
    ----------
    fractions : (n_tissues, ...) float32
        Share of each `Tissue` in every voxel; they sum to 1.

    Returns
    -------
    (...) float32
        Scaled so that a voxel full of muscle has 1 in either sequence.
    """
    weights = [tissue_signal(t, sequence=sequence, field=field) for t in Tissue]
    signal = np.zeros(fractions.shape[1:], dtype=np.float32)
    for weight, fraction in zip(weights, fractions, strict=True):
        signal += np.float32(weight / weights[Tissue.MUSCLE]) * fraction
    return signal
