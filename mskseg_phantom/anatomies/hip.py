"""The hip: where its bones, cartilage and muscles lie, and how subjects differ.

One hip, in its own frame with the origin in the middle of the joint: l points to the patient's
side (lateral), v to the head, z to the front, in mm of an average adult. The muscles of
``hip_tubes.csv`` are drawn by hand after anatomy atlases, as coronal sections behind the joint,
through it and in front of it (`Tube` at s = 0, 0.5 and 1; a negative radius: not here).

Labelled are the bones whole (marrow and cortex) and the two layers of cartilage; muscles are not.

The joint is a sphere. Femoral cartilage lies inside it and acetabular cartilage outside, so the
two touch, and the bones' surfaces follow from how thick each cartilage is in each direction.
"""

from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path

import numpy as np

from mskseg_phantom.drawing.canvas import Side
from mskseg_phantom.drawing.solids import (
    Point,
    Points,
    capsule_distance,
    distance_to_tube,
    ellipsoid_distance,
    read_tubes,
    smooth_max,
    smooth_min,
    window,
)
from mskseg_phantom.tissue import FloatArray, Tissue

TISSUES: dict[int, str] = {
    1: "proximal femur",
    2: "pelvis",
    3: "femoral cartilage",
    4: "acetabular cartilage",
}
FEMUR_LABEL, PELVIS_LABEL, FEMORAL_CARTILAGE_LABEL, ACETABULAR_CARTILAGE_LABEL = 1, 2, 3, 4
SECTION_MM = 36.0
"""The sections of the muscles lie this far behind and in front of the joint."""

# The order of the rows says which muscle each random number of a subject is for.
_TUBES = read_tubes(Path(__file__).with_name("hip_tubes.csv"))
ILIUM = _TUBES["ilium"]
VESSELS = [t for t in _TUBES.values() if t.tissue in (Tissue.NERVE, Tissue.ARTERY, Tissue.VEIN)]
MUSCLES = [t for t in _TUBES.values() if t.tissue == Tissue.MUSCLE]

JOINT_GAP_MM = 0.2
_LOADED = (-0.28, 0.93, 0.22)  # where cartilage is thickest
_FOVEA = (-0.90, -0.38, -0.20)  # where the ligament of the head begins
_FOSSA = (-0.80, -0.58, 0.14)  # the middle of the socket's part without cartilage


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
    """Draw an adult hip, lean to stout; the ranges are assumed, after tables of hip morphometry."""
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


@dataclass(frozen=True, eq=False)
class Joint:
    """The joint at some points, all float32 of one shape."""

    radius_mm: FloatArray  # distance from the middle of the joint
    head_mm: FloatArray  # radius of the femoral head's bone in the direction of each point
    femoral_mm: FloatArray  # thickness of its cartilage in that direction; 0 where there is none
    acetabular_mm: FloatArray
    socket_mm: FloatArray  # inner radius of the socket's bone
    rim_mm: FloatArray  # from the socket's rim along the sphere, positive inside the socket
    fossa: FloatArray  # 1 in the part of the socket without cartilage, 0 elsewhere


def along_axis(points: Points, axis: Point) -> FloatArray:
    """Position of points along a unit vector."""
    x, v, z = (np.float32(a) for a in axis)
    position: FloatArray = points[0] * x + points[1] * v + points[2] * z
    return position


def _step(value: FloatArray, start: float, width: float) -> FloatArray:
    """0 below `start`, 1 above `start + width`."""
    share: FloatArray = np.clip((value - np.float32(start)) / np.float32(width), 0, 1)
    return share


def joint_at(person: HipSubject, points: Points) -> Joint:
    """Describe the joint at points (l, v, z) in mm from its middle."""
    radius = np.sqrt(points[0] ** 2 + points[1] ** 2 + points[2] ** 2)
    inverse: FloatArray = 1 / np.maximum(radius, np.float32(1))
    unit = points[0] * inverse, points[1] * inverse, points[2] * inverse
    load = np.clip(along_axis(unit, _LOADED), 0, 1)
    profile = np.float32(0.66) + np.float32(0.34) * load
    away = -along_axis(unit, person.neck_axis)
    covered = _step(away, -0.42, 0.22) * (1 - _step(along_axis(unit, _FOVEA), 0.955, 0.02))
    inward = -along_axis(unit, person.opening)
    rim = (inward - np.float32(np.cos(person.coverage_rad))) * np.float32(person.head_mm)
    fossa = _step(along_axis(unit, _FOSSA), 0.80, 0.05)
    lunate = (1 - fossa) * _step(rim, 0.0, 1.5)
    thick = np.float32(person.femoral_cartilage_mm) * profile
    acetabular = np.float32(person.acetabular_cartilage_mm) * profile
    socket = np.float32(person.head_mm + JOINT_GAP_MM) + acetabular + 3.5 * fossa
    return Joint(
        radius_mm=radius,
        head_mm=np.float32(person.head_mm) - thick,
        femoral_mm=thick * covered,
        acetabular_mm=acetabular * lunate,
        socket_mm=socket,
        rim_mm=rim,
        fossa=fossa,
    )


