"""The distal femur: condyles around an axis, the notch between them, the shaft, its cartilage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from mskseg_phantom import knee_plan as plan
from mskseg_phantom.knee import LATERAL_FEMORAL, MEDIAL_FEMORAL, TROCHLEAR, KneeSubject
from mskseg_phantom.knee_shapes import oval_distance, smoothstep
from mskseg_phantom.shapes import FloatArray
from mskseg_phantom.solids import smooth_max, smooth_min

_N_ANGLES = 1440
_ANGLES = np.arange(_N_ANGLES, dtype=np.float32) * np.float32(2 * np.pi / _N_ANGLES)
# The same angles from the top of the condyles behind (-270 degrees) to the shaft in front (90).
_SIGNED = np.where(np.pi / 2 < _ANGLES, _ANGLES - np.float32(2 * np.pi), _ANGLES)
_DEGREES = np.degrees(_SIGNED).astype(np.float32)

# Where cartilage ends, by angle in degrees: medially, laterally.
_EDGE_DEGREES = (-232.0, -60.0, -25.0, 33.0)
_MEDIAL_EDGE = (-32.5, -35.0, -25.0, -16.0)
_LATERAL_EDGE = (30.0, 33.0, 30.5, 25.0)
_TROCHLEA_DEGREES = -42.0  # in front of this angle cartilage counts as trochlear


@dataclass(frozen=True, eq=False)
class FemurPoints:
    """The femur as seen from some points; arrays of their shape, lengths of size 1.

    Attributes
    ----------
    distance : float32
        To the bone.
    notch : float32
        To the intercondylar notch, negative within it.
    thickness : float32
        Of the cartilage on the surface below the point; 0 where there is none.
    trochlear : bool
        Whether that cartilage belongs to the trochlea.
    """

    distance: FloatArray
    notch: FloatArray
    thickness: FloatArray
    trochlear: NDArray[np.bool_]

    @property
    def cartilage(self) -> NDArray[np.bool_]:
        """Whether the point lies in cartilage."""
        inside: NDArray[np.bool_] = (
            (self.distance > 0) & (self.distance < self.thickness) & (self.notch > 0.5)
        )
        return inside

    def labels(self, l: float) -> NDArray[np.uint8]:  # noqa: E741 - the axis is called l
        """Label that cartilage has at each point of a plane at `l`."""
        side = MEDIAL_FEMORAL if l < plan.NOTCH_L else LATERAL_FEMORAL
        return np.where(self.trochlear, np.uint8(TROCHLEAR), np.uint8(side))


class Femur:
    """The femur of one subject, defined at every point.

    Parameters
    ----------
    subject : KneeSubject
        Its shape, flexion and cartilage.
    """

    def __init__(self, subject: KneeSubject) -> None:
        self._thickness_mm = subject.cartilage_mm["femoral"] / subject.size
        self._thinnings = tuple(t for t in subject.thinnings if t.surface == "femoral")
        self._flexion = subject.flexion_rad
        self._at = np.array(list(plan.CONDYLE_RADII))
        knots = np.array(list(plan.CONDYLE_RADII.values())).T  # (angles, positions)
        knots = knots + subject.radii_noise * np.clip((knots - 5) / 10, 0, 1)
        start = np.radians(plan.FIRST_ANGLE) % (2 * np.pi)
        steps = start + np.linspace(0, 2 * np.pi, len(knots) + 1)
        around = CubicSpline(steps, np.vstack([knots, knots[:1]]), bc_type="periodic")
        self._radii = PchipInterpolator(self._at, around(_ANGLES), axis=1)
        self._slopes = self._radii.derivative()

    def at(self, l: float, a: FloatArray, s: FloatArray) -> FemurPoints:  # noqa: E741
        """See the femur from the points (l, a, s); a and s broadcast."""
        inside = float(np.clip(l, self._at[0], self._at[-1]))
        radii = self._radii(inside).astype(np.float32)
        da, ds = a - np.float32(plan.CONDYLE_AXIS[0]), s - np.float32(plan.CONDYLE_AXIS[1])
        angle = np.arctan2(ds, da) - np.float32(self._flexion)
        which = np.rint(angle * np.float32(_N_ANGLES / (2 * np.pi))).astype(np.intp) % _N_ANGLES
        condyles = (np.hypot(da, ds) - radii[which]) / self._steepness(inside, radii)[which]
        condyles += np.float32(abs(l - inside))
        cos, sin = np.float32(np.cos(self._flexion)), np.float32(np.sin(self._flexion))
        own_a = cos * da + sin * ds + np.float32(plan.CONDYLE_AXIS[0])
        own_s = cos * ds - sin * da + np.float32(plan.CONDYLE_AXIS[1])
        bone = smooth_min(condyles, _shaft(l, own_a, own_s), 5.0)
        notch = _notch(l, own_a, own_s)
        distance = smooth_max(bone, -notch, 2.0)
        thickness = self._cartilage(l, radii)[which]
        return FemurPoints(distance, notch, thickness, _DEGREES[which] > _TROCHLEA_DEGREES)

    def _steepness(self, l: float, radii: FloatArray) -> FloatArray:  # noqa: E741
        """Length of the gradient of (distance from the axis - radius) at every angle."""
        across = self._slopes(l)
        around = np.gradient(np.concatenate([radii[-1:], radii, radii[:1]]))[1:-1]
        around = around * (_N_ANGLES / (2 * np.pi)) / np.maximum(radii, 5)
        steepness: FloatArray = np.sqrt(1 + across**2 + around**2).astype(np.float32)
        return np.minimum(steepness, np.float32(4))

    def _cartilage(self, l: float, radii: FloatArray) -> FloatArray:  # noqa: E741
        """Thickness of the cartilage at every angle in the plane at `l`."""
        medial = np.interp(_DEGREES, _EDGE_DEGREES, _MEDIAL_EDGE).astype(np.float32)
        lateral = np.interp(_DEGREES, _EDGE_DEGREES, _LATERAL_EDGE).astype(np.float32)
        from_edge = np.minimum(np.float32(l) - medial, lateral - np.float32(l)) / np.float32(2.5)
        from_end = np.minimum(_EDGE_DEGREES[-1] - _DEGREES, _DEGREES - _EDGE_DEGREES[0])
        full = smoothstep(from_edge) * smoothstep((from_end * radii / 160).astype(np.float32))
        thickness = np.float32(self._thickness_mm) * full
        for thinning in self._thinnings:
            along = radii * (_SIGNED - np.float32(thinning.centre[1]))
            away = ((l - thinning.centre[0]) ** 2 + along**2) / thinning.radius_mm**2
            thickness *= 1 - np.float32(thinning.depth) * np.exp(-away)
        return thickness.astype(np.float32)


def _shaft(l: float, a: FloatArray, s: FloatArray) -> FloatArray:  # noqa: E741
    column = plan.FEMUR_SHAFT
    steps = np.arange(column.heights[0], column.heights[-1], 0.25, dtype=np.float32)
    table = [np.interp(steps, column.heights, row).astype(np.float32) for row in column.ovals]
    which = np.clip(((s - column.heights[0]) * 4).astype(np.intp), 0, steps.size - 1)
    middle_l, middle_a, half_l, half_a = (row[which] for row in table)
    oval = oval_distance(np.float32(l) - middle_l, a - middle_a, half_l, half_a)
    return smooth_max(oval, np.asarray(column.heights[0] - s, dtype=np.float32), 3.0)


def _notch(l: float, a: FloatArray, s: FloatArray) -> FloatArray:  # noqa: E741
    """Distance to the notch: a tunnel below a sloping roof, open behind and below."""
    (a0, s0), (a1, s1) = plan.NOTCH_ROOF
    length = float(np.hypot(a1 - a0, s1 - s0))
    da, ds = a - np.float32(a0), s - np.float32(s0)
    below = (da * np.float32(s1 - s0) - ds * np.float32(a1 - a0)) / np.float32(length)
    wall = np.float32(abs(l - plan.NOTCH_L) - plan.NOTCH_HALF_MM)
    return smooth_max(np.asarray(below, dtype=np.float32), np.full_like(below, wall), 7.0)
