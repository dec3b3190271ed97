"""The thigh: where its muscles lie, and how subjects differ, healthy or infiltrated with fat.

The muscles below are drawn by hand after anatomy atlases, on a right thigh seen from below as in
MRI: u points to the patient's side (lateral), v to the front. Their unit is the half-width (u) or
half-depth (v) of the fascia, so muscles grow and shrink with the limb. Each structure is a tube
given distally (s = 0), in the middle (0.5) and proximally (1); radii are in units of the fascia's
mean half-axis.

Infiltrated thighs have one of three grades of fatty infiltration, as in neuromuscular disease.
Casali 2025 groups patients as Early, Moderate and Severe; its abstract states no fat fractions. The
ranges here are therefore assumed, with gaps between them so that the grades never touch. Fat comes
diffusely and as streaks along the fibres, more of both with each grade, unevenly from lobe to lobe;
a muscle's label includes its fat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mskseg_phantom.drawing.canvas import Side
from mskseg_phantom.drawing.solids import Tube
from mskseg_phantom.tissue import FloatArray

Grade = Literal["Early", "Moderate", "Severe"]

TISSUES: dict[int, str] = {
    1: "rectus femoris",
    2: "vastus lateralis",
    3: "vastus intermedius",
    4: "vastus medialis",
    5: "sartorius",
    6: "gracilis",
    7: "adductor longus",
    8: "adductor magnus",
    9: "biceps femoris long head",
    10: "biceps femoris short head",
    11: "semitendinosus",
    12: "semimembranosus",
    13: "femur cortex",
    14: "femur marrow",
    15: "subcutaneous fat",
}
N_MUSCLES = 12
CORTEX_LABEL, MARROW_LABEL, SUBCUTANEOUS_LABEL = 13, 14, 15

LOBES: tuple[Tube, ...] = (
    Tube(
        ((-0.02, 0.86), (-0.16, 0.87)),
        ((0.02, 0.85), (-0.24, 0.83)),
        ((-0.10, 0.84), (-0.36, 0.78)),
        (0.085, 0.135, 0.155),
        label=1,
    ),
    Tube(
        ((0.40, 0.74), (0.74, 0.50), (0.84, 0.18), (0.72, -0.14)),
        ((0.42, 0.80), (0.78, 0.54), (0.90, 0.14), (0.74, -0.26)),
        ((0.36, 0.76), (0.74, 0.56), (0.88, 0.20), (0.78, -0.18)),
        (0.135, 0.150, 0.150),
        label=2,
    ),
    Tube(
        ((-0.06, 0.46), (0.02, 0.60), (0.34, 0.60), (0.52, 0.34), (0.44, 0.06)),
        ((-0.03, 0.40), (0.06, 0.58), (0.46, 0.56), (0.60, 0.28), (0.52, -0.02)),
        ((-0.02, 0.38), (0.04, 0.56), (0.42, 0.54), (0.58, 0.26), (0.50, 0.00)),
        (0.100, 0.115, 0.085),
        label=3,
    ),
    Tube(
        ((-0.30, 0.62), (-0.60, 0.40), (-0.56, 0.22)),
        ((-0.24, 0.56), (-0.46, 0.38), (-0.40, 0.24)),
        ((-0.12, 0.44), (-0.24, 0.30), (-0.16, 0.18)),
        (0.215, 0.145, 0.060),
        label=4,
    ),
    Tube(
        ((-0.82, 0.02), (-0.84, -0.14)),
        ((-0.72, 0.48), (-0.84, 0.34)),
        ((-0.62, 0.70), (-0.78, 0.56)),
        (0.075, 0.075, 0.080),
        label=5,
    ),
    Tube(
        ((-0.86, -0.30), (-0.80, -0.46)),
        ((-0.94, -0.10), (-0.88, -0.44)),
        ((-0.96, -0.04), (-0.94, -0.36)),
        (0.068, 0.085, 0.088),
        label=6,
    ),
    Tube(
        ((-0.36, 0.06), (-0.52, 0.04)),
        ((-0.42, 0.15), (-0.72, 0.08)),
        ((-0.52, 0.26), (-0.76, 0.16)),
        (-0.140, 0.085, 0.170),
        label=7,
    ),
    Tube(
        ((-0.22, -0.06), (-0.46, -0.20), (-0.42, -0.30)),
        ((-0.06, -0.10), (-0.52, -0.34), (-0.36, -0.50)),
        ((-0.08, -0.12), (-0.56, -0.36), (-0.34, -0.50)),
        (0.100, 0.190, 0.260),
        label=8,
    ),
    Tube(
        ((0.52, -0.44), (0.34, -0.66)),
        ((0.46, -0.54), (0.28, -0.74)),
        ((0.30, -0.62), (0.16, -0.76)),
        (0.165, 0.155, 0.105),
        label=9,
    ),
    Tube(
        ((0.30, -0.14), (0.42, -0.30)),
        ((0.30, -0.10), (0.42, -0.28)),
        ((0.30, -0.10), (0.36, -0.20)),
        (0.110, 0.065, -0.090),
        label=10,
    ),
    Tube(
        ((-0.02, -0.74), (-0.06, -0.84)),
        ((0.02, -0.70), (-0.04, -0.84)),
        ((-0.10, -0.72), (-0.18, -0.82)),
        (0.095, 0.130, 0.120),
        label=11,
    ),
    Tube(
        ((-0.36, -0.60), (-0.54, -0.62)),
        ((-0.30, -0.84), (-0.52, -0.74)),
        ((-0.34, -0.90), (-0.48, -0.84)),
        (0.220, 0.115, 0.035),
        label=12,
    ),
    Tube(((0.08, -0.30),), ((0.10, -0.34),), ((0.16, -0.38),), (0.105, 0.030, 0.030)),
    Tube(((-0.60, 0.08),), ((-0.56, 0.30),), ((-0.48, 0.48),), (0.060, 0.050, 0.070)),
    Tube(((0.62, -0.34),), ((0.66, -0.48),), ((0.56, -0.62),), (-0.060, -0.040, 0.100)),
)

FEMUR = Tube(((0.14, 0.27),), ((0.20, 0.26),), ((0.20, 0.22),), (0.190, 0.168, 0.180))

ARTERY = Tube(((-0.44, 0.06),), ((-0.56, 0.33),), ((-0.44, 0.50),), (0.034, 0.038, 0.046))
VEIN = Tube(((-0.40, -0.02),), ((-0.62, 0.26),), ((-0.53, 0.44),), (0.038, 0.044, 0.052))
DEEP_ARTERY = Tube(((0.12, -0.06),), ((0.02, 0.04),), ((-0.10, 0.10),), (0.016, 0.022, 0.030))
NERVE = Tube(((0.10, -0.32),), ((0.14, -0.36),), ((0.18, -0.40),), (0.046, 0.050, 0.056))


@dataclass(frozen=True, eq=False)
class ThighSubject:
    """What makes one thigh differ from the next."""

    side: Side
    half_axes_mm: tuple[float, float]  # of the fascia at mid-thigh: lateral, front to back
    taper: float  # how much wider proximally than distally, relative to the middle
    fat_mm: float  # mean thickness of the subcutaneous fat; thicker behind and medially
    pose_rad: float  # rotation about the long axis
    tilt: tuple[float, float]  # drift of the axis per mm of height, (u, v)
    centre_mm: tuple[float, float]
    outline: FloatArray  # (2, 2), cosine and sine amplitude of the second and third harmonic
    septum_mm: float  # half thickness of the septa between muscles
    gap_mm: float  # how far from its muscle a point may be and still be muscle; beyond lies fat
    streaks: float  # how much of the muscle has fatty streaks: 0 none, 1 much
    muscle_fat: FloatArray  # (n_lobes,), diffuse fat fraction
    shift: FloatArray  # (n_lobes, 2), displacement in fascia units
    bulk: FloatArray  # (n_lobes,), added to the radius, in units of the fascia's mean half-axis
    cortex_mm: float  # thickness of the femur's cortex at mid-thigh
    streak_peak: float = 0.65  # share of fat in the middle of a streak
    streak_width: float = 0.17  # in units of the field that draws the streaks


def sample_subject(rng: np.random.Generator) -> ThighSubject:
    """Draw a subject: an adult thigh of either side, lean to overweight, healthy to mildly fatty.

    The ranges are ours (assumed), chosen so that every thigh fits a field of view of 256 mm.
    """
    size, n = rng.uniform(0.84, 1.0), len(LOBES)
    streaks = float(rng.beta(1.5, 3.0))
    return ThighSubject(
        side="left" if rng.random() < 0.5 else "right",
        half_axes_mm=(74 * size * rng.uniform(0.95, 1.05), 84 * size * rng.uniform(0.95, 1.05)),
        taper=rng.uniform(0.10, 0.24),
        fat_mm=float(5 + 13 * rng.beta(1.6, 2.4)),
        pose_rad=rng.uniform(-0.14, 0.14),
        tilt=(rng.uniform(-0.06, 0.06), rng.uniform(-0.05, 0.05)),
        centre_mm=(rng.uniform(-6, 6), rng.uniform(-5, 5)),
        outline=rng.normal(0, 0.013, (2, 2)).astype(np.float32),
        septum_mm=rng.uniform(0.30, 0.60),
        gap_mm=rng.uniform(5.0, 9.0),
        streaks=streaks,
        muscle_fat=(0.02 + 0.10 * streaks * rng.random(n)).astype(np.float32),
        shift=rng.normal(0, 0.022, (n, 2)).astype(np.float32),
        bulk=rng.normal(0, 0.012, n).astype(np.float32),
        cortex_mm=rng.uniform(4.8, 6.8),
    )


FAT_FRACTION: Mapping[Grade, tuple[float, float]] = {
    "Early": (0.04, 0.12),
    "Moderate": (0.18, 0.34),
    "Severe": (0.40, 0.62),
}
"""Range of the mean fat fraction of a subject's muscles; assumed."""