def neck_base(person: HipSubject) -> Point:
    """Where the axes of neck and shaft meet, (l, v, z) in mm from the middle of the joint."""
    x, v, z = (person.neck_mm * a for a in person.neck_axis)
    return x, v, z


def head_and_neck_distance(person: HipSubject, points: Points, joint: Joint) -> FloatArray:
    """Distance to the femoral head and neck."""
    base = neck_base(person)
    start = (0.35 * base[0], 0.35 * base[1], 0.35 * base[2])
    thin = person.neck_radius_mm
    neck = capsule_distance(points, start, base, (thin * 1.02, thin * 1.22))
    return smooth_min(joint.radius_mm - joint.head_mm, neck, 3.5)


def femur_distance(person: HipSubject, points: Points, head: FloatArray) -> FloatArray:
    """Distance to the whole proximal femur; `head` is that to head and neck."""
    x, v, z = neck_base(person)
    k, wide = person.size, person.shaft_mm
    end = (x - 130 * person.adduction, v - 130, z + 8)
    shaft = capsule_distance(points, (x, v - 6, z), end, (1.12 * wide, 0.92 * wide))
    greater = ellipsoid_distance(
        points, (x + 9 * k, v + 8 * k, z - 5 * k), (13 * k, 24 * k, 17 * k)
    )
    lesser = ellipsoid_distance(
        points, (x - 13 * k, v - 40 * k, z - 10 * k), (10 * k, 13 * k, 10 * k)
    )
    trunk = smooth_min(smooth_min(shaft, greater, 9.0), lesser, 7.0)
    return smooth_min(head, trunk, 9.0)


def femur_wall_mm(person: HipSubject, points: Points) -> FloatArray:
    """Thickness of the femur's cortex: thin at the head, thick in the shaft and the calcar."""
    x, v, z = neck_base(person)
    k = person.size
    below = np.clip((v - 22 * k - points[1]) / np.float32(48 * k), 0, 1)
    calcar = (0.62 * x - 5 * k, 0.62 * v - 17 * k, 0.62 * z)
    squared = sum((at - np.float32(c)) ** 2 for at, c in zip(points, calcar, strict=True))
    wall: FloatArray = 0.75 + 4.6 * below + 2.4 * np.exp(-squared / np.float32(220 * k * k))
    return wall


def pelvis_distance(person: HipSubject, points: Points, joint: Joint) -> FloatArray:
    """Distance to the pelvis: socket, ilium, ischium and pubis."""
    k = np.float32(person.size)
    x, v, z = (at / k for at in points)
    height = float(np.clip(z.flat[0] / SECTION_MM, -1, 1) / 2 + 0.5)
    centres, radius = ILIUM.at(height, (1.0, 1.0))
    flare = radius + 2.5 * _step(v, 84.0, 24.0)
    bone = distance_to_tube(x, v, centres, 0.0) - flare
    rods: tuple[tuple[Point, Point, tuple[float, float]], ...] = (
        ((-8, 24, -2), (-3, 46, -3), (15, 8)),  # roof
        ((-32, 16, -16), (-35, -16, -12), (6, 6)),  # quadrilateral plate
        ((-15, -6, -22), (-18, -58, -26), (13, 12)),  # ischium
        ((-18, -60, -26), (-22, -74, -27), (13, 10)),  # its tuberosity
        ((-24, -72, -22), (-76, -54, 24), (7.5, 5)),  # inferior ramus
        ((-24, 0, 14), (-76, -26, 34), (8.5, 6.5)),  # superior ramus
        ((-79, -28, 33), (-79, -50, 27), (8, 7)),  # body of the pubis
    )
    for start, end, radii in rods:
        reach = max(radii) + 14  # what lies beyond cannot matter
        near = window((x[:, 0], v[0]), (start[:2], end[:2]), reach)
        if min(start[2], end[2]) - reach < z.flat[0] < max(start[2], end[2]) + reach:
            rod = capsule_distance((x[near], v[near], z), start, end, radii)
            bone[near] = smooth_min(bone[near], rod, 7.0)
    shell = joint.radius_mm - joint.socket_mm - np.float32(5.5 * person.size)
    cup = smooth_max(shell, -joint.rim_mm, 3.0)
    bone = smooth_min(bone * k, cup, 6.0)
    outside = np.maximum(bone, -joint.rim_mm - 6 * np.clip(joint.radius_mm - 33 * k, 0, 12))
    pelvis: FloatArray = np.maximum(outside, joint.socket_mm - joint.radius_mm)
    return pelvis
