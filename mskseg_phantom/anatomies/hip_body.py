"""A hip at every point of a coronal stack: outline, organs, muscles, bones and the joint."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.anatomies import hip
from mskseg_phantom.anatomies.hip import Joint
from mskseg_phantom.drawing.canvas import Body, Canvas
from mskseg_phantom.drawing.fields import PlaneGrid, muscle_fat, on_plane, random_fields, ridge
from mskseg_phantom.drawing.solids import (
    Index,
    Points,
    curve_through,
    distance_to_tube,
    ellipsoid_distance,
    ranked,
    window,
)
from mskseg_phantom.tissue import FloatArray, Tissue

EXTENT_MM = (208.0, 208.0, 72.0)
SHAPE = (256, 256, 24)
"""Voxels of the default rendering: 0.81 x 0.81 x 3 mm, slices from behind to the front."""

_JOINT_OFFSET_MM = 87.0  # from the midline to the middle of an average joint
_PELVIS_CORTEX_MM = 1.15
_SKIN_MM, _FASCIA_MM = 1.6, 0.8
_GAP_MM = 5.0  # how far from its muscle a point may be and still be muscle
_WARP_MM = 1.1
_MATTERS_MM = 20.0  # muscles further away than this are no neighbours


class HipPlane(NamedTuple):
    """The points of one plane in the joint's own frame, and random fields there."""

    x: FloatArray  # (n_u, n_v), lateral, in mm from the middle of the joint
    v: FloatArray  # towards the head
    z_mm: float  # to the front
    s: float  # height among the sections of the muscles
    warp: FloatArray  # (2, n_u, n_v), displacement of x and v in mm
    fields: dict[str, FloatArray]  # two streaks along the main directions of muscles, and blobs


