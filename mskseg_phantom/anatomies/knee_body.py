"""A knee at every point: bones with cortex, cartilages, menisci and what lies around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.anatomies import knee_atlas as atlas
from mskseg_phantom.anatomies.knee import (
    EXTENT_MM,
    FEMUR,
    FIBULA,
    LATERAL_MENISCUS,
    LATERAL_TIBIAL,
    MEDIAL_MENISCUS,
    MEDIAL_TIBIAL,
    PATELLA,
    PATELLAR,
    TIBIA,
    KneeSubject,
    coarser_labels,
)
from mskseg_phantom.anatomies.knee_bones import Femur, FemurPoints, Patella, Surfaced, Tibia
from mskseg_phantom.anatomies.knee_columns import Frame, column_distance
from mskseg_phantom.anatomies.knee_soft import SoftTissue, Texture, texture_fields, trabeculae
from mskseg_phantom.drawing.canvas import Body, Canvas
from mskseg_phantom.drawing.fields import PlaneGrid, on_plane
from mskseg_phantom.drawing.solids import Index
from mskseg_phantom.tissue import FloatArray, Tissue

KNEE_OFFSET_MM = 80.0
"""The middle of a knee lies this far from the body's midline."""
AXES = (1, 2, 0)  # in the world, of the stack's axes: front, head, right
_FEMUR_WINDOW = ((-27.0, 52.0), (-6.0, 100.0))  # a, s; the shaft leans back within it
_SUBCHONDRAL_MM = 0.75
_SCARS = {FEMUR: 34.0, TIBIA: -18.0, FIBULA: -30.0, PATELLA: 1e3}  # s of the growth plates' scars
_FILM_MM = 0.9  # fluid that clings to cartilage


