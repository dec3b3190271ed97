"""A lumbar spine at every point of a sagittal stack: skin and fat, belly, muscles, bones, sac."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.anatomies.spine import CANAL_LABEL, SpineCurves, SpineSubject
from mskseg_phantom.anatomies.spine_bones import BonePlane, draw_arch, draw_body, draw_disc
from mskseg_phantom.drawing.canvas import Body, Canvas
from mskseg_phantom.drawing.fields import PlaneGrid, muscle_fat, on_plane, random_fields, ridge
from mskseg_phantom.drawing.solids import curve_through
from mskseg_phantom.tissue import FloatArray, Tissue

EXTENT_MM = (280.0, 280.0, 72.0)
SHAPE = (256, 256, 18)
"""Voxels of the default rendering: 1.09 x 1.09 x 4 mm, slices from the patient's left to right."""

_WARP_MM = 0.55
_SKIN_MM = 1.8
_N_STRANDS = 22  # of the cauda equina; real ones are more and thinner


class _Plane(NamedTuple):
    """The points of one plane as soft tissue sees them."""

    u: FloatArray  # (n_u, n_v), from the middle of L3, a little displaced
    v: FloatArray  # (1, n_v), height
    r: FloatArray  # (1, n_v), to the patient's right of the spine's middle
    streaks: FloatArray  # random fields, (n_u, n_v): streaks along the muscles,
    patches: FloatArray  # and blobs from small to large
    grain: FloatArray
    loops: FloatArray


