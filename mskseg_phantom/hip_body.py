"""A hip at every point of a coronal stack."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mskseg.volume import Plane
from mskseg_phantom import hip, hip_bone
from mskseg_phantom.anatomy import PlaneContent
from mskseg_phantom.hip_bone import Joint, Points
from mskseg_phantom.hip_soft import HipFields, HipPlane, HipSoft
from mskseg_phantom.shapes import FloatArray, PlaneGrid
from mskseg_phantom.solids import Canvas, Index
from mskseg_phantom.tissues import Tissue

TISSUES = hip.TISSUES
EXTENT_MM = (208.0, 208.0, 72.0)
SHAPE = (256, 256, 24)
"""Voxels of the default rendering: 0.81 x 0.81 x 3 mm, slices from behind to the front."""

PLANE: Plane = "coronal"
_ALL: Index = (slice(None), slice(None))
_JOINT_OFFSET_MM = 87.0  # from the midline to the middle of an average joint
_PELVIS_CORTEX_MM = 1.15


class HipBody:
    """One subject's hip, as a function of position in millimetres.

    Axes of the stack: u to the patient's right, v to the head, z to the front.

    Parameters
    ----------
    subject : HipSubject
        Its parameters.
    rng : numpy.random.Generator
        Draws the texture and the irregularity of its outlines.
    """

    extent_mm = EXTENT_MM

    def __init__(self, subject: hip.HipSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        half = (EXTENT_MM[0] / 2, EXTENT_MM[1] / 2, EXTENT_MM[2] / 2)
        self._fields = HipFields(rng, half)
        self._soft = HipSoft(subject, rng)

    @property
    def tissues(self) -> Mapping[int, str]:
        """Tissue name of each label."""
        return TISSUES

    @property
    def _lateral(self) -> int:
        """Direction of lateral along u: 1 for a right hip, -1 for a left one."""
        return 1 if self.subject.side == "right" else -1

    def affine(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Give the matrix from voxel (u, v, z) to RAS millimetres, (4, 4); x = 0 is the midline."""
        du, dv, dz = (extent / n for extent, n in zip(EXTENT_MM, shape, strict=True))
        affine = np.zeros((4, 4))
        affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = du, dv, dz, 1.0
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        offset = _JOINT_OFFSET_MM * self.subject.size - self.subject.centre_mm[0]
        affine[0, 3] += self._lateral * offset
        return affine

    def plane(self, grid: PlaneGrid, z_mm: float) -> PlaneContent:
        """Say what lies at the points of `grid`, `z_mm` in front of the middle of the stack."""
        centre = self.subject.centre_mm
        u, v = grid.points_mm
        own = self._lateral * u - np.float32(centre[0]), v - np.float32(centre[1])
        plane = self._fields.plane(grid, own, (z_mm, z_mm - centre[2]))
        canvas = Canvas.empty(grid.shape)
        fascia = self._soft.draw_outside(canvas, plane)
        self._soft.draw_pelvic_organs(canvas, plane)
        self._soft.draw_muscles(canvas, plane, fascia)
        self._draw_bones(canvas, plane)
        return PlaneContent(canvas.tissue, canvas.label, canvas.admixture)

    def _draw_bones(self, canvas: Canvas, plane: HipPlane) -> None:
        p = self.subject
        z = np.full((1, 1), plane.z_mm, np.float32)
        joint = hip_bone.joint_at(p, (plane.x, plane.v, z))
        rough = np.clip((joint.radius_mm - np.float32(p.head_mm + 8)) / 12, 0, 1)
        points: Points = (plane.x + rough * plane.warp[0], plane.v + rough * plane.warp[1], z)
        head = hip_bone.head_and_neck_distance(p, points, joint)
        femur = hip_bone.femur_distance(p, points, head)
        pelvis = hip_bone.pelvis_distance(p, points, joint)
        self._draw_capsule(canvas, points, joint, head)
        fat = self._marrow_fat(plane)
        canvas.paint(_ALL, pelvis < 1.0, Tissue.FIBROUS)
        canvas.paint(_ALL, pelvis < 0, Tissue.CORTEX, label=hip.PELVIS_LABEL)
        inner = pelvis < -_PELVIS_CORTEX_MM
        canvas.paint(_ALL, inner, Tissue.CANCELLOUS, label=hip.PELVIS_LABEL, admixture=fat)
        self._draw_joint(canvas, points, joint)
        canvas.paint(_ALL, femur < 0, Tissue.CORTEX, label=hip.FEMUR_LABEL)
        marrow = self._femur_fat(fat, points, joint)
        inner = femur < -hip_bone.femur_wall_mm(p, points)
        canvas.paint(_ALL, inner, Tissue.CANCELLOUS, label=hip.FEMUR_LABEL, admixture=marrow)

    def _draw_capsule(self, canvas: Canvas, points: Points, joint: Joint, head: FloatArray) -> None:
        """Draw the capsule around the neck and the fluid below it."""
        p = self.subject
        along = hip_bone.along_axis(points, p.neck_axis)
        here = (along > -20) & (along < 0.78 * p.neck_mm) & (joint.rim_mm < 0)
        thick = 2.0 + 1.5 * np.clip(points[1] / 20, -0.5, 1)
        canvas.paint(_ALL, here & (head < 2.4 + thick), Tissue.LIGAMENT)
        canvas.paint(_ALL, here & (head < 2.2), Tissue.FAT, admixture=0.45)
        canvas.paint(_ALL, here & (head < 1.0), Tissue.SYNOVIAL)

    def _draw_joint(self, canvas: Canvas, points: Points, joint: Joint) -> None:
        """Draw fluid, both cartilages, the labrum, and fat and ligament of the fossa."""
        p = self.subject
        r, surface = joint.radius_mm, np.float32(p.head_mm)
        inside = joint.rim_mm > 0
        canvas.paint(_ALL, inside & (r < joint.socket_mm), Tissue.FAT, admixture=0.15)
        low = np.abs(points[2] + 4) < 3.5
        band = inside & (r < surface + 2.2) & low & (joint.fossa > 0.5)
        canvas.paint(_ALL, band, Tissue.LIGAMENT)
        canvas.paint(_ALL, inside & (r < surface + 0.35), Tissue.SYNOVIAL)
        height = np.float32(5.0) * (1 + joint.rim_mm / np.float32(6.5))
        labrum = (joint.rim_mm < 0.8) & (r > surface) & (r < surface + height)
        canvas.paint(_ALL, labrum & (points[1] > -0.4 * p.head_mm), Tissue.LIGAMENT)
        base = surface + np.float32(hip_bone.JOINT_GAP_MM)
        acetabular = inside & (r > base) & (r < base + joint.acetabular_mm)
        canvas.paint(_ALL, acetabular, Tissue.CARTILAGE, label=hip.ACETABULAR_CARTILAGE_LABEL)
        femoral = (r < joint.head_mm + joint.femoral_mm) & (r > joint.head_mm)
        canvas.paint(_ALL, femoral, Tissue.CARTILAGE, label=hip.FEMORAL_CARTILAGE_LABEL)

    def _marrow_fat(self, plane: HipPlane) -> FloatArray:
        fat: FloatArray = np.float32(self.subject.marrow_fat) * (1 + 0.35 * plane.patches)
        fat += np.float32(0.10) * plane.grain
        return np.clip(fat, 0, 1)

    def _femur_fat(self, fat: FloatArray, points: Points, joint: Joint) -> FloatArray:
        """Share of fatty marrow: nearly all in head and trochanter, less in the neck."""
        p = self.subject
        x, v, _ = hip_bone.neck_base(p)
        in_head = np.clip((p.head_mm + 1.5 - joint.radius_mm) / 3, 0, 1)
        from_tip = np.hypot(points[0] - (x + 10 * p.size), points[1] - (v + 12 * p.size))
        in_tip = np.clip((20 * p.size - from_tip) / 5, 0, 1)
        share = 0.88 * np.maximum(in_head, in_tip)
        mixed = np.clip(share + (1 - share) * fat + 0.2 * (fat - p.marrow_fat), 0, 1)
        along = hip_bone.along_axis(points, p.neck_axis)
        scar = along - 0.34 * p.head_mm + 0.0016 * (joint.radius_mm**2 - along**2) * 4
        mixed = mixed - 0.7 * np.exp(-((scar / 0.7) ** 2)) * in_head
        clipped: FloatArray = np.clip(mixed, 0, 1).astype(np.float32)
        return clipped
