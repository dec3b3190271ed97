"""Fatty infiltration of muscle in three grades, as in neuromuscular disease.

Casali 2025 groups patients as Early, Moderate and Severe; its abstract states no fat fractions. The
ranges here are therefore assumed, with gaps between them so that the grades never touch. Fat comes
diffusely and as streaks along the fibres, more of both with each grade, unevenly from lobe to lobe;
a muscle's label includes its fat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from mskseg_phantom.thigh import ThighSubject, draw_subject

Grade = Literal["Early", "Moderate", "Severe"]

FAT_FRACTION: Mapping[Grade, tuple[float, float]] = MappingProxyType(
    {"Early": (0.04, 0.12), "Moderate": (0.18, 0.34), "Severe": (0.40, 0.62)}
)
"""Range of the mean fat fraction of a subject's muscles; assumed."""

_GRADES: tuple[Grade, ...] = ("Early", "Moderate", "Severe")
_IN_STREAKS = 0.6  # of the fat; the rest is diffuse
_STREAK_PEAK = 0.8  # share of fat in the middle of a streak
_PATCHES = 1.6  # streaks nearly everywhere: they cover `_COVERED` of the muscle
_COVERED = 0.87


def grade_of(number: int) -> Grade:
    """Grade of a subject: in turn, so that each part of a split has all that it has room for."""
    return _GRADES[(number - 1) % len(_GRADES)]


def draw_infiltrated(rng: np.random.Generator, number: int) -> ThighSubject:
    """Draw a thigh as `thigh.draw_subject` does, its muscles infiltrated to the grade."""
    person = draw_subject(rng)
    fat = rng.uniform(*_narrowed(FAT_FRACTION[grade_of(number)]))
    lobes = fat * rng.uniform(0.7, 1.3, len(person.muscle_fat))
    return replace(
        person,
        streaks=_PATCHES,
        streak_peak=_STREAK_PEAK,
        streak_width=_width(_IN_STREAKS * fat / (_STREAK_PEAK * _COVERED)),
        muscle_fat=((1 - _IN_STREAKS) * lobes).astype(np.float32),
    )


def _narrowed(limits: tuple[float, float]) -> tuple[float, float]:
    """Leave room for what chance adds and, more, for what clipping takes away."""
    low, high = limits
    return low + 0.4 * (high - low), high - 0.15 * (high - low)


def _width(mean: float) -> float:
    """Width of streaks whose mean is `mean`: of exp(-(x / width)^2) over a standard normal x."""
    return float(np.sqrt(2 * mean**2 / (1 - mean**2)))
