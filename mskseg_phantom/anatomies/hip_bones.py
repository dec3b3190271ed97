"""Bones and cartilage of the hip as distances, in the joint's own frame.

The joint is a sphere. Femoral cartilage lies inside it and acetabular cartilage outside, so the
two touch, and the bones' surfaces follow from how thick each cartilage is in each direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mskseg_phantom.anatomies.hip import ILIUM, SECTION_MM, HipSubject
from mskseg_phantom.drawing.solids import (
    Index,
    Point,
    Points,
    capsule_distance,
    distance_to_tube,
    ellipsoid_distance,
    smooth_max,
    smooth_min,
)
from mskseg_phantom.tissue import FloatArray

JOINT_GAP_MM = 0.2
_LOADED = (-0.28, 0.93, 0.22)  # where cartilage is thickest
_FOVEA = (-0.90, -0.38, -0.20)  # where the ligament of the head begins
_FOSSA = (-0.80, -0.58, 0.14)  # the middle of the socket's part without cartilage


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


def _near(points: Points, start: Point, end: Point, reach_mm: float) -> Index | None:
    """Window of the plane within reach of a rod, or None; what lies beyond cannot matter."""
    sides = []
    for at, first, last in zip(
        (points[0][:, 0], points[1][0], points[2][0]), start, end, strict=True
    ):
        low, high = min(first, last) - reach_mm, max(first, last) + reach_mm
        hits = np.flatnonzero((at > low) & (at < high))
        if hits.size == 0:
            return None
        sides.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return sides[0], sides[1]


def pelvis_distance(person: HipSubject, points: Points, joint: Joint) -> FloatArray:
    """Distance to the pelvis: socket, ilium, ischium and pubis."""
    k = np.float32(person.size)
    x, v, z = (at / k for at in points)
    centres, radius = ILIUM.at(float(np.clip(z.flat[0] / SECTION_MM, -1, 1) / 2 + 0.5))
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
        near = _near((x, v, z), start, end, max(radii) + 14)
        if near is not None:
            rod = capsule_distance((x[near], v[near], z), start, end, radii)
            bone[near] = smooth_min(bone[near], rod, 7.0)
    shell = joint.radius_mm - joint.socket_mm - np.float32(5.5 * person.size)
    cup = smooth_max(shell, -joint.rim_mm, 3.0)
    bone = smooth_min(bone * k, cup, 6.0)
    outside = np.maximum(bone, -joint.rim_mm - 6 * np.clip(joint.radius_mm - 33 * k, 0, 12))
    pelvis: FloatArray = np.maximum(outside, joint.socket_mm - joint.radius_mm)
    return pelvis
