"""Tibia and patella, placed so that their cartilages just do not touch the femur's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom import knee_plan as plan
from mskseg_phantom.knee import KneeSubject, Surface
from mskseg_phantom.knee_femur import Femur
from mskseg_phantom.knee_shapes import Frame, column_distance, smoothstep
from mskseg_phantom.shapes import FloatArray
from mskseg_phantom.solids import Index, smooth_max

SIDES = ("medial", "lateral")


@dataclass(frozen=True, eq=False)
class Surfaced:
    """A bone and its cartilage in a window of a plane; arrays (n_u, n_v) of that window."""

    index: Index
    distance: FloatArray
    thickness: FloatArray
    on_face: NDArray[np.bool_]

    @property
    def cartilage(self) -> NDArray[np.bool_]:
        """Whether the point lies in cartilage."""
        inside: NDArray[np.bool_] = (
            (self.distance > 0) & (self.distance < self.thickness) & self.on_face
        )
        return inside


class _Jointed:
    """What the bones opposite the femur share: thickness of their cartilage, with thinnings."""

    def __init__(self, subject: KneeSubject) -> None:
        self._subject = subject

    def _thickness(
        self,
        surface: Surface,
        l: float,  # noqa: E741 - the axis is called l
        along: FloatArray,
        oval: tuple[float, ...],
    ) -> FloatArray:
        """Thickness at positions (l, along) within an oval (l, along, half-axes)."""
        dl, da = (l - oval[0]) / oval[2], (along - np.float32(oval[1])) / np.float32(oval[3])
        rho = np.sqrt(np.float32(dl * dl) + da * da)
        thickness = smoothstep((1 - rho) * np.float32(min(oval[2:]) / 3.0))
        thickness *= np.float32(self._subject.cartilage_mm[surface] / self._subject.size)
        for thinning in self._subject.thinnings:
            if thinning.surface == surface:
                away = (l - thinning.centre[0]) ** 2 + (along - thinning.centre[1]) ** 2
                loss = np.exp(-away / np.float32(thinning.radius_mm**2))
                thickness *= 1 - np.float32(thinning.depth) * loss
        return thickness.astype(np.float32)


class Tibia(_Jointed):
    """The proximal tibia of one subject.

    Parameters
    ----------
    subject : KneeSubject
        Its shape and cartilage.
    femur : Femur
        The plateaus are raised until only the subject's gap is left between the cartilages.
    """

    def __init__(self, subject: KneeSubject, femur: Femur) -> None:
        super().__init__(subject)
        self._heights = {"medial": -3.0, "lateral": -1.5}
        for _ in range(4):
            for side in SIDES:
                self._heights[side] += self._clearance(side, femur) - subject.gap_mm

    def top(self, l: float, a: FloatArray) -> FloatArray:  # noqa: E741 - the axis is called l
        """Height of the bone's upper surface."""
        medial = self._heights["medial"] + 0.02 * (a - 2) + 0.0028 * (a - 2) ** 2
        medial = medial + 0.0075 * (l + 20) ** 2 * (l < -20) + 0.004 * (l + 20) ** 2 * (l >= -20)
        lateral = self._heights["lateral"] - 0.003 * a**2 + 0.003 * (l - 21) ** 2
        share = 1 / (1 + np.exp(-np.clip(l / 2.5, -20, 20)))
        spines = 0.0
        for middle, ahead in ((-5.5, 1.0), (5.5, -1.0)):
            peak = np.exp(-(((l - middle) / 3.6) ** 2))
            spines = spines + peak * np.exp(-(((a - ahead) / 7.5) ** 2))
        behind = np.exp(-((l / 8) ** 2)) / (1 + np.exp((a + 11) / 2))
        front = np.exp(-((l / 15) ** 4)) / (1 + np.exp((20 - a) / 2))
        height = (1 - share) * medial + share * lateral
        height = height + 6.5 * self._subject.eminence * spines - 7 * behind - 8 * front
        return np.asarray(height, dtype=np.float32)

    def at(self, frame: Frame) -> Surfaced | None:
        """Bone and cartilage in a plane, None where it misses them."""
        found = column_distance(plan.TIBIA_COLUMN, frame, leaning=False, reach=5.0)
        if found is None:
            return None
        index, outline = found
        part = frame.cut(index)
        above = part.s - self.top(frame.l, part.a)
        distance = smooth_max(outline, above, 3.0)
        thickness = np.broadcast_to(self.thickness(frame.l, part.a), distance.shape)
        face = (above > -0.6) & (outline < -0.3)
        return Surfaced(index, distance, thickness, face)

    def thickness(self, l: float, a: FloatArray) -> FloatArray:  # noqa: E741
        """Thickness of the cartilage on the plateau that `l` belongs to."""
        if l < 0:
            return self._thickness("medial tibial", l, a, plan.PLATEAU["medial"])
        return self._thickness("lateral tibial", l, a, plan.PLATEAU["lateral"])

    def _clearance(self, side: str, femur: Femur) -> float:
        """Smallest distance between the two cartilages, in mm of size 1."""
        middle_l, middle_a, half_l, half_a = plan.PLATEAU[side]
        a = (middle_a + half_a * np.linspace(-0.95, 0.95, 31)).astype(np.float32)
        nearest = []
        for l in middle_l + half_l * np.linspace(-0.95, 0.95, 13):  # noqa: E741
            surface = self.top(l, a) + self.thickness(l, a)
            seen = femur.at(float(l), a, surface)
            nearest.append(float((seen.distance - seen.thickness).min()))
        return min(nearest)


