"""The bones of the knee's joint: the distal femur, and tibia and patella placed against it.

The femur has condyles around an axis, the notch between them, a shaft and its cartilage. Tibia and
patella are moved until their cartilages just do not touch the femur's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from mskseg_phantom.anatomies import knee_atlas as atlas
from mskseg_phantom.anatomies.knee import (
    FEMORAL,
    FEMUR,
    LATERAL_TIBIAL,
    MEDIAL_TIBIAL,
    PATELLA,
    PATELLAR,
    TIBIA,
    KneeSubject,
    Surface,
)
from mskseg_phantom.anatomies.knee_atlas import (
    Column,
    Frame,
    column_distance,
    oval_distance,
    smoothstep,
)
from mskseg_phantom.drawing.canvas import WHOLE
from mskseg_phantom.drawing.solids import Index, smooth_max, smooth_min
from mskseg_phantom.tissue import FloatArray

_N_ANGLES = 1440
_ANGLES = np.arange(_N_ANGLES, dtype=np.float32) * np.float32(2 * np.pi / _N_ANGLES)
# The same angles from the top of the condyles behind (-270 degrees) to the shaft in front (90).
_SIGNED = np.where(np.pi / 2 < _ANGLES, _ANGLES - np.float32(2 * np.pi), _ANGLES)
_DEGREES = np.degrees(_SIGNED).astype(np.float32)

# Where cartilage ends, by angle in degrees: medially, laterally.
_EDGE_DEGREES = (-232.0, -60.0, -25.0, 33.0)
_MEDIAL_EDGE = (-32.5, -35.0, -25.0, -16.0)
_LATERAL_EDGE = (30.0, 33.0, 30.5, 25.0)


@dataclass(frozen=True, eq=False)
class Surfaced:
    """A bone and its cartilage in a window of a plane; arrays (n_u, n_v) of that window."""

    bone: int  # its label
    index: Index
    distance: FloatArray  # to the bone
    thickness: FloatArray  # of the cartilage on the surface below; 0 where there is none
    on_face: NDArray[np.bool_]
    label: int  # of the cartilage

    @property
    def cartilage(self) -> NDArray[np.bool_]:
        """Whether the point lies in cartilage."""
        return (self.distance > 0) & (self.distance < self.thickness) & self.on_face


class Femur:
    """The femur of one subject, defined at every point."""

    def __init__(self, subject: KneeSubject) -> None:
        self._thickness_mm = subject.cartilage_mm["femoral"] / subject.size
        self._thinnings = tuple(t for t in subject.thinnings if t.surface == "femoral")
        self._flexion = subject.flexion_rad
        self._at = atlas.CONDYLE_RADII.index.to_numpy(float)
        knots = atlas.CONDYLE_RADII.to_numpy(float).T  # (angles, positions)
        knots = knots + subject.radii_noise * np.clip((knots - 5) / 10, 0, 1)
        start = np.radians(float(atlas.CONDYLE_RADII.columns[0])) % (2 * np.pi)
        steps = start + np.linspace(0, 2 * np.pi, len(knots) + 1)
        around = CubicSpline(steps, np.vstack([knots, knots[:1]]), bc_type="periodic")
        self._radii = PchipInterpolator(self._at, around(_ANGLES), axis=1)
        self._slopes = self._radii.derivative()

    def at(self, l: float, a: FloatArray, s: FloatArray, index: Index = WHOLE) -> Surfaced:
        """See the femur from the points (l, a, s) of a window; a and s broadcast."""
        inside = float(np.clip(l, self._at[0], self._at[-1]))
        radii = self._radii(inside).astype(np.float32)
        da, ds = a - np.float32(atlas.CONDYLE_AXIS[0]), s - np.float32(atlas.CONDYLE_AXIS[1])
        angle = np.arctan2(ds, da) - np.float32(self._flexion)
        which = np.rint(angle * np.float32(_N_ANGLES / (2 * np.pi))).astype(np.intp) % _N_ANGLES
        condyles = (np.hypot(da, ds) - radii[which]) / self._steepness(inside, radii)[which]
        condyles += np.float32(abs(l - inside))
        cos, sin = np.float32(np.cos(self._flexion)), np.float32(np.sin(self._flexion))
        own_a = cos * da + sin * ds + np.float32(atlas.CONDYLE_AXIS[0])
        own_s = cos * ds - sin * da + np.float32(atlas.CONDYLE_AXIS[1])
        bone = smooth_min(condyles, _shaft(l, own_a, own_s), 5.0)
        notch = _notch(l, own_a, own_s)
        distance = smooth_max(bone, -notch, 2.0)
        thickness = self._cartilage(l, radii)[which]
        return Surfaced(FEMUR, index, distance, thickness, notch > 0.5, FEMORAL)

    def clearance(self, l: float, a: FloatArray, s: FloatArray) -> float:
        """Smallest distance of the points (l, a, s) from the femur's cartilage."""
        seen = self.at(float(l), a, s)
        return float((seen.distance - seen.thickness).min())

    def _steepness(self, l: float, radii: FloatArray) -> FloatArray:
        """Length of the gradient of (distance from the axis - radius) at every angle."""
        across = self._slopes(l)
        around = np.gradient(np.concatenate([radii[-1:], radii, radii[:1]]))[1:-1]
        around = around * (_N_ANGLES / (2 * np.pi)) / np.maximum(radii, 5)
        steepness: FloatArray = np.sqrt(1 + across**2 + around**2).astype(np.float32)
        return np.minimum(steepness, np.float32(4))

    def _cartilage(self, l: float, radii: FloatArray) -> FloatArray:
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