class KneeBody(Body):
    """One subject's knee at every point; `rng` draws texture and irregularity.

    Axes of the stack: u to the front, v to the head, z to the patient's right. `granularity` is one
    of ``compartments``, ``plates`` or ``tissue``, see `knee.tissues_at`.
    """

    extent_mm, axes = EXTENT_MM, AXES

    def __init__(
        self, subject: KneeSubject, rng: np.random.Generator, *, granularity: str = "compartments"
    ) -> None:
        self.subject = subject
        across = KNEE_OFFSET_MM if subject.side == "right" else -KNEE_OFFSET_MM
        self.centre_mm = (across, 0.0, 0.0)
        self._labels = coarser_labels(granularity)
        self._fields = texture_fields(rng)
        self._femur = Femur(subject)
        self._tibia, self._patella = Tibia(subject, self._femur), Patella(subject, self._femur)
        self._soft = SoftTissue(subject, (self._patella.l, self._patella.a, self._patella.s))

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid` at `z_mm` (0 is mid-knee, more is right)."""
        frame = self._frame(grid, z_mm)
        texture = Texture(**on_plane(self._fields, grid, z_mm))
        canvas = Canvas.empty(grid.shape)
        self._soft.paint(canvas, frame, texture)
        femur_index = frame.window(*_FEMUR_WINDOW)
        part = frame.cut(femur_index)
        femur = self._femur.at(frame.l, part.a, part.s)
        tibia, patella = self._tibia.at(frame), self._patella.at(frame)
        _paint_film(canvas, femur_index, femur)
        if tibia is not None:
            self._paint_meniscus(canvas, frame, (femur_index, femur), tibia)
        self._paint_bones(canvas, frame, texture, tibia, patella)
        height = part.s - np.float32(_SCARS[FEMUR])
        cortex = self._cortex(part)
        _paint_bone(canvas, femur_index, femur.distance, FEMUR, cortex, height, texture)
        canvas.paint(femur.cartilage, Tissue.CARTILAGE, index=femur_index)
        canvas.label[femur_index][femur.cartilage] = femur.labels(frame.l)[femur.cartilage]
        self._paint_cartilage(canvas, frame, tibia, patella)
        return Canvas(canvas.tissue, self._labels[canvas.label], canvas.admixture)

    def _frame(self, grid: PlaneGrid, z_mm: float) -> Frame:
        p = self.subject
        across = (z_mm - p.centre_mm[2]) / p.size
        lateral = across if p.side == "right" else -across
        a = (grid.u_mm - p.centre_mm[0]) / p.size - p.yaw * lateral
        s = (grid.v_mm - p.centre_mm[1]) / p.size - p.roll * lateral
        return Frame(
            float(lateral / p.width),
            a[:, None].astype(np.float32),
            s[None].astype(np.float32),
            float(np.tan(p.flexion_rad)),
        )

    def _cortex(self, frame: Frame) -> FloatArray:
        """Thickness of the cortex at each height: thin at the joint, thick in the shafts."""
        away = np.clip((np.abs(frame.s - 4) - 34) / 40, 0, 1)
        thickness = _SUBCHONDRAL_MM + (self.subject.cortex_mm - _SUBCHONDRAL_MM) * away
        return np.asarray(thickness, dtype=np.float32)

    def _paint_bones(
        self,
        canvas: Canvas,
        frame: Frame,
        texture: Texture,
        tibia: Surfaced | None,
        patella: Surfaced | None,
    ) -> None:
        fibula = column_distance(atlas.FIBULA_COLUMN, frame, leaning=False)
        bones = [(fibula[0], fibula[1], FIBULA)] if fibula is not None else []
        for bone, label in ((tibia, TIBIA), (patella, PATELLA)):
            if bone is not None:
                bones.append((bone.index, bone.distance, label))
        for index, distance, label in bones:
            part = frame.cut(index)
            height = part.s - np.float32(_SCARS[label])
            _paint_bone(canvas, index, distance, label, self._cortex(part), height, texture)

    def _paint_cartilage(
        self, canvas: Canvas, frame: Frame, tibia: Surfaced | None, patella: Surfaced | None
    ) -> None:
        plateau = MEDIAL_TIBIAL if frame.l < 0 else LATERAL_TIBIAL
        for bone, label in ((tibia, plateau), (patella, PATELLAR)):
            if bone is not None:
                free = bone.cartilage & (canvas.tissue[bone.index] != Tissue.CARTILAGE)
                canvas.paint(free, Tissue.CARTILAGE, label=label, index=bone.index)

    def _paint_meniscus(
        self, canvas: Canvas, frame: Frame, femur: tuple[Index, FemurPoints], tibia: Surfaced
    ) -> None:
        """Fill the wedge between the cartilages, within a C around the plateau."""
        index = _overlap(femur[0], tibia.index)
        below, above = _within(tibia.index, index), _within(femur[0], index)
        part = frame.cut(index)
        height = part.s - self._tibia.top(frame.l, part.a)
        share, allowed = self._wedge(frame.l, part.a)
        lifted = tibia.distance[below] - tibia.thickness[below]
        room = femur[1].distance[above] - femur[1].thickness[above]
        inside = (room > 0.1) & (lifted > 0.05) & (height > -1.5)
        inside &= (height < share) & allowed
        label = MEDIAL_MENISCUS if frame.l < 0 else LATERAL_MENISCUS
        canvas.paint(inside, Tissue.MENISCUS, label=label, index=index)

    def _wedge(self, l: float, a: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:  # noqa: E741
        """Height of the wedge above the plateau, and whether the C covers a position."""
        side = "medial" if l < 0 else "lateral"
        middle_l, middle_a, half_l, half_a = atlas.MENISCUS[side]
        outward = (middle_l - l if side == "medial" else l - middle_l) / half_l
        along = (a - np.float32(middle_a)) / np.float32(half_a)
        rho = np.sqrt(np.float32(outward**2) + along**2)
        front, behind = (w * self.subject.meniscus[0] for w in atlas.MENISCUS_WIDTH[side])
        width = np.where(along > 0, np.float32(front), np.float32(behind))
        inner = 1 - width / np.float32((half_l + half_a) / 2)
        share = np.clip((rho - inner) / (1 - inner), 0, 1)
        height = (2.2 + 6.2 * share * self.subject.meniscus[1]) / self.subject.size
        height *= np.clip((1.03 - rho) / np.float32(0.10), 0, 1) ** np.float32(0.4)
        opening = np.abs(np.arctan2(along, np.float32(-outward)))  # 0 towards the notch
        allowed = (rho > inner) & (rho < 1.03) & (opening > atlas.MENISCUS_OPEN[side])
        return height, allowed


def _paint_film(canvas: Canvas, index: Index, femur: FemurPoints) -> None:
    """Fluid on the femoral cartilage."""
    over = femur.distance - femur.thickness
    film = (over > 0) & (over < _FILM_MM) & (femur.thickness > 0.4) & (femur.notch > 0.5)
    canvas.paint(film, Tissue.SYNOVIAL, index=index)


def _paint_bone(
    canvas: Canvas,
    index: Index,
    distance: FloatArray,
    label: int,
    cortex: FloatArray,
    height: FloatArray,
    texture: Texture,
) -> None:
    """Marrow with trabeculae and the scar of the growth plate (height 0), in a dark shell."""
    part = texture.at(index)
    canvas.paint(distance < 0, Tissue.CORTEX, label=label, index=index)
    marrow = distance + cortex * (1 + 0.2 * part.wave) < 0
    canvas.paint(marrow, Tissue.MARROW, label=label, admixture=trabeculae(part), index=index)
    scar = np.abs(height + np.float32(1.3) * part.wave) < np.float32(0.3 + 0.2 * part.streak)
    canvas.paint(marrow & scar, Tissue.FIBROUS, label=label, index=index)


def _overlap(first: Index, second: Index) -> Index:
    sides = [
        slice(max(a.start, b.start), max(max(a.start, b.start), min(a.stop, b.stop)))
        for a, b in zip(first, second, strict=True)
    ]
    return sides[0], sides[1]


def _within(outer: Index, inner: Index) -> Index:
    """Slices of `inner` counted from the corner of `outer`."""
    u, v = (slice(b.start - a.start, b.stop - a.start) for a, b in zip(outer, inner, strict=True))
    return u, v
