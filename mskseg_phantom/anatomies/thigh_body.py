"""A thigh at every point: skin, fat ring and fascia around muscles, femur, vessels and nerve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.anatomies import thigh
from mskseg_phantom.drawing.canvas import Body, Canvas
from mskseg_phantom.drawing.fields import PlaneGrid, muscle_fat, on_plane, random_fields, ridge
from mskseg_phantom.drawing.solids import Ranking, distance_to_tube, ranked
from mskseg_phantom.tissue import FloatArray, Tissue

EXTENT_MM = (256.0, 256.0, 144.0)
SHAPE = (256, 256, 24)
"""Voxels of the default rendering: 1 x 1 x 6 mm."""

_LEG_OFFSET_MM = 95.0  # the middle of a thigh lies this far from the body's midline
_SKIN_MM = 1.6
_FASCIA_MM, _FASCIA_WAVE_MM = 0.5, 0.9
_SLOW_WARP_MM, _QUICK_WARP_MM = 2.4, 0.45
_FIBRE_LAYER_MM = 6.5  # distance between the fibrous layers of the subcutaneous fat: assumed
_ROUNDING_MM = 1.1  # how round the corners are where more than two structures meet
_VASTI = (2, 3, 4)  # partly fused: their septa are thinner than those between other muscles


@dataclass(frozen=True, eq=False)
class _Section:
    """The points inside the fascia at one height, in the thigh's own frame."""

    u: FloatArray
    v: FloatArray
    straight: tuple[FloatArray, FloatArray]  # u, v before warping: bone does not wobble
    fascia_mm: FloatArray
    s: float
    axes_mm: tuple[float, float]


