"""The thigh: where its muscles lie, and how subjects differ, healthy or infiltrated with fat.

The muscles of ``thigh_tubes.csv`` are drawn by hand after anatomy atlases, on a right thigh seen
from below as in MRI: u points to the patient's side (lateral), v to the front. Their unit is the
half-width (u) or half-depth (v) of the fascia, so muscles grow and shrink with the limb. Each
structure is a tube given distally (s = 0), in the middle (0.5) and proximally (1); radii are in
units of the fascia's mean half-axis.

Infiltrated thighs have one of three grades of fatty infiltration, as in neuromuscular disease.
Casali 2025 groups patients as Early, Moderate and Severe; its abstract states no fat fractions. The
ranges here are therefore assumed, with gaps between them so that the grades never touch. Fat comes
diffusely and as streaks along the fibres, more of both with each grade, unevenly from lobe to lobe;
a muscle's label includes its fat.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mskseg_phantom.drawing.canvas import Side
from mskseg_phantom.drawing.solids import read_tubes
from mskseg_phantom.tissue import FloatArray, Tissue

Grade = Literal["Early", "Moderate", "Severe"]

# The order of the rows gives labels, and which muscle each random number of a subject is for.
_TUBES = read_tubes(Path(__file__).with_name("thigh_tubes.csv"))
FEMUR = _TUBES["femur"]
VESSELS = [t for t in _TUBES.values() if t.tissue in (Tissue.ARTERY, Tissue.VEIN, Tissue.NERVE)]
LOBES = {n: t for n, t in _TUBES.items() if t.tissue in (Tissue.MUSCLE, Tissue.FAT)}

_MUSCLES = [name for name, tube in LOBES.items() if tube.tissue == Tissue.MUSCLE]
_OTHERS = ("femur cortex", "femur marrow", "subcutaneous fat")
TISSUES: dict[int, str] = dict(enumerate((*_MUSCLES, *_OTHERS), start=1))
CORTEX_LABEL, MARROW_LABEL, SUBCUTANEOUS_LABEL = 13, 14, 15


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
    """Draw an adult thigh, lean to overweight; ranges are assumed, so that each fits the field."""
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
