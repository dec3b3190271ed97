"""Bodies, discs and arches of the spine, drawn in windows of a sagittal plane."""

from dataclasses import dataclass
from math import cos, sin

import numpy as np

from mskseg_phantom.anatomies.spine import Disc, Vertebra
from mskseg_phantom.drawing.canvas import Canvas
from mskseg_phantom.drawing.solids import (
    Index,
    is_empty,
    segment_distance,
    smooth_max,
    smooth_min,
    window,
)
from mskseg_phantom.tissue import FloatArray, Tissue

_CORTEX_MM, _ARCH_CORTEX_MM = 0.95, 1.1
_VEIN_DEPTH_MM = 13.0  # of the basivertebral vein's cleft, from the back of the body


@dataclass(frozen=True, eq=False)
class BonePlane:
    """The points of one plane as bones see them."""

    sides: tuple[FloatArray, FloatArray]  # positions along both axes from the middle of L3
    u: FloatArray  # (n_u, n_v), a little displaced so that outlines are not quite smooth
    v: FloatArray
    r: FloatArray  # (1, n_v), to the patient's right of the spine's middle, which may bend
    fat: FloatArray  # (n_u, n_v), share of fatty marrow in cancellous bone

    def own_frame(
        self, index: Index, centre: tuple[float, float], inclination: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Points of a window in the frame (p, q, r) of a bone or disc."""
        du, dv = self.u[index] - np.float32(centre[0]), self.v[index] - np.float32(centre[1])
        c, s = np.float32(cos(inclination)), np.float32(sin(inclination))
        return du * c - dv * s, du * s + dv * c, self.r[:, index[1]]


def _outline(
    p: FloatArray, r: FloatArray, half_axes: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Position on the axial outline (1 is the rim; flat behind) and mm per unit of it."""
    a, b = (np.float32(axis) for axis in half_axes)
    x, y = np.abs(p) / a, np.abs(r) / b
    front = (x**2.6 + y**2.6) ** np.float32(1 / 2.6)
    behind = (x**3.4 + y**3.4) ** np.float32(1 / 3.4)
    rho: FloatArray = np.where(p > 0, front, behind).astype(np.float32)
    unit = np.hypot(p, r) / np.maximum(rho, np.float32(0.05))
    return rho, unit.astype(np.float32)


def body_distance(bone: Vertebra, p: FloatArray, q: FloatArray, r: FloatArray) -> FloatArray:
    """Signed distance to the surface of a body of bone, about exact near it."""
    rho, unit = _outline(p, r, (bone.half_depth_mm, bone.half_width_mm))
    t = np.clip(np.abs(q) / np.float32(bone.half_height_mm), 0, 1.1)
    lip = np.float32(bone.lip_mm) * t**5 * np.clip(p / np.float32(bone.half_depth_mm), 0, 1)
    ahead = (p / (np.float32(bone.half_depth_mm) * np.maximum(rho, np.float32(0.05)))) ** 2
    waist = np.float32(bone.waist) * (0.3 + 0.7 * np.clip(ahead, 0, 1))
    wall = (rho - 1 + waist * (1 - t * t)) * unit - lip
    height = np.float32(bone.half_height_mm) + np.float32(bone.wedge / 2) * p
    plate = np.abs(q) - height + np.float32(bone.dish_mm) * np.clip(1 - rho**3, 0, 1)
    return smooth_max(wall, plate, 2.6)


def draw_body(
    canvas: Canvas, plane: BonePlane, bone: Vertebra, *, worn: tuple[float, float]
) -> None:
    """Draw a body: shell, marrow, the vein's cleft, fat beside `worn` discs (above, below)."""
    reach = bone.half_depth_mm + bone.half_height_mm + 5
    index = window(plane.sides, [bone.centre_mm], reach)
    if is_empty(index):
        return
    p, q, r = plane.own_frame(index, bone.centre_mm, bone.inclination_rad)
    distance = body_distance(bone, p, q, r)
    canvas.paint(distance < 0, Tissue.CORTEX, label=bone.label, index=index)
    fat = plane.fat[index].copy()
    for side, share in zip((1, -1), worn, strict=True):
        beside = side * q - np.float32(bone.half_height_mm - 7.0 * share)
        fat += np.float32(0.9 * max(0.0, share - 0.35)) * np.clip(beside / 2, 0, 1)
    inner = distance < -_CORTEX_MM
    fat = np.clip(fat, 0, 1)
    canvas.paint(inner, Tissue.CANCELLOUS, label=bone.label, admixture=fat, index=index)
    if bone.name[0] != "S":
        from_back = p + np.float32(bone.half_depth_mm * (1 - bone.waist))
        cleft = np.float32(2.0) * (1 - from_back / np.float32(_VEIN_DEPTH_MM)) - np.abs(q)
        cleft -= np.abs(r) * np.float32(0.16)
        canvas.paint((cleft > 0) & (distance < 0), Tissue.VEIN, label=bone.label, index=index)


def draw_disc(canvas: Canvas, plane: BonePlane, disc: Disc) -> None:
    """Draw a disc; the bodies drawn after it cut it to its height."""
    # The nucleus fades into the annulus, and the annulus into fibres at its rim; a worn disc is
    # mixed with the next darker tissue throughout.
    upper, lower = disc.upper, disc.lower
    ends = upper.to_plane(0, -upper.half_height_mm), lower.to_plane(0, lower.half_height_mm)
    centre = (ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2
    a = (upper.half_depth_mm + lower.half_depth_mm) / 2
    b = (upper.half_width_mm + lower.half_width_mm) / 2
    index = window(plane.sides, [centre], a + 8)
    if is_empty(index):
        return
    tilt = (upper.inclination_rad + lower.inclination_rad) / 2
    p, q, r = plane.own_frame(index, centre, tilt)
    rho, unit = _outline(p, r, (a, 0.95 * b))
    half = np.float32(disc.height_mm / 2)
    behind = np.clip(-p / np.float32(a), 0, 1) * np.exp(-((r / np.float32(9)) ** 2))
    wall = (rho - 1) * unit + (q / half) ** 2 * np.float32(0.8)
    wall -= np.float32(disc.bulge_mm) * behind + np.float32(0.4 + disc.degeneration)
    slab = np.abs(q) - half - np.float32(max(upper.dish_mm, lower.dish_mm) + 1.5 + 0.12 * a)
    distance = np.maximum(wall, slab)
    canvas.paint(np.maximum(wall - 1.1, slab) < 0, Tissue.LIGAMENT, index=index)
    rim = np.clip(1 + wall / np.float32(5), 0, 1) * np.float32(0.75)
    fibres: FloatArray = np.clip(rim + np.float32(0.55 * disc.degeneration), 0, 0.9)
    inside, label = distance < 0, disc.label
    canvas.paint(inside, Tissue.DISC_ANNULUS, label=label, admixture=fibres, index=index)
    core = np.hypot((p + np.float32(0.10 * a)) / np.float32(0.66 * a), r / np.float32(0.70 * b))
    bright = np.clip((1 - core) * np.float32(3.2), 0, 1)
    cleft = np.float32(0.30) * np.exp(-((q / np.float32(1.1)) ** 2)) * (core < 0.75)
    bright = bright * np.float32(1.15 - 1.15 * disc.degeneration) - cleft
    inside, dark = inside & (bright > 0), 1 - np.clip(bright, 0, 1)
    canvas.paint(inside, Tissue.DISC_NUCLEUS, label=label, admixture=dark, index=index)


def draw_arch(canvas: Canvas, plane: BonePlane, bone: Vertebra, *, canal_mm: float) -> None:
    """Draw pedicles, joint processes, laminae, spinous and transverse processes, and flavum."""
    a, h = bone.half_depth_mm, bone.half_height_mm
    centre = bone.to_plane(-a - canal_mm - 8, -0.5 * h)
    index = window(plane.sides, [centre], (36.0 + canal_mm, 2.2 * h + 14))
    if is_empty(index):
        return
    p, q, r = plane.own_frame(index, bone.centre_mm, bone.inclination_rad)
    side = np.abs(r)
    back = -a - canal_mm
    if side.min() < 11:
        flavum = segment_distance(p, q, (back - 1, -0.6 * h), (back + 1.5, -2.1 * h))
        canvas.paint((flavum < 1.6) & (side < 11) & (side > 0.8), Tissue.LIGAMENT, index=index)
    lateral = max(0.46 * bone.half_width_mm + 2, 11.0)
    rods = (
        ((-a, 0.40 * h), (-a - 0.7 * canal_mm, 0.30 * h), 6.6, (lateral, 4.8)),
        ((back + 6, 0.4 * h), (back + 9, 1.25 * h), 4.6, (lateral + 3.5, 5.5)),
        ((back + 2, 0.2 * h), (back - 2.5, -1.45 * h), 4.6, (lateral + 1.5, 5.5)),
        ((back - 1, 0.1 * h), (back - 5, -0.85 * h), 4.0, (6.0, 8.0)),
    )
    distance = np.full(p.shape, 9, np.float32)
    if side.min() < lateral + 9.5:  # beyond, there are transverse processes only
        distance = _spinous(p, q, r, bone, back)
        for rod in rods:
            distance = smooth_min(distance, _part(p, q, side, *rod), 2.5)
    if bone.name not in {"L5", "S1", "S2", "S3"}:
        out = np.clip(side - np.float32(lateral), 0, None)
        beam = np.hypot(p + np.float32(a + 9) + 0.15 * out, q - np.float32(0.3 * h)) - 4.6
        distance = np.minimum(distance, np.where((out > 0) & (side < 40), beam, 9.0))
    canvas.paint(distance < 0, Tissue.CORTEX, index=index)
    fat = np.clip(plane.fat[index] + np.float32(0.35), 0, 1)
    canvas.paint(distance < -_ARCH_CORTEX_MM, Tissue.CANCELLOUS, admixture=fat, index=index)


def _part(
    p: FloatArray,
    q: FloatArray,
    side: FloatArray,
    start: tuple[float, float],
    end: tuple[float, float],
    radius_mm: float,
    lateral_mm: tuple[float, float],
) -> FloatArray:
    """Distance to a rod along a segment, elliptical around its lateral middle and half-width."""
    middle, half = lateral_mm
    inside = 1 - ((side - np.float32(middle)) / np.float32(half)) ** 2
    thick = np.where(inside > 0, np.sqrt(np.clip(inside, 0, 1)), np.float32(-1))
    distance = segment_distance(p, q, start, end) - np.float32(radius_mm) * thick
    return np.asarray(distance, np.float32)


def _spinous(
    p: FloatArray, q: FloatArray, r: FloatArray, bone: Vertebra, back: float
) -> FloatArray:
    """Distance to the spinous process: a thin plate, thicker at its end."""
    h = bone.half_height_mm
    length, drop = bone.spinous_end
    root, tip = (back - 5.0, -0.45 * h), (back - length, drop)
    plate = segment_distance(p, q, root, tip)
    along = np.clip((np.float32(root[0]) - p) / np.float32(length - 5), 0, 1)
    half = 3.0 + 1.8 * along * along
    round_off = np.sqrt(np.clip(1 - (r / half) ** 2, 0, 1))
    height = np.float32(0.50 * h) * (1 + np.float32(0.25) * along)
    thick = np.where(np.abs(r) < half, height * round_off, np.float32(-2))
    return np.asarray(plate - thick, np.float32)
