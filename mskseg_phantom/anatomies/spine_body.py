"""A lumbar spine at every point of a sagittal stack."""

from __future__ import annotations

import numpy as np

from mskseg_phantom.anatomies.spine import SpineCurves, SpineSubject
from mskseg_phantom.anatomies.spine_bones import BonePlane, draw_arch, draw_body, draw_disc
from mskseg_phantom.anatomies.spine_soft import SoftPlane, SpineSoft
from mskseg_phantom.drawing.canvas import Body, Canvas
from mskseg_phantom.drawing.fields import PlaneGrid, RandomField, on_plane
from mskseg_phantom.tissue import FloatArray

EXTENT_MM = (280.0, 280.0, 72.0)
SHAPE = (256, 256, 18)
"""Voxels of the default rendering: 1.09 x 1.09 x 4 mm, slices from the patient's left to right."""

_WARP_MM = 0.55


class SpineBody(Body):
    """One subject's lumbar spine at every point; `rng` draws texture and irregularity.

    Axes of the stack: u to the front, v to the head, z to the patient's right.
    """

    extent_mm, axes = EXTENT_MM, (1, 2, 0)

    def __init__(self, subject: SpineSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        self._fields = {
            "warp_u": RandomField(rng, EXTENT_MM, pitch_mm=(11.0, 14.0)),
            "warp_v": RandomField(rng, EXTENT_MM, pitch_mm=(11.0, 14.0)),
            "streaks": RandomField(
                rng, EXTENT_MM, pitch_mm=(2.0, 9.0), stretch=10.0, angle=np.pi / 2 - 0.08
            ),
            "patches": RandomField(rng, EXTENT_MM, pitch_mm=(8.0, 12.0)),
            "grain": RandomField(rng, EXTENT_MM, pitch_mm=(2.3, 5.0)),
            "loops": RandomField(rng, EXTENT_MM, pitch_mm=(13.0, 18.0)),
        }
        self._curves = SpineCurves(subject)
        self._soft = SpineSoft(subject, self._curves, rng)
        self._middle = np.float32(rng.uniform(-8, 10)), np.float32(rng.uniform(4, 14))  # of L3

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid`, `z_mm` to the patient's right of the middle."""
        fields = on_plane(self._fields, grid, z_mm)
        own = PlaneGrid(grid.u_mm - self._middle[0], grid.v_mm - self._middle[1])
        u, v = own.points_mm
        r = self._from_middle(own.v_mm, z_mm)
        shift_u, shift_v = (np.float32(_WARP_MM) * fields[name] for name in ("warp_u", "warp_v"))
        streaks, patches, grain = fields["streaks"], fields["patches"], fields["grain"]
        soft = SoftPlane(
            u + 2 * shift_u, own.v_mm[None, :], r, streaks, patches, grain, fields["loops"]
        )
        fat = np.float32(self.subject.marrow_fat) * (1 + 0.3 * patches) + np.float32(0.09) * grain
        bones = BonePlane(own, u + shift_u, v + shift_v, r, fat.clip(0, 1))
        canvas = Canvas.empty(grid.shape)
        self._soft.draw_outside(canvas, soft)
        self._soft.draw_belly(canvas, soft)
        self._soft.draw_vessels(canvas, soft)
        self._soft.draw_muscles(canvas, soft)
        self._soft.draw_ligaments(canvas, soft)
        sac = self._soft.draw_canal(canvas, soft)
        for bone in self.subject.vertebrae:
            draw_arch(canvas, bones, bone, canal_mm=self._curves.canal_mm(bone.name))
        self._soft.draw_sac(canvas, soft, sac)
        for disc in self.subject.discs:
            draw_disc(canvas, bones, disc)
        worn = [0.0, *(disc.degeneration for disc in self.subject.discs), 0.0]
        for i, bone in enumerate(self.subject.vertebrae):
            draw_body(canvas, bones, bone, worn=(worn[i], worn[i + 1]))
        return canvas

    def _from_middle(self, v_mm: FloatArray, z_mm: float) -> FloatArray:
        """Position to the right of a spine that leans and bends to the side, (1, n_v)."""
        p = self.subject
        height = v_mm / np.float32(EXTENT_MM[1] / 2)
        middle = p.lean_mm * height + p.curve_mm * np.cos(2.2 * height)
        r: FloatArray = (np.float32(z_mm) - middle).astype(np.float32)
        return r[None, :]
