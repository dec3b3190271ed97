"""The thigh: where its muscles lie, and how subjects differ.

The plan below is drawn by hand after anatomy atlases, on a right thigh seen from below as in MRI:
u points to the patient's side (lateral), v to the front. Its unit is the half-width (u) or
half-depth (v) of the fascia, so muscles grow and shrink with the limb. Each structure is a tube
around a polyline, given distally (s = 0), in the middle (0.5) and proximally (1); in between
positions and radii follow a parabola. A radius below zero means: not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mskseg_phantom.shapes import FloatArray

Side = Literal["left", "right"]
Polyline = tuple[tuple[float, float], ...]

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


@dataclass(frozen=True)
class Tube:
    """One lobe of the plan at three heights.

    Attributes
    ----------
    label : int
        Of the muscle; 0 for a space filled with fat.
    distal, middle, proximal : polyline
        Centres in fascia units; the same number of points at each height.
    radii : (float, float, float)
        At the same heights, in units of the fascia's mean half-axis.
    """

    label: int
    distal: Polyline
    middle: Polyline
    proximal: Polyline
    radii: tuple[float, float, float]

    def at(self, s: float) -> tuple[FloatArray, float]:
        """Centres (m, 2) in fascia units and the radius at height `s` in [0, 1]."""
        knots = np.array((self.distal, self.middle, self.proximal), dtype=np.float32)
        return _blend(knots, s), float(_blend(np.asarray(self.radii, dtype=np.float32), s))


def _blend(knots: FloatArray, s: float) -> FloatArray:
    """Quadratic through three values at s = 0, 0.5 and 1."""
    weights = (2 * (s - 0.5) * (s - 1), 4 * s * (1 - s), 2 * s * (s - 0.5))
    blended: FloatArray = sum(np.float32(w) * knot for w, knot in zip(weights, knots, strict=True))
    return blended


PLAN: tuple[Tube, ...] = (
    Tube(
        1,
        ((-0.02, 0.86), (-0.16, 0.87)),
        ((0.02, 0.85), (-0.24, 0.83)),
        ((-0.10, 0.84), (-0.36, 0.78)),
        (0.085, 0.135, 0.155),
    ),
    Tube(
        2,
        ((0.40, 0.74), (0.74, 0.50), (0.84, 0.18), (0.72, -0.14)),
        ((0.42, 0.80), (0.78, 0.54), (0.90, 0.14), (0.74, -0.26)),
        ((0.36, 0.76), (0.74, 0.56), (0.88, 0.20), (0.78, -0.18)),
        (0.135, 0.150, 0.150),
    ),
    Tube(
        3,
        ((-0.06, 0.46), (0.02, 0.60), (0.34, 0.60), (0.52, 0.34), (0.44, 0.06)),
        ((-0.03, 0.40), (0.06, 0.58), (0.46, 0.56), (0.60, 0.28), (0.52, -0.02)),
        ((-0.02, 0.38), (0.04, 0.56), (0.42, 0.54), (0.58, 0.26), (0.50, 0.00)),
        (0.100, 0.115, 0.085),
    ),
    Tube(
        4,
        ((-0.30, 0.62), (-0.60, 0.40), (-0.56, 0.22)),
        ((-0.24, 0.56), (-0.46, 0.38), (-0.40, 0.24)),
        ((-0.12, 0.44), (-0.24, 0.30), (-0.16, 0.18)),
        (0.215, 0.145, 0.060),
    ),
    Tube(
        5,
        ((-0.82, 0.02), (-0.84, -0.14)),
        ((-0.72, 0.48), (-0.84, 0.34)),
        ((-0.62, 0.70), (-0.78, 0.56)),
        (0.075, 0.075, 0.080),
    ),
    Tube(
        6,
        ((-0.86, -0.30), (-0.80, -0.46)),
        ((-0.94, -0.10), (-0.88, -0.44)),
        ((-0.96, -0.04), (-0.94, -0.36)),
        (0.068, 0.085, 0.088),
    ),
    Tube(
        7,
        ((-0.36, 0.06), (-0.52, 0.04)),
        ((-0.42, 0.15), (-0.72, 0.08)),
        ((-0.52, 0.26), (-0.76, 0.16)),
        (-0.140, 0.085, 0.170),
    ),
    Tube(
        8,
        ((-0.22, -0.06), (-0.46, -0.20), (-0.42, -0.30)),
        ((-0.06, -0.10), (-0.52, -0.34), (-0.36, -0.50)),
        ((-0.08, -0.12), (-0.56, -0.36), (-0.34, -0.50)),
        (0.100, 0.190, 0.260),
    ),
    Tube(
        9,
        ((0.52, -0.44), (0.34, -0.66)),
        ((0.46, -0.54), (0.28, -0.74)),
        ((0.30, -0.62), (0.16, -0.76)),
        (0.165, 0.155, 0.105),
    ),
    Tube(
        10,
        ((0.30, -0.14), (0.42, -0.30)),
        ((0.30, -0.10), (0.42, -0.28)),
        ((0.30, -0.10), (0.36, -0.20)),
        (0.110, 0.065, -0.090),
    ),
    Tube(
        11,
        ((-0.02, -0.74), (-0.06, -0.84)),
        ((0.02, -0.70), (-0.04, -0.84)),
        ((-0.10, -0.72), (-0.18, -0.82)),
        (0.095, 0.130, 0.120),
    ),
    Tube(
        12,
        ((-0.36, -0.60), (-0.54, -0.62)),
        ((-0.30, -0.84), (-0.52, -0.74)),
        ((-0.34, -0.90), (-0.48, -0.84)),
        (0.220, 0.115, 0.035),
    ),
    Tube(0, ((0.08, -0.30),), ((0.10, -0.34),), ((0.16, -0.38),), (0.105, 0.030, 0.030)),
    Tube(0, ((-0.60, 0.08),), ((-0.56, 0.30),), ((-0.48, 0.48),), (0.060, 0.050, 0.070)),
    Tube(0, ((0.62, -0.34),), ((0.66, -0.48),), ((0.56, -0.62),), (-0.060, -0.040, 0.100)),
)

FEMUR = Tube(13, ((0.14, 0.27),), ((0.20, 0.26),), ((0.20, 0.22),), (0.190, 0.168, 0.180))

ARTERY = Tube(0, ((-0.44, 0.06),), ((-0.56, 0.33),), ((-0.44, 0.50),), (0.034, 0.038, 0.046))
VEIN = Tube(0, ((-0.40, -0.02),), ((-0.62, 0.26),), ((-0.53, 0.44),), (0.038, 0.044, 0.052))
DEEP_ARTERY = Tube(0, ((0.12, -0.06),), ((0.02, 0.04),), ((-0.10, 0.10),), (0.016, 0.022, 0.030))
NERVE = Tube(0, ((0.10, -0.32),), ((0.14, -0.36),), ((0.18, -0.40),), (0.046, 0.050, 0.056))


@dataclass(frozen=True, eq=False)
class ThighSubject:
    """What makes one thigh differ from the next.

    Attributes
    ----------
    side : str
        ``left`` or ``right``.
    half_axes_mm : (float, float)
        Lateral and front-to-back half-axis of the fascia at mid-thigh.
    taper : float
        How much wider the thigh is proximally than distally, relative to the middle.
    fat_mm : float
        Mean thickness of the subcutaneous fat; thicker behind and medially.
    pose_rad, tilt, centre_mm
        Rotation about the long axis, drift of the axis per mm of height (u, v), centre (u, v).
    outline : (2, 2) float
        Cosine and sine amplitude of the outline's second and third harmonic.
    septum_mm : float
        Half thickness of the septa between muscles.
    gap_mm : float
        How far from its muscle a point may be and still be muscle; beyond lies fat.
    streaks : float
        How much of the muscle has fatty streaks: 0 none, 1 much.
    streak_peak, streak_width : float
        Share of fat in the middle of a streak; its width, in units of the field that draws it.
    muscle_fat : (n_tubes,) float
        Diffuse fat fraction of each lobe.
    shift : (n_tubes, 2) float
        Displacement of each lobe in fascia units.
    bulk : (n_tubes,) float
        Added to each lobe's radius, in units of the fascia's mean half-axis.
    cortex_mm : float
        Thickness of the femur's cortex at mid-thigh.
    """

    side: Side
    half_axes_mm: tuple[float, float]
    taper: float
    fat_mm: float
    pose_rad: float
    tilt: tuple[float, float]
    centre_mm: tuple[float, float]
    outline: FloatArray
    septum_mm: float
    gap_mm: float
    streaks: float
    muscle_fat: FloatArray
    shift: FloatArray
    bulk: FloatArray
    cortex_mm: float
    streak_peak: float = 0.65
    streak_width: float = 0.17


def draw_subject(rng: np.random.Generator) -> ThighSubject:
    """Draw a subject: an adult thigh of either side, lean to overweight, healthy to mildly fatty.

    The ranges are ours (assumed), chosen so that every thigh fits a field of view of 256 mm.
    """
    size, n = rng.uniform(0.84, 1.0), len(PLAN)
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