_IN_STREAKS = 0.6  # of the fat; the rest is diffuse
_STREAK_PEAK = 0.8  # share of fat in the middle of a streak
_PATCHES = 1.6  # streaks nearly everywhere: they cover `_COVERED` of the muscle
_COVERED = 0.87


def grade_of(number: int) -> Grade:
    """Grade of a subject: in turn, so that each part of a split has all that it has room for."""
    return tuple(FAT_FRACTION)[(number - 1) % len(FAT_FRACTION)]


def sample_infiltrated(rng: np.random.Generator, number: int) -> ThighSubject:
    """Draw a thigh as `sample_subject` does, its muscles infiltrated to the grade."""
    person = sample_subject(rng)
    low, high = FAT_FRACTION[grade_of(number)]
    # Leave room for what chance adds and, more, for what clipping takes away.
    fat = rng.uniform(low + 0.4 * (high - low), high - 0.15 * (high - low))
    lobes = fat * rng.uniform(0.7, 1.3, len(person.muscle_fat))
    mean = _IN_STREAKS * fat / (_STREAK_PEAK * _COVERED)  # of exp(-(x / width)^2), x normal
    return replace(
        person,
        streaks=_PATCHES,
        streak_peak=_STREAK_PEAK,
        streak_width=float(np.sqrt(2 * mean**2 / (1 - mean**2))),
        muscle_fat=((1 - _IN_STREAKS) * lobes).astype(np.float32),
    )
