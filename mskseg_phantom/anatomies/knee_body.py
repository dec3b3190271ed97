"""A knee at every point: bones with cortex, cartilages, menisci and what lies around them."""

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.anatomies import knee_atlas as atlas
from mskseg_phantom.anatomies.knee import (
    EXTENT_MM,
    FEMUR,
    FIBULA,
    LATERAL_MENISCUS,
    MEDIAL_MENISCUS,
    PATELLA,
    TIBIA,
    KneeSubject,
)
from mskseg_phantom.anatomies.knee_atlas import Frame, column_distance
from mskseg_phantom.anatomies.knee_bones import Femur, Patella, Surfaced, Tibia
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
    """One subject's knee at every point; `rng` draws texture."""

    extent_mm, axes = EXTENT_MM, AXES

    def __init__(self, subject: KneeSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        across = KNEE_OFFSET_MM if subject.side == "right" else -KNEE_OFFSET_MM
        self.centre_mm = (across, 0.0, 0.0)
        self._fields = texture_fields(rng)
        self._femur = Femur(subject)
        self._tibia, self._patella = Tibia(subject, self._femur), Patella(subject, self._femur)
        self._soft = SoftTissue(subject, (self._patella.l, self._patella.a, self._patella.s))

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid` at `z_mm` (0 is mid-knee, more is right)."""
        p = self.subject
        lateral = (z_mm - p.centre_mm[2]) / p.size * (1 if p.side == "right" else -1)
        a = (grid.u_mm - p.centre_mm[0]) / p.size - p.yaw * lateral
        s = (grid.v_mm - p.centre_mm[1]) / p.size - p.roll * lateral
        a, s, flexion = a[:, None].astype(np.float32), s[None].astype(np.float32), p.flexion_rad
        frame = Frame(float(lateral / p.width), a, s, float(np.tan(flexion)))
        texture = Texture(**on_plane(self._fields, grid, z_mm))
        canvas = Canvas.empty(grid.shape)
        self._soft.paint(canvas, frame, texture)
        index = frame.window(*_FEMUR_WINDOW)
        part = frame.cut(index)
        femur = self._femur.at(frame.l, part.a, part.s, index)
        over = femur.distance - femur.thickness
        film = (over > 0) & (over < _FILM_MM) & (femur.thickness > 0.4) & femur.on_face
        canvas.paint(film, Tissue.SYNOVIAL, index=index)
        tibia, patella = self._tibia.at(frame), self._patella.at(frame)
        if tibia is not None:
            self._paint_meniscus(canvas, frame, femur, tibia)
        fibula = column_distance(atlas.FIBULA_COLUMN, frame, leaning=False)
        if fibula is not None:
            self._paint_bone(canvas, frame, texture, *fibula, FIBULA)
        for bone in (tibia, patella, femur):
            if bone is not None:
                self._paint_bone(canvas, frame, texture, bone.index, bone.distance, bone.bone)
        for bone in (femur, tibia, patella):
            if bone is not None:
                free = bone.cartilage & (canvas.tissue[bone.index] != Tissue.CARTILAGE)
                canvas.paint(free, Tissue.CARTILAGE, label=bone.label, index=bone.index)
        return canvas

    def _paint_bone(
        self,
        canvas: Canvas,
        frame: Frame,
        texture: Texture,
        index: Index,
        distance: FloatArray,
        label: int,
    ) -> None:
        """Marrow with trabeculae and the growth plate's scar, in a shell thicker in the shafts."""
        part, s = texture.at(index), frame.cut(index).s
        away = np.clip((np.abs(s - 4) - 34) / 40, 0, 1)
        cortex = _SUBCHONDRAL_MM + (self.subject.cortex_mm - _SUBCHONDRAL_MM) * away
        cortex = np.asarray(cortex, dtype=np.float32)
        canvas.paint(distance < 0, Tissue.CORTEX, label=label, index=index)
        marrow = distance + cortex * (1 + 0.2 * part.wave) < 0
        canvas.paint(marrow, Tissue.MARROW, label=label, admixture=trabeculae(part), index=index)
        height = s - np.float32(_SCARS[label])
        scar = np.abs(height + np.float32(1.3) * part.wave) < np.float32(0.3 + 0.2 * part.streak)
        canvas.paint(marrow & scar, Tissue.FIBROUS, label=label, index=index)

    def _paint_meniscus(
        self, canvas: Canvas, frame: Frame, femur: Surfaced, tibia: Surfaced
    ) -> None:
        """Fill the wedge between the cartilages, within a C around the plateau."""
        index, part = tibia.index, frame.cut(tibia.index)
        room = np.full(canvas.tissue.shape, -1, np.float32)  # none where the femur is not drawn
        room[femur.index] = femur.distance - femur.thickness
        height = part.s - self._tibia.top(frame.l, part.a)
        share, allowed = self._wedge(frame.l, part.a)
        inside = (room[index] > 0.1) & (tibia.distance - tibia.thickness > 0.05) & (height > -1.5)
        inside &= (height < share) & allowed
        label = MEDIAL_MENISCUS if frame.l < 0 else LATERAL_MENISCUS
        canvas.paint(inside, Tissue.MENISCUS, label=label, index=index)

    def _wedge(self, l: float, a: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
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