class Patella(_Jointed):
    """The patella of one subject, in front of the trochlea.

    Parameters
    ----------
    subject : KneeSubject
        Its place and cartilage.
    femur : Femur
        The patella is moved back until only the subject's gap is left between the cartilages.
    """

    def __init__(self, subject: KneeSubject, femur: Femur) -> None:
        super().__init__(subject)
        shift_l, shift_s = subject.patella_mm
        self.l, self.s = plan.PATELLA_CENTRE[0] + shift_l, plan.PATELLA_CENTRE[1] + shift_s
        self.a = 44.0
        for _ in range(5):
            self.a -= self._clearance(femur) - subject.gap_mm

    @property
    def column(self) -> plan.Column:
        """The patella's outline, before its facets are cut."""
        shape = plan.PATELLA_COLUMN
        ovals = shape.ovals + np.array([[self.l], [self.a], [0], [0]], dtype=np.float32)
        return plan.Column(shape.heights + np.float32(self.s), ovals, shape.tissue)

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
        return Surfaced(index, distance, thickness, (behind > -0.6) & (outline < behind + 0.3))

    def _back(self, l: float) -> float:  # noqa: E741 - the axis is called l
        """Front-to-back position of the articular facets."""
        away = l - (plan.PATELLA_RIDGE_L + self.l - plan.PATELLA_CENTRE[0])
        slope = plan.PATELLA_FACETS[0] if away < 0 else plan.PATELLA_FACETS[1]
        return self.a + slope * (float(np.hypot(away, 2.5)) - 2.5)

    def _cartilage(self, l: float, s: FloatArray) -> FloatArray:  # noqa: E741
        return self._thickness("patellar", l, s, (self.l, self.s + 2.5, 16.5, 12.0))

    def _clearance(self, femur: Femur) -> float:
        s = (self.s + np.linspace(-16, 15, 25)).astype(np.float32)
        nearest = []
        for l in self.l + np.linspace(-15, 15, 13):  # noqa: E741
            a = np.float32(self._back(float(l))) - self._cartilage(float(l), s)
            seen = femur.at(float(l), a, s)
            nearest.append(float((seen.distance - seen.thickness).min()))
        return min(nearest)
