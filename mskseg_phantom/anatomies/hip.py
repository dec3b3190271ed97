"""The hip: where its bones and muscles lie, and how subjects differ.

One hip, in its own frame with the origin in the middle of the joint: l points to the patient's
side (lateral), v to the head, z to the front, in mm of an average adult. The muscles are drawn by
hand after anatomy atlases, as coronal sections behind the joint, through it and in front of it
(`Tube` at s = 0, 0.5 and 1).

Labelled are the bones whole (marrow and cortex) and the two layers of cartilage; muscles are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from mskseg_phantom.drawing.canvas import Side
from mskseg_phantom.drawing.solids import Point, Tube
from mskseg_phantom.tissue import FloatArray

TISSUES: dict[int, str] = {
    1: "proximal femur",
    2: "pelvis",
    3: "femoral cartilage",
    4: "acetabular cartilage",
}
FEMUR_LABEL, PELVIS_LABEL, FEMORAL_CARTILAGE_LABEL, ACETABULAR_CARTILAGE_LABEL = 1, 2, 3, 4
SECTION_MM = 36.0
"""The sections of the muscles lie this far behind and in front of the joint."""

# name; behind, middle, in front: (l, v) of the same number of points; radii, negative: not here.
MUSCLES: dict[str, Tube] = {
    "gluteus maximus": Tube(
        ((-42, 98), (2, 52), (46, 6), (70, -44)),
        ((52, 100), (72, 44), (82, -14), (80, -62)),
        ((70, 110), (84, 50), (92, 0), (92, -60)),
        (25, 3, -14),
    ),
    "gluteus medius": Tube(
        ((6, 104), (30, 66), (52, 26)),
        ((26, 106), (50, 64), (70, 20)),
        ((22, 106), (44, 72), (58, 42)),
        (9, 17, 12),
    ),
    "gluteus minimus": Tube(
        ((4, 62), (24, 40), (48, 18)),
        ((13, 66), (30, 38), (57, 21)),
        ((20, 76), (36, 48), (50, 22)),
        (3, 10, 10),
    ),
    "tensor fasciae latae": Tube(
        ((84, 60), (90, 0), (88, -60)),
        ((80, 60), (88, 10), (88, -60)),
        ((62, 66), (70, 12), (74, -46)),
        (-12, -1, 11),
    ),
    "iliacus": Tube(
        ((-20, 106), (-28, 70), (-30, 44)),
        ((0, 108), (-14, 72), (-22, 42)),
        ((-2, 104), (0, 60), (4, 28)),
        (5, 13, 18),
    ),
    "psoas": Tube(
        ((30, -52), (32, -60), (34, -66)),
        ((-34, -28), (4, -44), (28, -60)),
        ((-22, 44), (2, 8), (14, -26)),
        (1, 8, 16),
    ),
    "obturator internus": Tube(
        ((-42, 14), (-4, 4), (42, 10)),
        ((-38, 34), (-44, 2), (-40, -34)),
        ((-56, 0), (-60, -14), (-60, -30)),
        (8, 9, 5),
    ),
    "piriformis": Tube(
        ((-62, 54), (-10, 40), (44, 20)),
        ((-80, 62), (-70, 60), (-60, 58)),
        ((-90, 60), (-80, 60), (-70, 60)),
        (9, -2, -14),
    ),
    "quadratus femoris": Tube(
        ((-8, -34), (44, -30)), ((-4, -52), (30, -50)), ((0, -60), (20, -60)), (13, 2, -10)
    ),
    "obturator externus": Tube(
        ((-26, -44), (6, -36), (40, -20)),
        ((-46, -44), (-12, -44), (26, -36)),
        ((-58, -42), (-36, -48), (-20, -50)),
        (6, 10, 8),
    ),
    "pectineus": Tube(
        ((-40, -60), (10, -80)), ((-50, -60), (22, -82)), ((-52, -24), (0, -62)), (-10, 8, 13)
    ),
    "adductor brevis": Tube(
        ((-40, -66), (-16, -100)), ((-58, -70), (4, -104)), ((-62, -60), (-20, -96)), (5, 13, 10)
    ),
    "adductor magnus": Tube(
        ((-36, -90), (8, -112)), ((-46, -96), (6, -122)), ((-50, -110), (-20, -124)), (16, 13, 2)
    ),
    "gracilis": Tube(
        ((-62, -84), (-58, -112)), ((-72, -78), (-66, -112)), ((-70, -78), (-56, -112)), (5, 6, 8)
    ),
    "hamstrings": Tube(
        ((-16, -76), (14, -114)),
        ((-10, -100), (10, -120)),
        ((-10, -120), (10, -130)),
        (13, -2, -16),
    ),
    "vastus lateralis": Tube(
        ((70, -46), (74, -112)), ((72, -32), (76, -112)), ((58, -42), (66, -112)), (9, 12, 15)
    ),
    "vastus medialis": Tube(
        ((40, -116), (40, -122)), ((26, -84), (26, -114)), ((30, -64), (32, -112)), (-4, 7, 11)
    ),
    "rectus femoris": Tube(
        ((30, 30), (34, 20)), ((28, 40), (32, 34)), ((34, 14), (46, -104)), (-20, -3, 13)
    ),
    "sartorius": Tube(
        ((40, 60), (20, -20)), ((44, 70), (24, -10)), ((44, 64), (16, -56)), (-26, -10, 9)
    ),
}
# Behind the joint, through it and in front of it, as above.
NERVE = Tube(
    ((14, 30), (26, -40), (22, -112)),
    ((14, 20), (22, -40), (20, -110)),
    ((14, 20), (22, -40), (20, -110)),
    (5.5, -4, -8),
)
ARTERY = Tube(
    ((-30, 60), (-20, 0), (-6, -110)),
    ((-34, 66), (-26, 0), (-10, -110)),
    ((-30, 60), (-22, -6), (-8, -110)),
    (-8, -3, 4.2),
)
VEIN = Tube(
    ((-42, 60), (-34, 0), (-18, -110)),
    ((-44, 64), (-38, 0), (-20, -110)),
    ((-42, 58), (-35, -6), (-20, -110)),
    (-8, -2, 5.6),
)
ILIUM = Tube(
    ((-24, 24), (-36, 66), (-34, 112)),
    ((-8, 30), (0, 64), (16, 116)),
    ((8, 34), (10, 56), (20, 82)),
    (10, 7, 5),
)


@dataclass(frozen=True, eq=False)
class HipSubject:
    """What makes one hip differ from the next."""

    side: Side
    size: float  # of the whole hip, relative to an average adult
    centre_mm: Point  # middle of the joint in the stack, (lateral, v, z)
    head_mm: float  # radius of the joint's sphere: the surface of the femoral cartilage
    femoral_cartilage_mm: float  # where it is thickest, above and medially
    acetabular_cartilage_mm: float
    neck_rad: float  # angle between neck and shaft
    anteversion_rad: float  # how far the neck points forward
    neck_mm: float  # from the middle of the head to the axis of the shaft
    neck_radius_mm: float
    shaft_mm: float  # radius
    adduction: float  # how far the shaft runs medially, in mm per mm
    coverage_rad: float  # half-angle of the socket
    opening: Point  # unit vector that the socket opens along, (l, v, z)
    fat_mm: float  # thickness of the subcutaneous fat at the trochanter
    muscle_fat: float  # fatty streaks: 0 none, 1 many
    marrow_fat: float  # of neck and pelvis
    shift: FloatArray  # (n_muscles, 2), displacement in mm
    bulk: FloatArray  # (n_muscles,), added to the radius in mm

    @property
    def neck_axis(self) -> Point:
        """Unit vector from the middle of the head along the neck, (l, v, z)."""
        up = self.neck_rad - np.pi / 2  # of the neck's axis above the horizontal, seen medially
        turn = self.anteversion_rad
        return cos(up) * cos(turn), -sin(up), -cos(up) * sin(turn)


def sample_subject(rng: np.random.Generator) -> HipSubject:
    """Draw a subject: an adult hip of either side, lean to stout.

    The ranges are ours (assumed), after tables of hip morphometry, rounded.
    """
    size = float(rng.uniform(0.88, 1.08))
    tip, turn = radians(rng.normal(42, 3)), radians(rng.normal(18, 4))
    streaks = float(rng.beta(1.6, 3.0))
    n = len(MUSCLES)
    return HipSubject(
        side="left" if rng.random() < 0.5 else "right",
        size=size,
        centre_mm=(float(rng.normal(-12, 3)), float(rng.normal(8, 4)), float(rng.normal(0, 2))),
        head_mm=25.0 * size * float(rng.uniform(0.95, 1.05)),
        femoral_cartilage_mm=float(rng.uniform(1.6, 2.5)),
        acetabular_cartilage_mm=float(rng.uniform(1.5, 2.3)),
        neck_rad=radians(rng.normal(128, 4)),
        anteversion_rad=radians(rng.normal(12, 5)),
        neck_mm=size * float(rng.uniform(46, 54)),
        neck_radius_mm=size * float(rng.uniform(13.5, 16.0)),
        shaft_mm=size * float(rng.uniform(13.5, 16.0)),
        adduction=float(rng.uniform(0.02, 0.16)),
        coverage_rad=radians(rng.normal(88, 4)),
        opening=(cos(tip) * cos(turn), -sin(tip), cos(tip) * sin(turn)),
        fat_mm=float(8 + 26 * rng.beta(1.5, 2.4)),
        muscle_fat=streaks,
        marrow_fat=float(rng.uniform(0.1, 0.6)),
        shift=rng.normal(0, 1.6, (n, 2)).astype(np.float32),
        bulk=rng.normal(0, 1.0, n).astype(np.float32),
    )