class ThighBody(Body):
    """One subject's thigh at every point; `rng` draws texture and irregularity."""

    extent_mm, axes = EXTENT_MM, (0, 1, 2)  # u to the right, v to the front, z to the head

    def __init__(self, subject: thigh.ThighSubject, rng: np.random.Generator) -> None:
        self.subject = subject
        across = _LEG_OFFSET_MM if subject.side == "right" else -_LEG_OFFSET_MM
        self.centre_mm = (across, 0.0, 0.0)  # x = 0 is the body's midline
        looks: dict[str, tuple[float, ...]] = {
            "slow_u": (22.0, 40.0),
            "slow_v": (22.0, 40.0),
            "quick_u": (7.0, 16.0),
            "quick_v": (7.0, 16.0),
            "wave": (16.0, 40.0),
            "septum": (11.0, 18.0),
        }
        self._fields = random_fields(rng, EXTENT_MM, looks)
        first, second = rng.uniform(0, np.pi, 2)
        looks = {
            "first_streaks": (1.8, 14.0, 9.0, first),
            "second_streaks": (1.8, 14.0, 9.0, second),
            "patches": (7.0, 20.0),
            "grain": (2.2, 6.0),
        }
        self._fields |= random_fields(rng, EXTENT_MM, looks)
        self._direction = rng.integers(0, 2, len(thigh.LOBES))
        labels = {name: label for label, name in thigh.TISSUES.items()}
        self._lobe_label = np.array([labels.get(name, 0) for name in thigh.LOBES], dtype=np.uint8)
        fused = np.isin(self._lobe_label, _VASTI)
        both = fused[:, None] & fused[None, :]
        self._septum_factor = np.where(both, 0.45, 1.0).astype(np.float32)

    def plane(self, grid: PlaneGrid, z_mm: float) -> Canvas:
        """Draw what lies at the points of `grid` at height `z_mm` (0 is mid-thigh)."""
        s = z_mm / EXTENT_MM[2] + 0.5
        texture = on_plane(self._fields, grid, z_mm)
        u, v = self._own_frame(grid, z_mm)
        taper = self.subject.taper * (s - 0.5)
        lateral, front = self.subject.half_axes_mm
        axes = lateral * (1 + taper), front * (1 + 0.6 * taper)  # of the fascia at this height
        r = np.hypot(u, v) + np.float32(1e-3)
        towards = u / r, v / r
        depth = self._depth(r, towards, axes)
        fascia = depth - self._fat_thickness(towards, s) + _FASCIA_WAVE_MM * texture["wave"]
        canvas = Canvas.empty(grid.shape)
        canvas.paint(depth > 0, Tissue.SKIN)
        below = depth > _SKIN_MM
        fibres = _fibres(depth, texture)
        canvas.paint(below, Tissue.FAT, label=thigh.SUBCUTANEOUS_LABEL, admixture=fibres)
        canvas.paint(below & (fascia > 0), Tissue.FIBROUS)
        inside = below & (fascia > _FASCIA_MM)
        here = {name: values[inside] for name, values in texture.items()}
        u, v = u[inside], v[inside]
        warped_u = u + _SLOW_WARP_MM * here["slow_u"] + _QUICK_WARP_MM * here["quick_u"]
        warped_v = v + _SLOW_WARP_MM * here["slow_v"] + _QUICK_WARP_MM * here["quick_v"]
        section = _Section(warped_u, warped_v, (u, v), fascia[inside], s, axes)
        self._fill(canvas, inside, section, here)
        return canvas

    def _own_frame(self, grid: PlaneGrid, z_mm: float) -> tuple[FloatArray, FloatArray]:
        """Points in the thigh's own frame: u lateral, v anterior, from the middle of the limb."""
        p = self.subject
        x, y = grid.points_mm
        u = x - np.float32(p.centre_mm[0] + p.tilt[0] * z_mm)
        v = y - np.float32(p.centre_mm[1] + p.tilt[1] * z_mm)
        if p.side == "left":
            u = -u
        cos, sin = np.float32(np.cos(p.pose_rad)), np.float32(np.sin(p.pose_rad))
        return cos * u + sin * v, cos * v - sin * u

    def _depth(
        self, r: FloatArray, towards: tuple[FloatArray, FloatArray], axes: tuple[float, float]
    ) -> FloatArray:
        """Depth below the surface of the skin in mm, negative outside."""
        a, b = (np.float32(axis + self.subject.fat_mm) for axis in axes)
        c, s = towards
        second, third = self.subject.outline
        wave = 1 + second[0] * (c * c - s * s) + second[1] * 2 * c * s
        wave += third[0] * c * (4 * c * c - 3) + third[1] * s * (3 - 4 * s * s)
        depth: FloatArray = wave / np.hypot(c / a, s / b) - r
        return depth

    def _fat_thickness(self, towards: tuple[FloatArray, FloatArray], s: float) -> FloatArray:
        """Thickness of the subcutaneous fat in mm towards each point, more behind and medially."""
        medial, behind = -towards[0], -towards[1]
        share = 1 + np.float32(0.22 + 0.25 * s) * behind + np.float32(0.15) * medial
        share -= np.float32(0.35 * s) * behind * medial
        return np.float32(self.subject.fat_mm) * share

    def _fill(
        self,
        canvas: Canvas,
        inside: NDArray[np.bool_],
        section: _Section,
        texture: dict[str, FloatArray],
    ) -> None:
        """Put muscles, vessels and femur into the compartment; what is left between them is fat."""
        cortex, marrow = self._femur(section)
        subject, place = self.subject, ((section.u, section.v), section.s, section.axes_mm)
        vessels = [(tube.distance(*place), tube.tissue) for tube in thigh.VESSELS]
        moved = zip(thigh.LOBES.values(), subject.shift, subject.bulk.tolist(), strict=True)
        lobes = ranked(
            ((..., tube.distance(*place, shift=s, bulk=b)) for tube, s, b in moved),
            section.u.shape,
        )
        obstacles = [section.fascia_mm - _FASCIA_MM, cortex + 0.3, *(d - 0.6 for d, _ in vessels)]
        flesh = self._is_flesh(lobes, obstacles, texture["septum"])
        tissue = np.where(flesh, np.uint8(Tissue.MUSCLE), np.uint8(Tissue.FAT))
        label = np.where(flesh, self._lobe_label[lobes.nearest], np.uint8(0))
        for distance, kind in vessels:
            tissue[distance < 0], label[distance < 0] = kind, 0
        tissue[cortex < 0], label[cortex < 0] = Tissue.CORTEX, thigh.CORTEX_LABEL
        tissue[marrow < 0], label[marrow < 0] = Tissue.MARROW, thigh.MARROW_LABEL
        fat = self._muscle_fat(texture, lobes.nearest)
        canvas.tissue[inside], canvas.label[inside] = tissue, label
        fibres = np.where(tissue == Tissue.FAT, np.float32(0.12), np.float32(0))
        canvas.admixture[inside] = np.where(flesh, fat, fibres)

    def _is_flesh(
        self, lobes: Ranking, obstacles: list[FloatArray], septum: FloatArray
    ) -> NDArray[np.bool_]:
        """Where muscle is: near its lobe, and not within half a septum of anything else."""
        # Exponentials of the distances add up, so corners between several neighbours are rounded.
        scale = np.float32(-1 / (2 * _ROUNDING_MM))
        crowd = np.exp((lobes.second_mm - lobes.first_mm) * scale)
        crowd += np.exp((lobes.third_mm - lobes.first_mm) * scale)
        for distance in obstacles:
            crowd += np.exp(distance * np.float32(-1 / _ROUNDING_MM))
        half_septum = self.subject.septum_mm * np.clip(1 + 0.75 * septum, 0, 3)
        half_septum *= self._septum_factor[lobes.nearest, lobes.next]
        free = crowd < np.exp(half_septum * np.float32(-1 / _ROUNDING_MM))
        named = self._lobe_label[lobes.nearest] > 0
        flesh: NDArray[np.bool_] = free & named & (lobes.first_mm < self.subject.gap_mm)
        return flesh

    def _femur(self, section: _Section) -> tuple[FloatArray, FloatArray]:
        """Signed distances to the outer surface of the cortex and to the marrow."""
        u, v = section.straight
        centres, radius = thigh.FEMUR.at(section.s, section.axes_mm)
        shaft = distance_to_tube(u, v, centres, radius)
        ridge = centres + radius * np.array((-0.1, -0.62), np.float32)  # the linea aspera, behind
        width, aspera = np.float32(1.5), distance_to_tube(u, v, ridge, 0.52 * radius)
        cortex = -width * np.logaddexp(-shaft / width, -aspera / width)
        wall = self.subject.cortex_mm * (1 - 1.2 * (section.s - 0.6) ** 2)
        return cortex, shaft + np.float32(wall)

    def _muscle_fat(self, texture: dict[str, FloatArray], nearest: NDArray[np.uint8]) -> FloatArray:
        """Fat fraction of muscle, (n,): diffuse by lobe, grainy, with streaks in patches."""
        subject, grain = self.subject, texture["grain"]
        first_way = self._direction[nearest] == 0
        fat = muscle_fat(
            subject.muscle_fat[nearest] * (1 + np.float32(0.35) * grain) + np.float32(0.02) * grain,
            np.where(first_way, texture["first_streaks"], texture["second_streaks"]),
            texture["patches"],
            start=1.0 - 1.3 * subject.streaks,
            gain=1.5,
            peak=subject.streak_peak,
            width=subject.streak_width,
        )
        return fat.clip(0, 0.85)


def _fibres(depth_mm: FloatArray, texture: dict[str, FloatArray]) -> FloatArray:
    """Share of fibres in subcutaneous fat, 0 to 1: thin layers along the skin, in patches."""
    undulation = texture["septum"] + np.float32(0.8) * texture["quick_u"]
    layer = np.sin(depth_mm * np.float32(np.pi / _FIBRE_LAYER_MM) + undulation)
    patches = np.clip(texture["patches"] - np.float32(0.1), 0, 1)
    share = np.float32(0.06) + np.float32(0.04) * texture["grain"]
    share += np.float32(0.6) * patches * ridge(layer, 0.16)
    return share.clip(0, 1)