def _shaft(l: float, a: FloatArray, s: FloatArray) -> FloatArray:
    column = atlas.FEMUR_SHAFT
    steps = np.arange(column.heights[0], column.heights[-1], 0.25, dtype=np.float32)
    table = [np.interp(steps, column.heights, row).astype(np.float32) for row in column.ovals]
    which = np.clip(((s - column.heights[0]) * 4).astype(np.intp), 0, steps.size - 1)
    middle_l, middle_a, half_l, half_a = (row[which] for row in table)
    oval = oval_distance(np.float32(l) - middle_l, a - middle_a, half_l, half_a)
    return smooth_max(oval, np.asarray(column.heights[0] - s, dtype=np.float32), 3.0)


def _notch(l: float, a: FloatArray, s: FloatArray) -> FloatArray:
    """Distance to the notch: a tunnel below a sloping roof, open behind and below."""
    (a0, s0), (a1, s1) = atlas.NOTCH_ROOF
    length = float(np.hypot(a1 - a0, s1 - s0))
    da, ds = a - np.float32(a0), s - np.float32(s0)
    below = (da * np.float32(s1 - s0) - ds * np.float32(a1 - a0)) / np.float32(length)
    wall = np.float32(abs(l - atlas.NOTCH_L) - atlas.NOTCH_HALF_MM)
    return smooth_max(np.asarray(below, dtype=np.float32), np.full_like(below, wall), 7.0)


def _thickness(
    subject: KneeSubject, surface: Surface, l: float, along: FloatArray, oval: tuple[float, ...]
) -> FloatArray:
    """Thickness of cartilage at positions (l, along) within an oval (l, along, half-axes)."""
    dl, da = (l - oval[0]) / oval[2], (along - np.float32(oval[1])) / np.float32(oval[3])
    rho = np.sqrt(np.float32(dl * dl) + da * da)
    thickness = smoothstep((1 - rho) * np.float32(min(oval[2:]) / 3.0))
    thickness *= np.float32(subject.cartilage_mm[surface] / subject.size)
    for thinning in subject.thinnings:
        if thinning.surface == surface:
            away = (l - thinning.centre[0]) ** 2 + (along - thinning.centre[1]) ** 2
            loss = np.exp(-away / np.float32(thinning.radius_mm**2))
            thickness *= 1 - np.float32(thinning.depth) * loss
    return thickness.astype(np.float32)


