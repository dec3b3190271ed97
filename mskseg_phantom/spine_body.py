"""A lumbar spine at every point of a sagittal stack."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mskseg.volume import Plane
from mskseg_phantom import spine
from mskseg_phantom.anatomy import PlaneContent
from mskseg_phantom.shapes import FloatArray, PlaneGrid
from mskseg_phantom.solids import Canvas
from mskseg_phantom.spine_bone import BonePlane, draw_arch, draw_body, draw_disc
from mskseg_phantom.spine_curves import SpineCurves, SpineFields, SpineTexture
from mskseg_phantom.spine_soft import SoftPlane, SpineSoft

TISSUES = spine.TISSUES
EXTENT_MM = (280.0, 280.0, 72.0)
SHAPE = (256, 256, 18)
"""Voxels of the default rendering: 1.09 x 1.09 x 4 mm, slices from the patient's left to right."""

PLANE: Plane = "sagittal"
_WARP_MM = 0.55


class SpineBody:
    """One subject's lumbar spine, as a function of position in millimetres.

    Axes of the stack: u to the front, v to the head, z to the patient's right.

    Parameters
    ----------
    subject : SpineSubject
        Its parameters.
    rng : numpy.random.Generator
        Draws texture, the position in the stack, and the course of nerves and vessels.
    """

    extent_mm = EXTENT_MM

    def __init__(self, subject: spine.SpineSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        half = (EXTENT_MM[0] / 2, EXTENT_MM[1] / 2, EXTENT_MM[2] / 2)
        self._fields = SpineFields(rng, half)
        self._curves = SpineCurves(subject)
        self._soft = SpineSoft(subject, self._curves, rng)
        self._centre = (float(rng.uniform(-8, 10)), float(rng.uniform(4, 14)))
        self._shifted: tuple[PlaneGrid, PlaneGrid] | None = None

    @property
    def tissues(self) -> Mapping[int, str]:
        """Tissue name of each label."""
        return TISSUES

    def affine(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Give the matrix from voxel (u, v, z) to RAS mm, (4, 4); the origin is mid-stack."""
        du, dv, dz = (extent / n for extent, n in zip(EXTENT_MM, shape, strict=True))
        affine = np.zeros((4, 4))
        affine[0, 2], affine[1, 0], affine[2, 1], affine[3, 3] = dz, du, dv, 1.0
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        return affine

    def plane(self, grid: PlaneGrid, z_mm: float) -> PlaneContent:
        """Say what lies at the points of `grid`, `z_mm` to the patient's right of the middle."""
        texture = self._fields.at(grid, z_mm)
        own = self._own_grid(grid)
        u, v = own.points_mm
        r = self._from_middle(own.v_mm, z_mm)
        shift_u, shift_v = (np.float32(_WARP_MM) * warp for warp in texture.warp)
        soft = SoftPlane(u + 2 * shift_u, own.v_mm[None, :], r, texture)
        bones = BonePlane(own, u + shift_u, v + shift_v, r, self._marrow_fat(texture))
        canvas = Canvas.empty(grid.shape)
        for draw in (
            self._soft.draw_outside,
            self._soft.draw_belly,
            self._soft.draw_vessels,
            self._soft.draw_muscles,
            self._soft.draw_ligaments,
        ):
            draw(canvas, soft)
        sac = self._soft.draw_canal(canvas, soft)
        self._draw_arches(canvas, bones)
        self._soft.draw_sac(canvas, soft, sac)
        self._draw_bones(canvas, bones)
        return PlaneContent(canvas.tissue, canvas.label, canvas.admixture)

    def _draw_arches(self, canvas: Canvas, plane: BonePlane) -> None:
        for bone in self.subject.vertebrae:
            draw_arch(canvas, plane, bone, canal_mm=self._curves.canal_mm(bone.name))

    def _draw_bones(self, canvas: Canvas, plane: BonePlane) -> None:
        person = self.subject
        for disc in person.discs:
            draw_disc(canvas, plane, disc)
        worn = [0.0, *(disc.degeneration for disc in person.discs), 0.0]
        for i, bone in enumerate(person.vertebrae):
            draw_body(canvas, plane, bone, worn=(worn[i], worn[i + 1]))

    def _own_grid(self, grid: PlaneGrid) -> PlaneGrid:
        """Return the same points, counted from the middle of L3."""
        if self._shifted is None or self._shifted[0] is not grid:
            u0, v0 = (np.float32(x) for x in self._centre)
            self._shifted = (grid, PlaneGrid(grid.u_mm - u0, grid.v_mm - v0))
        return self._shifted[1]

    def _from_middle(self, v_mm: FloatArray, z_mm: float) -> FloatArray:
        """Position to the right of a spine that leans and bends to the side, (1, n_v)."""
        p = self.subject
        height = v_mm / np.float32(EXTENT_MM[1] / 2)
        middle = p.lean_mm * height + p.curve_mm * np.cos(2.2 * height)
        r: FloatArray = (np.float32(z_mm) - middle).astype(np.float32)
        return r[None, :]

    def _marrow_fat(self, texture: SpineTexture) -> FloatArray:
        mean = np.float32(self.subject.marrow_fat)
        fat: FloatArray = mean * (1 + 0.3 * texture.patches) + np.float32(0.09) * texture.grain
        return np.clip(fat, 0, 1)