class HipBody(Body):
    """One subject's hip at every point; `rng` draws texture and irregularity."""

    extent_mm, axes = EXTENT_MM, (0, 2, 1)  # u to the right, v to the head, z to the front

    def __init__(self, subject: hip.HipSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        self._lateral = 1 if subject.side == "right" else -1  # direction along u
        across = _JOINT_OFFSET_MM * subject.size - subject.centre_mm[0]
        self.centre_mm = (self._lateral * across, 0.0, 0.0)  # x = 0 is the body's midline
        looks: dict[str, tuple[float, ...]] = {
            "warp_x": (15.0, 18.0),
            "warp_v": (15.0, 18.0),
            "flat_streaks": (1.9, 8.0, 10.0, -0.75),
            "steep_streaks": (1.9, 8.0, 10.0, -1.5),
            "patches": (8.0, 12.0),
            "grain": (2.0, 4.0),
            "loops": (12.0, 16.0),
        }
        self._fields = random_fields(rng, EXTENT_MM, looks)
        self._steep = rng.integers(0, 2, len(hip.MUSCLES))
        self._outline = rng.normal(0, 2.0, 5)
        self._crotch = float(rng.uniform(-78, -62))
        self._bladder = rng.uniform(0.7, 1.15, 3)

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid`, `z_mm` in front of the middle of the stack."""
        centre = self.subject.centre_mm
        front = z_mm - centre[2]
        u, v = grid.points_mm
        fields = on_plane(self._fields, grid, z_mm)
        plane = HipPlane(
            self._lateral * u - np.float32(centre[0]),
            v - np.float32(centre[1]),
            front,
            float(np.clip(front / (self.subject.size * hip.SECTION_MM), -1.1, 1.1)) / 2 + 0.5,
            np.float32(_WARP_MM) * np.stack([fields["warp_x"], fields["warp_v"]]),
            fields,
        )
        canvas = Canvas.empty(grid.shape)
        fascia = self._draw_outside(canvas, plane)
        self._draw_pelvic_organs(canvas, plane)
        self._draw_muscles(canvas, plane, fascia)
        self._draw_bones(canvas, plane)
        return canvas

    def _draw_outside(self, canvas: Canvas, plane: HipPlane) -> FloatArray:
        """Draw skin and subcutaneous fat; return the depth below the fascia, (n_u, n_v)."""
        p, k = self.subject, self.subject.size
        marks = (-112.0, -60.0, -18.0, 40.0, 108.0)
        row = plane.v[:1]
        edge = curve_through(marks, np.array((84, 88, 90, 84, 66)) * k + self._outline)(row)
        fat = p.fat_mm * curve_through(marks, (0.95, 0.95, 0.8, 1.1, 1.35))(row)
        round_off = np.float32(26 * (plane.z_mm / 80) ** 2)
        fascia = edge - round_off - plane.x + 0.7 * plane.warp[0]
        depth = fascia + fat
        midline = np.float32(-87 * k)
        below = np.clip(self._crotch - plane.v, 0, None)
        cleft = np.abs(plane.x - midline) + 1.2 * plane.warp[0] - 0.30 * below
        cleft = np.where(plane.v < self._crotch, cleft, 1e3)
        depth = np.minimum(depth, cleft)
        fascia = np.minimum(fascia, cleft - 0.35 * p.fat_mm)
        layer = np.sin(depth * np.float32(np.pi / 7) + plane.fields["patches"])
        near = 0.05 + 0.25 * np.clip(1.5 - depth / 20, 0, 1)
        fibres = 0.05 + 0.04 * plane.fields["grain"] + near * ridge(layer, 0.16)
        canvas.paint(depth > 0, Tissue.SKIN)
        canvas.paint(depth > _SKIN_MM, Tissue.FAT, admixture=np.clip(fibres, 0, 1))
        line = (fascia > 0) & (fascia < _FASCIA_MM) & (depth > 3)
        canvas.paint(line, Tissue.FIBROUS)
        inside: FloatArray = np.minimum(fascia, depth - 3)
        return inside

    def _draw_pelvic_organs(self, canvas: Canvas, plane: HipPlane) -> None:
        """Draw bowel in its fat, and the bladder; urine stands as fluid of joints."""
        k = np.float32(self.subject.size)
        x, v = plane.x / k, plane.v / k
        patches, loops = plane.fields["patches"], plane.fields["loops"]
        wall = np.float32(-46) + 0.30 * np.clip(v - 30, 0, None)
        floor = -18 + 0.45 * (wall - x) + 4 * patches + 0.2 * abs(plane.z_mm)
        inside = (x < wall + 2 * patches) & (v > floor)
        fat = 0.1 + 0.07 * plane.fields["grain"] + 0.9 * ridge(loops + 0.35 * patches, 0.42)
        fat += np.clip(1 - (wall - x) / 10, 0, 1) * 0.8
        canvas.paint(inside, Tissue.BOWEL, admixture=np.clip(fat, 0, 1))
        canvas.paint(inside & (loops > 1.6) & (x < wall - 10), Tissue.AIR)
        wide, tall, deep = (float(x) for x in self._bladder)
        front = np.full((1, 1), plane.z_mm, np.float32) / k
        points = x + 0.8 * plane.warp[0], v + 0.8 * plane.warp[1], front
        bladder = ellipsoid_distance(points, (-88, 10, 16), (34 * wide, 22 * tall, 26 * deep))
        canvas.paint(bladder < 0, Tissue.MUSCLE)
        canvas.paint(bladder < -3, Tissue.SYNOVIAL)

    def _draw_muscles(self, canvas: Canvas, plane: HipPlane, fascia: FloatArray) -> None:
        """Draw muscles, the fat between them, and the great vessels and nerve."""
        worn, size = np.float32(self.subject.muscle_fat), self.subject.size
        patches, grain = plane.fields["patches"], plane.fields["grain"]
        nearest, first, second = self._lobes(plane)
        septum = np.float32(0.5 + 0.9 * worn) * np.clip(1 + 0.7 * patches, 0.15, 3)
        reach = np.float32(_GAP_MM) - 2.5 * worn
        flesh = (second - first > 2 * septum) & (first < reach) & (fascia > _FASCIA_MM + 0.4)
        near = (first < reach + 3) & (fascia > _FASCIA_MM) & ~flesh
        canvas.paint(near, Tissue.FAT, admixture=np.clip(0.2 + 0.08 * grain, 0, 1))
        steep = self._steep[nearest] == 1
        fat = muscle_fat(
            0.02 + 0.05 * worn + 0.022 * grain,
            np.where(steep, plane.fields["steep_streaks"], plane.fields["flat_streaks"]),
            patches,
            start=float(0.9 - 1.6 * worn),
            gain=1.3,
            peak=0.65,
            width=0.24,
        )
        canvas.paint(flesh, Tissue.MUSCLE, admixture=np.clip(fat, 0, 0.85))
        bend = 3 * np.sin(plane.v[:1] / 38 + 0.1 * self._crotch).astype(np.float32)
        course = plane.x + 2.2 * plane.warp[0] + bend, plane.v
        for tube in hip.VESSELS:
            distance = tube.distance(course, plane.s, (size, size)) + 0.5 * patches
            canvas.paint(distance < 1.8, Tissue.FAT, admixture=0.1)
            canvas.paint(distance < 0, tube.tissue)

    def _lobes(self, plane: HipPlane) -> tuple[NDArray[np.uint8], FloatArray, FloatArray]:
        """Find the nearest muscle, its distance and the next one's, from every other point."""
        p = self.subject
        shape = plane.x.shape
        step = 2 if shape[0] % 2 == shape[1] % 2 == 0 and shape[0] > 300 else 1
        moved = plane.x + 1.6 * plane.warp[0], plane.v + 1.6 * plane.warp[1]
        x, v = (np.ascontiguousarray(at[::step, ::step]) for at in moved)
        reach = _MATTERS_MM + 1.6 * np.abs(plane.warp).max()
        sides = plane.x[::step, 0], plane.v[0, ::step]

        def distances() -> Iterator[tuple[Index, FloatArray]]:
            for i, tube in enumerate(hip.MUSCLES):
                moves = {"shift": p.shift[i], "bulk": float(p.bulk[i])}
                centres, radius = tube.at(plane.s, (p.size,) * 2, **moves)
                index = window(sides, centres, reach + max(radius, 0))
                yield index, distance_to_tube(x[index], v[index], centres, radius)

        nearest, _, first, second, _ = ranked(distances(), x.shape)
        if step == 1:
            return nearest, first, second
        return np.repeat(np.repeat(nearest, 2, 0), 2, 1), _doubled(first), _doubled(second)

    def _draw_bones(self, canvas: Canvas, plane: HipPlane) -> None:
        p = self.subject
        z = np.full((1, 1), plane.z_mm, np.float32)
        joint = hip.joint_at(p, (plane.x, plane.v, z))
        rough = np.clip((joint.radius_mm - np.float32(p.head_mm + 8)) / 12, 0, 1)
        points: Points = (plane.x + rough * plane.warp[0], plane.v + rough * plane.warp[1], z)
        head = hip.head_and_neck_distance(p, points, joint)
        femur = hip.femur_distance(p, points, head)
        pelvis = hip.pelvis_distance(p, points, joint)
        self._draw_capsule(canvas, points, joint, head)
        patches, grain = plane.fields["patches"], plane.fields["grain"]
        fat = np.float32(p.marrow_fat) * (1 + 0.35 * patches) + np.float32(0.10) * grain
        fat = fat.clip(0, 1)
        canvas.paint(pelvis < 1.0, Tissue.FIBROUS)
        canvas.paint(pelvis < 0, Tissue.CORTEX, label=hip.PELVIS_LABEL)
        inner = pelvis < -_PELVIS_CORTEX_MM
        canvas.paint(inner, Tissue.CANCELLOUS, label=hip.PELVIS_LABEL, admixture=fat)
        self._draw_joint(canvas, points, joint)
        canvas.paint(femur < 0, Tissue.CORTEX, label=hip.FEMUR_LABEL)
        marrow = self._femur_fat(fat, points, joint)
        inner = femur < -hip.femur_wall_mm(p, points)
        canvas.paint(inner, Tissue.CANCELLOUS, label=hip.FEMUR_LABEL, admixture=marrow)

    def _draw_capsule(self, canvas: Canvas, points: Points, joint: Joint, head: FloatArray) -> None:
        """Draw the capsule around the neck and the fluid below it."""
        p = self.subject
        along = hip.along_axis(points, p.neck_axis)
        here = (along > -20) & (along < 0.78 * p.neck_mm) & (joint.rim_mm < 0)
        thick = 2.0 + 1.5 * np.clip(points[1] / 20, -0.5, 1)
        canvas.paint(here & (head < 2.4 + thick), Tissue.LIGAMENT)
        canvas.paint(here & (head < 2.2), Tissue.FAT, admixture=0.45)
        canvas.paint(here & (head < 1.0), Tissue.SYNOVIAL)

    def _draw_joint(self, canvas: Canvas, points: Points, joint: Joint) -> None:
        """Draw fluid, both cartilages, the labrum, and fat and ligament of the fossa."""
        p = self.subject
        r, surface = joint.radius_mm, np.float32(p.head_mm)
        inside = joint.rim_mm > 0
        canvas.paint(inside & (r < joint.socket_mm), Tissue.FAT, admixture=0.15)
        low = np.abs(points[2] + 4) < 3.5
        band = inside & (r < surface + 2.2) & low & (joint.fossa > 0.5)
        canvas.paint(band, Tissue.LIGAMENT)
        canvas.paint(inside & (r < surface + 0.35), Tissue.SYNOVIAL)
        height = np.float32(5.0) * (1 + joint.rim_mm / np.float32(6.5))
        labrum = (joint.rim_mm < 0.8) & (r > surface) & (r < surface + height)
        canvas.paint(labrum & (points[1] > -0.4 * p.head_mm), Tissue.LIGAMENT)
        base = surface + np.float32(hip.JOINT_GAP_MM)
        acetabular = inside & (r > base) & (r < base + joint.acetabular_mm)
        canvas.paint(acetabular, Tissue.CARTILAGE, label=hip.ACETABULAR_CARTILAGE_LABEL)
        femoral = (r < joint.head_mm + joint.femoral_mm) & (r > joint.head_mm)
        canvas.paint(femoral, Tissue.CARTILAGE, label=hip.FEMORAL_CARTILAGE_LABEL)

    def _femur_fat(self, fat: FloatArray, points: Points, joint: Joint) -> FloatArray:
        """Share of fatty marrow: nearly all in head and trochanter, less in the neck."""
        p = self.subject
        x, v, _ = hip.neck_base(p)
        in_head = np.clip((p.head_mm + 1.5 - joint.radius_mm) / 3, 0, 1)
        from_tip = np.hypot(points[0] - (x + 10 * p.size), points[1] - (v + 12 * p.size))
        in_tip = np.clip((20 * p.size - from_tip) / 5, 0, 1)
        share = 0.88 * np.maximum(in_head, in_tip)
        mixed = np.clip(share + (1 - share) * fat + 0.2 * (fat - p.marrow_fat), 0, 1)
        along = hip.along_axis(points, p.neck_axis)
        scar = along - 0.34 * p.head_mm + 0.0016 * (joint.radius_mm**2 - along**2) * 4
        mixed = mixed - 0.7 * np.exp(-((scar / 0.7) ** 2)) * in_head
        clipped: FloatArray = np.clip(mixed, 0, 1).astype(np.float32)
        return clipped


def _doubled(coarse: FloatArray) -> FloatArray:
    """Fill in the points between every other point of both axes."""
    fine = coarse
    for axis in (0, 1):
        after = np.concatenate([np.delete(fine, 0, axis), fine.take([-1], axis)], axis)
        pairs = np.stack([fine, (fine + after) / 2], axis + 1)
        fine = pairs.reshape([2 * n if i == axis else n for i, n in enumerate(fine.shape)])
    return fine