class Tibia:
    """A subject's proximal tibia, raised until only the gap is left between the cartilages."""

    def __init__(self, subject: KneeSubject, femur: Femur) -> None:
        self._subject = subject
        self._heights = {"medial": -3.0, "lateral": -1.5}
        for _ in range(4):
            for side in ("medial", "lateral"):
                self._heights[side] += self._clearance(side, femur) - subject.gap_mm

    def top(self, l: float, a: FloatArray) -> FloatArray:
        """Height of the bone's upper surface."""
        medial = self._heights["medial"] + 0.02 * (a - 2) + 0.0028 * (a - 2) ** 2
        medial = medial + 0.0075 * (l + 20) ** 2 * (l < -20) + 0.004 * (l + 20) ** 2 * (l >= -20)
        lateral = self._heights["lateral"] - 0.003 * a**2 + 0.003 * (l - 21) ** 2
        share = 1 / (1 + np.exp(-np.clip(l / 2.5, -20, 20)))
        spines = 0.0
        for middle, ahead in ((-5.5, 1.0), (5.5, -1.0)):
            spine = np.exp(-(((a - ahead) / 7.5) ** 2))
            spines = spines + np.exp(-(((l - middle) / 3.6) ** 2)) * spine
        behind = np.exp(-((l / 8) ** 2)) / (1 + np.exp((a + 11) / 2))
        front = np.exp(-((l / 15) ** 4)) / (1 + np.exp((20 - a) / 2))
        height = (1 - share) * medial + share * lateral
        height = height + 6.5 * self._subject.eminence * spines - 7 * behind - 8 * front
        return np.asarray(height, dtype=np.float32)

    def at(self, frame: Frame) -> Surfaced | None:
        """Bone and cartilage in a plane, None where it misses them."""
        found = column_distance(atlas.TIBIA_COLUMN, frame, leaning=False, reach=5.0)
        if found is None:
            return None
        index, outline = found
        part = frame.cut(index)
        above = part.s - self.top(frame.l, part.a)
        distance = smooth_max(outline, above, 3.0)
        thickness = np.broadcast_to(self.thickness(frame.l, part.a), distance.shape)
        face = (above > -0.6) & (outline < -0.3)
        plateau = MEDIAL_TIBIAL if frame.l < 0 else LATERAL_TIBIAL
        return Surfaced(TIBIA, index, distance, thickness, face, plateau)

    def thickness(self, l: float, a: FloatArray) -> FloatArray:
        """Thickness of the cartilage on the plateau that `l` belongs to."""
        surface: Surface = "medial tibial" if l < 0 else "lateral tibial"
        return _thickness(self._subject, surface, l, a, atlas.PLATEAU[surface.split()[0]])

    def _clearance(self, side: str, femur: Femur) -> float:
        """Smallest distance between the two cartilages, in mm of size 1."""
        middle_l, middle_a, half_l, half_a = atlas.PLATEAU[side]
        a = (middle_a + half_a * np.linspace(-0.95, 0.95, 31)).astype(np.float32)
        across = middle_l + half_l * np.linspace(-0.95, 0.95, 13)
        return min(femur.clearance(x, a, self.top(x, a) + self.thickness(x, a)) for x in across)


class Patella:
    """A subject's patella, moved back until only the gap is left between the cartilages."""

    def __init__(self, subject: KneeSubject, femur: Femur) -> None:
        self._subject = subject
        shift_l, shift_s = subject.patella_mm
        self.l, self.s = atlas.PATELLA_CENTRE[0] + shift_l, atlas.PATELLA_CENTRE[1] + shift_s
        self.a = 44.0
        for _ in range(5):
            self.a -= self._clearance(femur) - subject.gap_mm

    @property
    def column(self) -> Column:
        """The patella's outline, before its facets are cut."""
        shape = atlas.PATELLA_COLUMN
        ovals = shape.ovals + np.array([[self.l], [self.a], [0], [0]], dtype=np.float32)
        return Column(shape.heights + np.float32(self.s), ovals, shape.tissue)

    def at(self, frame: Frame) -> Surfaced | None:
        """Bone and cartilage in a plane, None where it misses them."""
        found = column_distance(self.column, frame, leaning=False, reach=5.0)
        if found is None:
            return None
        index, outline = found
        part = frame.cut(index)
        behind = np.float32(self._back(frame.l)) - part.a
        distance = smooth_max(outline, behind + 0 * outline, 2.5)
        thickness = np.broadcast_to(self._cartilage(frame.l, part.s), distance.shape)
        face = (behind > -0.6) & (outline < behind + 0.3)
        return Surfaced(PATELLA, index, distance, thickness, face, PATELLAR)

    def _back(self, l: float) -> float:
        """Front-to-back position of the articular facets."""
        away = l - (atlas.PATELLA_RIDGE_L + self.l - atlas.PATELLA_CENTRE[0])
        slope = atlas.PATELLA_FACETS[0] if away < 0 else atlas.PATELLA_FACETS[1]
        return self.a + slope * (float(np.hypot(away, 2.5)) - 2.5)

    def _cartilage(self, l: float, s: FloatArray) -> FloatArray:
        return _thickness(self._subject, "patellar", l, s, (self.l, self.s + 2.5, 16.5, 12.0))

    def _clearance(self, femur: Femur) -> float:
        s = (self.s + np.linspace(-16, 15, 25)).astype(np.float32)
        across = (self.l + np.linspace(-15, 15, 13)).tolist()
        return min(
            femur.clearance(x, np.float32(self._back(x)) - self._cartilage(x, s), s) for x in across
        )
