"""The knee: which labels it has, and how subjects differ.

All shapes of `knee_atlas` are drawn in the knee's own frame, in millimetres of a knee of size 1:
l points to the patient's side (lateral), a to the front, s to the head; the origin lies in the
middle of the joint line. A right knee has its lateral side at larger RAS x, a left knee is its
mirror image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mskseg_phantom.drawing.canvas import Side
from mskseg_phantom.tissue import FloatArray

Surface = Literal["femoral", "medial tibial", "lateral tibial", "patellar"]

EXTENT_MM = (160.0, 160.0, 112.0)
"""Field of view: front to back, along the leg, and across the slices."""
SHAPE = (256, 256, 32)
"""Voxels of the default rendering: 0.625 x 0.625 x 3.5 mm."""

FEMORAL, MEDIAL_TIBIAL, LATERAL_TIBIAL, PATELLAR = range(1, 5)
FEMUR, TIBIA, PATELLA, FIBULA, MEDIAL_MENISCUS, LATERAL_MENISCUS = range(5, 11)

TISSUES: Mapping[int, str] = {
    FEMORAL: "femoral cartilage",
    MEDIAL_TIBIAL: "medial tibial cartilage",
    LATERAL_TIBIAL: "lateral tibial cartilage",
    PATELLAR: "patellar cartilage",
    FEMUR: "femur",
    TIBIA: "tibia",
    PATELLA: "patella",
    FIBULA: "fibula",
    MEDIAL_MENISCUS: "medial meniscus",
    LATERAL_MENISCUS: "lateral meniscus",
}


@dataclass(frozen=True)
class Thinning:
    """A focal loss of cartilage."""

    surface: Surface
    # l in mm, and the second coordinate of the surface: angle in radians (femoral, 0 is to the
    # front, -pi/2 down), a in mm (tibial) or s in mm (patellar).
    centre: tuple[float, float]
    radius_mm: float  # where the loss has fallen to 1/e
    depth: float  # share of the thickness lost in the middle, 0 to 1


@dataclass(frozen=True, eq=False)
class KneeSubject:
    """What makes one knee differ from the next."""

    side: Side
    size: float  # of the whole knee
    width: float  # on top of that
    flexion_rad: float  # angle between femur and tibia
    yaw: float  # rotation about the leg's axis, as mm per mm across the slices
    roll: float  # rotation in the coronal plane, likewise
    centre_mm: tuple[float, float, float]  # of the joint line in the stack (front, up, across)
    cartilage_mm: Mapping[str, float]  # thickness away from edges and thinnings, by surface
    thinnings: tuple[Thinning, ...]  # none in two of five subjects
    radii_noise: FloatArray  # (18, 15), added to the femur's radii, in mm of size 1
    eminence: float  # height of the tibial spines, relative
    patella_mm: tuple[float, float]  # displacement (l, s)
    meniscus: tuple[float, float]  # width and height of both menisci, relative
    gap_mm: float  # fluid between the cartilages where they are closest
    effusion: float  # fluid in the suprapatellar pouch: 0 little, 1 much
    fat_mm: float  # thickness of the subcutaneous fat
    bulk: float  # radius added to every muscle in mm
    muscle_fat: float  # fat fraction
    cortex_mm: float  # thickness in both shafts at the edge of the field of view


CARTILAGE_RANGE_MM: Mapping[str, tuple[float, float]] = {
    "femoral": (1.6, 2.6),
    "medial tibial": (1.5, 2.5),
    "lateral tibial": (1.7, 2.8),
    "patellar": (2.0, 3.0),
}
"""Thickness that a subject's cartilage is drawn from, by surface (assumed)."""


def sample_subject(rng: np.random.Generator) -> KneeSubject:
    """Draw an adult knee, lean to overweight; ranges are assumed, so that each fits the field."""
    thickness = {name: float(rng.uniform(*ends)) for name, ends in CARTILAGE_RANGE_MM.items()}
    return KneeSubject(
        side="left" if rng.random() < 0.5 else "right",
        size=rng.uniform(0.88, 1.06),
        width=rng.uniform(0.96, 1.04),
        flexion_rad=rng.uniform(0.0, 0.20),
        yaw=rng.uniform(-0.06, 0.06),
        roll=rng.uniform(-0.03, 0.03),
        centre_mm=(rng.uniform(-7, -1), rng.uniform(-8, 2), rng.uniform(-3, 3)),
        cartilage_mm=thickness,
        thinnings=_draw_thinnings(rng),
        radii_noise=rng.normal(0, 0.35, (18, 15)).astype(np.float32),
        eminence=rng.uniform(0.8, 1.2),
        patella_mm=(rng.uniform(-2.5, 2.5), rng.uniform(-4, 4)),
        meniscus=(rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.2)),
        gap_mm=rng.uniform(0.1, 0.5),
        effusion=float(rng.beta(1.2, 3.0)),
        fat_mm=float(4 + 11 * rng.beta(1.6, 2.2)),
        bulk=rng.uniform(-0.5, 2.5),
        muscle_fat=rng.uniform(0.02, 0.12),
        cortex_mm=rng.uniform(2.6, 3.8),
    )


_THINNING_CENTRES: tuple[tuple[Surface, float, float], ...] = (
    ("femoral", -19.0, -1.5),
    ("femoral", 19.0, -1.3),
    ("femoral", 2.0, -0.1),
    ("medial tibial", -19.0, 2.0),
    ("lateral tibial", 21.0, -1.0),
    ("patellar", 6.0, 34.0),
)


def _draw_thinnings(rng: np.random.Generator) -> tuple[Thinning, ...]:
    """Focal losses: none in two of five subjects, else one or two."""
    count = int(rng.choice(3, p=(0.4, 0.35, 0.25)))
    drawn = []
    for place in rng.choice(len(_THINNING_CENTRES), size=count, replace=False):
        surface, across, along = _THINNING_CENTRES[place]
        second = along + rng.uniform(-1, 1) * (0.25 if surface == "femoral" else 4.0)
        centre = (across + float(rng.uniform(-4, 4)), float(second))
        radius_mm, depth = float(rng.uniform(4, 8)), float(rng.uniform(0.35, 0.8))
        drawn.append(Thinning(surface, centre, radius_mm, depth))
    return tuple(drawn)