class SpineBody(Body):
    """One subject's lumbar spine at every point; `rng` draws texture and irregularity."""

    extent_mm, axes = EXTENT_MM, (1, 2, 0)  # u to the front, v to the head, z to the right

    def __init__(self, subject: SpineSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        looks: dict[str, tuple[float, ...]] = {
            "warp_u": (11.0, 14.0),
            "warp_v": (11.0, 14.0),
            "streaks": (2.0, 9.0, 10.0, np.pi / 2 - 0.08),
            "patches": (8.0, 12.0),
            "grain": (2.3, 5.0),
            "loops": (13.0, 18.0),
        }
        self._fields = random_fields(rng, EXTENT_MM, looks)
        self._curves = SpineCurves(subject)
        self._strands = rng.random((_N_STRANDS, 5))
        self._vessel_shift = rng.normal(0, 2.0, 2)
        self._belly_wave = rng.normal(0, 4.0, 5)
        self._middle = np.float32(rng.uniform(-8, 10)), np.float32(rng.uniform(4, 14))  # of L3

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid`, `z_mm` to the patient's right of the middle."""
        p, fields = self.subject, on_plane(self._fields, grid, z_mm)
        own = PlaneGrid(grid.u_mm - self._middle[0], grid.v_mm - self._middle[1])
        u, v = own.points_mm
        height = own.v_mm / np.float32(EXTENT_MM[1] / 2)
        middle = p.lean_mm * height + p.curve_mm * np.cos(2.2 * height)
        r = (np.float32(z_mm) - middle).astype(np.float32)[None, :]
        shift_u, shift_v = (np.float32(_WARP_MM) * fields[name] for name in ("warp_u", "warp_v"))
        textures = (fields[name] for name in ("streaks", "patches", "grain", "loops"))
        soft = _Plane(u + 2 * shift_u, own.v_mm[None, :], r, *textures)
        fat = np.float32(p.marrow_fat) * (1 + 0.3 * soft.patches) + np.float32(0.09) * soft.grain
        bones = BonePlane((own.u_mm, own.v_mm), u + shift_u, v + shift_v, r, fat.clip(0, 1))
        canvas = Canvas.empty(grid.shape)
        self._draw_outside(canvas, soft)
        self._draw_belly(canvas, soft)
        self._draw_vessels(canvas, soft)
        self._draw_muscles(canvas, soft)
        self._draw_ligaments(canvas, soft)
        sac = self._draw_canal(canvas, soft)  # which the arches do not cover
        for bone in p.vertebrae:
            draw_arch(canvas, bones, bone, canal_mm=self._curves.canal_mm(bone.name))
        self._draw_sac(canvas, soft, *sac)
        for disc in p.discs:
            draw_disc(canvas, bones, disc)
        worn = [0.0, *(disc.degeneration for disc in p.discs), 0.0]
        for i, bone in enumerate(p.vertebrae):
            draw_body(canvas, bones, bone, worn=(worn[i], worn[i + 1]))
        return canvas

    def _draw_outside(self, canvas: Canvas, plane: _Plane) -> None:
        """Draw skin, the fat below it, and the fat that fills all gaps."""
        u, v, r = plane.u, plane.v, plane.r
        thick = self.subject.back_fat_mm * (0.72 + 0.45 * np.clip(-v / 70, -0.6, 1))
        behind = np.asarray(self._fascia(v, np.abs(r) * 0.5) - thick - 2, np.float32)
        depth = np.minimum(u - behind, self._skin_in_front(v, r) - u)
        layer = np.sin(depth * np.float32(np.pi / 8) + plane.patches)
        near = 0.06 + 0.25 * np.clip(1.5 - depth / 24, 0, 1)
        fibres = 0.05 + 0.04 * plane.grain + near * ridge(layer, 0.15)
        canvas.paint(depth > 0, Tissue.SKIN)
        canvas.paint(depth > _SKIN_MM, Tissue.FAT, admixture=np.clip(fibres, 0, 1))

    def _draw_belly(self, canvas: Canvas, plane: _Plane) -> None:
        """Draw the wall of the belly and loops of bowel in their fat."""
        u, v, r = plane.u, plane.v, plane.r
        wall = self._skin_in_front(v, r) - u
        wall -= np.float32(4 + 0.9 * self.subject.back_fat_mm)
        gap = 24 + 4 * np.sin(v / 31 + 1) + 0.1 * np.abs(r) + 0.06 * np.abs(v)
        behind = u - self._curves.front(v) - np.asarray(gap, np.float32)
        inside = (wall > 11) & (behind > 0)
        fat = 0.10 + 0.07 * plane.grain + 0.8 * ridge(plane.loops + 0.35 * plane.patches, 0.30)
        fat += np.clip(1.0 - behind / 10, 0, 1) * 0.5
        canvas.paint(inside, Tissue.BOWEL, admixture=np.clip(fat, 0, 1))
        gas = inside & (plane.loops > 1.55 + 0.1 * plane.grain) & (behind > 14)
        canvas.paint(gas, Tissue.AIR)
        recti = (wall > 0) & (wall < 8) & (np.abs(r) > 3 + plane.patches)
        canvas.paint(recti, Tissue.MUSCLE, admixture=self._muscle_fat(plane, 0.0))

    def _draw_vessels(self, canvas: Canvas, plane: _Plane) -> None:
        """Draw aorta and vena cava; below L4 they part into the common iliac vessels."""
        u, v, r = plane.u, plane.v, plane.r
        fork = np.float32(self.subject.vertebra("L4").centre_mm[1] - 4)
        below = np.clip(fork - v, 0, None)
        before = u - self._curves.front(v)
        aorta, cava = self._vessel_shift
        for side, tissue, middle, wide, narrow in (
            (-1.0, Tissue.ARTERY, 9.0 + aorta, 8.8, 5.4),
            (1.0, Tissue.VEIN, 15.0 + cava, 9.6, 6.2),
        ):
            thin = np.exp(-below / 10)
            radius = narrow + (wide - narrow) * thin
            apart = np.float32(middle) + 0.7 * below * below / (below + 12)
            for sign in (side, -side):
                across = r - sign * apart if sign == side else r - sign * apart * (below > 0)
                if sign != side:
                    radius = np.where(below > 4, narrow, np.float32(-5))
                near = np.flatnonzero(np.abs(across[0]) < radius[0] + 1)
                if near.size == 0:
                    continue
                part = (slice(None), slice(int(near[0]), int(near[-1]) + 1))
                ahead = before[part] - radius[part] - 2.2
                ahead = ahead + (0.22 * below[part] if tissue == Tissue.VEIN else 0.0)
                distance = np.hypot(ahead, across[part]) - radius[part]
                canvas.paint(distance < 0.9, Tissue.FIBROUS, index=part)
                canvas.paint(distance < -0.2, tissue, index=part)

    def _draw_muscles(self, canvas: Canvas, plane: _Plane) -> None:
        """Draw the muscles behind the arches, and psoas beside the bodies."""
        u, v = plane.u, plane.v
        side = np.abs(plane.r)
        tips, back = self._curves.tips(v), self._curves.back(v)
        low = np.clip(-v / 90, 0, 1)  # 0 at L3, 1 at the sacrum
        front = back - self.subject.canal_mm - 4 + 0.8 * np.clip(side - 14, 0, 20)
        fascia = self._fascia(v, side)
        septum = u - (tips + 0.42 * (front - tips)) + 0.8 * (side - 18) + 2.5 * plane.patches
        worn = self.subject.muscle_fat
        fat = self._muscle_fat(plane, 0.35 * low * worn)
        fat = np.maximum(fat, 0.85 * ridge(septum, 0.7 + 1.5 * worn) * (side > 9))
        flesh = (u > fascia + 1.2) & (u < front) & (side > 4.2 + 1.5 * plane.patches * worn)
        canvas.paint((u > fascia - 0.3) & (u < front), Tissue.FIBROUS)
        canvas.paint((u > fascia + 1.2) & (u < front), Tissue.FAT, admixture=0.3)
        canvas.paint(flesh, Tissue.MUSCLE, admixture=fat)
        self._draw_psoas(canvas, plane)

    def _draw_psoas(self, canvas: Canvas, plane: _Plane) -> None:
        size = self.subject.size
        v, side = plane.v / np.float32(size), np.abs(plane.r) / np.float32(size)
        marks = (-120.0, -80.0, -40.0, 0.0, 40.0, 75.0, 95.0)
        ahead = curve_through(marks, (16, 4, -10, -17, -20, -21, -22))(v)
        deep = curve_through(marks, (15, 17, 17, 15, 11, 7, 3))(v)
        apart = curve_through(marks, (46, 42, 39, 36, 32, 27, 25))(v)
        wide = curve_through(marks, (15, 16, 16, 14, 10, 6.5, 3))(v)
        own = (plane.u - self._curves.front(plane.v)) / np.float32(size) - ahead
        rho = np.hypot(own / deep, (side - apart) / wide)
        flesh = rho < 1 + 0.04 * plane.patches
        canvas.paint(flesh, Tissue.MUSCLE, admixture=self._muscle_fat(plane, 0.0))

    def _draw_ligaments(self, canvas: Canvas, plane: _Plane) -> None:
        """Draw what runs along the bodies and from spinous process to spinous process."""
        u, v, side = plane.u, plane.v, np.abs(plane.r)
        before = u - self._curves.front(v)
        canvas.paint((np.abs(before - 0.7) < 1.0) & (side < 15), Tissue.LIGAMENT)
        tips = self._curves.tips(v)
        low = self.subject.vertebra("L5").centre_mm[1]
        between = (u > tips) & (u < self._curves.back(v) - self.subject.canal_mm - 7)
        share = 0.4 + 0.2 * plane.streaks + 0.12 * plane.grain
        canvas.paint(between & (side < 3.2), Tissue.FAT, admixture=np.clip(share, 0, 1))
        band = (np.abs(u - tips + 0.6) < 1.3) & (side < 4) & (v > low)
        canvas.paint(band, Tissue.LIGAMENT)

    def _draw_canal(
        self, canvas: Canvas, plane: _Plane
    ) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
        """Draw the fat of the canal; return where its dural sac lies, as `_draw_sac` takes it."""
        person, v = self.subject, plane.v
        sacral = person.vertebra("S1").centre_mm[1]
        marks = (sacral - 32, sacral - 16, sacral + 12, 0.4 * sacral, 0.0, 130.0)
        deep = curve_through(marks, np.array((0.12, 0.34, 0.44, 0.49, 0.5, 0.46)) * person.canal_mm)
        gap = curve_through(marks, (9.0, 6.0, 3.2, 1.3, 0.9, 1.0))(v)
        back, step = self._curves.back, np.float32(0.5)
        slope = (back(v + step) - back(v - step)) / (2 * step)
        half_depth = deep(v)
        half_width = half_depth * 1.28 + 0.6
        behind = (back(v) - plane.u) / np.sqrt(1 + slope * slope) - gap - half_depth
        last = person.vertebra("S2")
        tilt = np.float32(np.tan(last.inclination_rad))
        ends = v - last.centre_mm[1] + tilt * (plane.u - last.centre_mm[0]) > -4
        bony = (behind < half_depth + 5) & (behind > -half_depth - gap)
        bony &= np.abs(plane.r) < half_width + 3.5
        canvas.paint(bony & ends, Tissue.FAT, admixture=0.05)
        return behind, half_depth, half_width, ends

    def _draw_sac(
        self,
        canvas: Canvas,
        plane: _Plane,
        behind: FloatArray,  # (n_u, n_v), mm behind the sac's middle, across its course
        half_depth: FloatArray,  # (1, n_v), in mm, at each height
        half_width: FloatArray,
        open_here: NDArray[np.bool_],  # (n_u, n_v), whether the sac reaches this far down
    ) -> None:
        """Draw the dural sac with cord, cauda equina and fluid."""
        x, y = behind / half_depth, plane.r / half_width
        rho = np.hypot(x, y)
        inside = (rho < 1) & open_here
        canvas.paint((rho < 1 + 0.9 / half_depth) & open_here, Tissue.LIGAMENT)
        canvas.paint(inside, Tissue.CSF, label=CANAL_LABEL)
        self._draw_strands(canvas, inside, (x, y, plane.v))
        from_tip = plane.v - np.float32(self.subject.conus_v_mm)
        thick = 4.0 * np.clip(from_tip / 22, 0, 1) ** 0.6
        cord = np.hypot(behind - 0.12 * half_depth, plane.r * 0.75) < thick
        canvas.paint(cord & inside, Tissue.CORD, label=CANAL_LABEL)

    def _draw_strands(
        self,
        canvas: Canvas,
        sac: NDArray[np.bool_],
        points: tuple[FloatArray, FloatArray, FloatArray],
    ) -> None:
        """Draw nerve roots: around the cord at first, sinking to the back further down."""
        columns = np.nonzero(sac)[1]
        x, y, v = points[0][sac], points[1][0, columns], points[2][0]
        down = np.clip((np.float32(self.subject.conus_v_mm) + 25 - v) / 90, 0, 1)
        hit = np.zeros(x.shape, bool)
        for depth, across, wave, phase, leave in self._strands.astype(np.float32):
            at_x = -0.25 + 0.5 * depth + down * (0.62 - 0.42 * depth)
            at_x = at_x + 0.09 * np.sin(v / (9 + 14 * wave) + 6.3 * phase)
            at_y = (1.5 * across - 0.75) + 0.10 * np.sin(v / (13 + 9 * phase) + 6.3 * wave)
            gone = v < self.subject.conus_v_mm - 20 - 130 * leave
            late = np.where(gone | (v > self.subject.conus_v_mm + 20), np.float32(9), at_x)
            hit |= ((x - late[columns]) / 0.085) ** 2 + ((y - at_y[columns]) / 0.22) ** 2 < 1
        where = np.zeros(sac.shape, bool)
        where[sac] = hit
        canvas.paint(where, Tissue.NERVE, label=CANAL_LABEL)

    def _muscle_fat(self, plane: _Plane, more: FloatArray | NDArray[Any] | float) -> FloatArray:
        """Fat fraction of muscle: diffuse, grainy, with streaks along the muscle in patches."""
        share = np.float32(self.subject.muscle_fat)
        fat = muscle_fat(
            0.02 + 0.06 * share + 0.025 * plane.grain + more,
            plane.streaks,
            plane.patches,
            start=float(0.9 - 1.9 * share),
            gain=1.2,
            peak=0.65,
            width=0.30,
        )
        return np.asarray(fat.clip(0, 0.9), np.float32)

    def _fascia(self, v: FloatArray, side: NDArray[Any]) -> FloatArray:
        bulge = np.clip(1 - ((side - 26) / 26) ** 2, -0.4, 1)
        fascia = self._curves.tips(v) + 1.5 - 5 * bulge * np.clip((v + 110) / 90, 0, 1)
        return np.asarray(fascia, np.float32)

    def _skin_in_front(self, v: FloatArray, r: FloatArray) -> FloatArray:
        marks = (-140.0, -70.0, 0.0, 70.0, 140.0)
        skin = curve_through(marks, self.subject.belly_mm + 17 + self._belly_wave)(v)
        front = skin - (r / 60) ** 2 * 6 - 0.12 * np.abs(v)
        return np.asarray(front, np.float32)
