"""The lumbar spine: where its vertebrae and discs lie, and how subjects differ.

A spine is a chain of vertebral bodies in the sagittal plane, from T10 down to S3, with its origin
in the middle of L3. Coordinates of a body of bone: p to the front, q to the head, r to the
patient's right, from its middle; those of the stack: u to the front, v to the head, z to the right.

Labelled are the *bodies* of L1 to L5, as in data sets of vertebral bodies, not their arches and
processes; the five discs between L1 and S1; and the dural sac, which stands for the spinal canal.
T10 to T12, their discs, and the sacrum are drawn without a label.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from mskseg_phantom.drawing.solids import Curve, curve_through
from mskseg_phantom.tissue import FloatArray

_BODIES = ("L1", "L2", "L3", "L4", "L5")
_DISCS = ("disc L1/2", "disc L2/3", "disc L3/4", "disc L4/5", "disc L5/S1")
TISSUES: dict[int, str] = dict(enumerate((*_BODIES, *_DISCS, "spinal canal"), start=1))
CANAL_LABEL = 11

LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2", "S3")
_L3 = LEVELS.index("L3")
_N_DISCS = len(LEVELS) - 1  # disc i lies below vertebra i; those below S1 are remnants
_LABEL = {name: label for label, name in TISSUES.items()}
_DISC_LABEL = {body: _LABEL[disc] for body, disc in zip(_BODIES, _DISCS, strict=True)}

# Of an average adult, in mm: half height, half depth and half width of each body, and the height
# of the disc below it. Rounded after tables of lumbar morphometry: assumed.
_HALF_HEIGHT = (11.5, 12.0, 12.8, 13.3, 13.6, 13.7, 13.6, 13.4, 14.0, 11.5, 10.0)
_HALF_DEPTH = (14.0, 14.5, 15.0, 15.8, 16.4, 16.9, 17.2, 17.3, 16.4, 11.5, 9.0)
_HALF_WIDTH = (15.0, 16.5, 18.5, 20.5, 21.5, 22.5, 23.8, 25.5, 27.0, 24.0, 20.0)
_DISC_HEIGHT = (5.0, 5.8, 7.0, 8.2, 9.4, 10.4, 11.4, 10.6, 2.4, 1.8)
# Inclination of each body in degrees (positive: its upper face looks forward) for an average
# lordosis, and how much taller each is in front (mm per mm of depth).
_INCLINATION = (4.0, -3.0, -8.0, -10.5, -8.0, -2.0, 7.5, 19.0, 35.0, 45.0, 54.0)
_WEDGE = (-0.04, -0.04, -0.03, -0.01, 0.0, 0.01, 0.03, 0.09, 0.06, 0.02, 0.0)


@dataclass(frozen=True)
class Vertebra:
    """One body of bone."""

    name: str  # T10 to S3
    label: int  # of the reference; 0 for what has none
    centre_mm: tuple[float, float]  # its middle, (u, v)
    inclination_rad: float  # from v towards u
    half_height_mm: float  # at the rim
    half_depth_mm: float  # in the midsagittal plane
    half_width_mm: float
    wedge: float  # how much taller in front, in mm per mm of depth
    waist: float  # how much narrower in the middle than at the rim, relative
    dish_mm: float  # how deep the end plates are hollowed
    lip_mm: float  # how far the rims stand out in front: osteophytes

    def to_plane(self, p_mm: float, q_mm: float) -> tuple[float, float]:
        """Position (u, v) of a point given in the body's own frame."""
        c, s = cos(self.inclination_rad), sin(self.inclination_rad)
        return self.centre_mm[0] + c * p_mm + s * q_mm, self.centre_mm[1] - s * p_mm + c * q_mm

    @property
    def spinous_end(self) -> tuple[float, float]:
        """How far behind the canal the spinous process ends, and at which q."""
        if self.name[0] == "S":
            return 14.0, -0.3 * self.half_height_mm
        steep = 1.0 if self.name[0] == "L" else 1.55
        long = 0.78 if self.name == "L5" else 1.0
        return long * 2.05 * self.half_height_mm, -0.80 * steep * self.half_height_mm


@dataclass(frozen=True)
class Disc:
    """What lies between two bodies."""

    label: int  # of the reference; 0 for what has none
    upper: Vertebra
    lower: Vertebra
    height_mm: float  # in its middle, without what the hollow end plates add
    degeneration: float  # 0 bright and tall to 1 dark and flat
    bulge_mm: float  # how far it stands out into the canal


@dataclass(frozen=True, eq=False)
class SpineSubject:
    """What makes one spine differ from the next."""

    vertebrae: tuple[Vertebra, ...]  # from T10 to S3
    discs: tuple[Disc, ...]  # from the one below T10 to the one below S2
    size: float  # of the bones, relative to an average adult
    lean_mm: float  # tilt to the side, over the height of the stack
    curve_mm: float  # half-width of a lateral bend
    canal_mm: float  # depth of the dural sac at L3
    conus_v_mm: float  # where the cord ends
    back_fat_mm: float  # thickness of the fat behind the spinous processes
    belly_mm: float  # from L3's front to the skin in front
    muscle_fat: float  # fatty streaks: 0 none, 1 many
    marrow_fat: float

    def vertebra(self, name: str) -> Vertebra:
        """Return the body of that name."""
        return self.vertebrae[LEVELS.index(name)]


def sample_subject(rng: np.random.Generator) -> SpineSubject:
    """Draw an adult spine, healthy to worn; the ranges are assumed, so that L1 to S1 fit."""
    size, age = float(rng.uniform(0.88, 1.07)), float(rng.uniform(0, 1))
    # Of each disc: more with age and further down, some spared.
    where = np.array([0.3, 0.3, 0.35, 0.5, 0.6, 0.7, 1.0, 1.0, 0.8, 0.8])
    worn = np.clip(where * rng.beta(1.2, 1.8, _N_DISCS) * (0.35 + 1.5 * age), 0.02, 1)
    degeneration = worn.astype(np.float32)
    vertebrae = _draw_vertebrae(rng, size, age, degeneration)
    discs = tuple(
        Disc(
            label=_DISC_LABEL.get(LEVELS[i], 0),
            upper=vertebrae[i],
            lower=vertebrae[i + 1],
            height_mm=_disc_height(i, size, float(degeneration[i])),
            degeneration=float(degeneration[i]),
            bulge_mm=float(0.4 + rng.gamma(1.5, 1.1) * degeneration[i]),
        )
        for i in range(_N_DISCS)
    )
    conus = vertebrae[LEVELS.index("L1")].centre_mm[1] + rng.normal(-8, 9)
    return SpineSubject(
        vertebrae=vertebrae,
        discs=discs,
        size=size,
        lean_mm=float(rng.normal(0, 2.5)),
        curve_mm=float(rng.normal(0, 2.0)),
        canal_mm=float(rng.uniform(12.5, 16.5) * size - 1.5 * age),
        conus_v_mm=float(conus),
        back_fat_mm=float(6 + 24 * rng.beta(1.6, 2.6)),
        belly_mm=float(rng.uniform(75, 125)),
        muscle_fat=float(np.clip(0.15 + 0.6 * age * rng.random(), 0, 1)),
        marrow_fat=float(0.05 + 0.45 * age + 0.1 * rng.random()),
    )


def _disc_height(i: int, size: float, degeneration: float) -> float:
    return _DISC_HEIGHT[i] * size * (1 - 0.55 * degeneration)


def _draw_vertebrae(
    rng: np.random.Generator, size: float, age: float, degeneration: FloatArray
) -> tuple[Vertebra, ...]:
    """Pile the bodies up from the middle of L3, both ways."""
    lordosis, tilt = rng.uniform(0.7, 1.15), float(np.clip(rng.normal(0, 2.5), -4, 4))
    angles = [radians(lordosis * a + tilt + rng.normal(0, 0.8)) for a in _INCLINATION]
    shape = (1 + rng.normal(0, 0.025, (len(LEVELS), 3))).tolist()
    tallness = rng.uniform(0.95, 1.05)
    heights = [size * tallness * h * f[0] for h, f in zip(_HALF_HEIGHT, shape, strict=True)]
    gaps = [_disc_height(i, size, float(d)) for i, d in enumerate(degeneration)]
    centres = _pile(angles, heights, gaps)
    waist, dish = rng.uniform(0.06, 0.13), rng.uniform(1.0, 2.2)
    worn = [max(pair) for pair in zip([0, *degeneration], [*degeneration, 0], strict=True)]
    return tuple(
        Vertebra(
            name=name,
            label=_LABEL.get(name, 0),
            centre_mm=centres[i],
            inclination_rad=angles[i],
            half_height_mm=heights[i],
            half_depth_mm=size * _HALF_DEPTH[i] * shape[i][1],
            half_width_mm=size * _HALF_WIDTH[i] * shape[i][2],
            wedge=_WEDGE[i] + rng.normal(0, 0.012),
            waist=waist if name[0] != "S" else 0.03,
            dish_mm=dish * rng.uniform(0.7, 1.3) if name[0] != "S" else 0.4,
            lip_mm=float(2.8 * max(0.0, worn[i] * rng.uniform(0.3, 1.2) - 0.2) * (0.5 + age)),
        )
        for i, name in enumerate(LEVELS)
    )


def _pile(
    angles: list[float], heights: list[float], gaps: list[float]
) -> list[tuple[float, float]]:
    """Middles of the bodies; each disc leans halfway between its neighbours."""
    centres = [(0.0, 0.0)] * len(angles)
    for step, last in ((-1, 0), (1, len(angles) - 1)):
        u, v = 0.0, 0.0
        for i in range(_L3, last, step):
            j = i + step
            between = (angles[i] + angles[j]) / 2
            parts = (angles[i], heights[i]), (between, gaps[min(i, j)]), (angles[j], heights[j])
            for angle, length in parts:
                u, v = u - step * sin(angle) * length, v - step * cos(angle) * length
            centres[j] = (u, v)
    return centres


class SpineCurves:
    """Lines that run along a spine: u as a function of v, in mm from the middle of L3."""

    def __init__(self, person: SpineSubject) -> None:
        self._person = person
        bones = person.vertebrae
        self.front = _through([bone.to_plane(bone.half_depth_mm, 0.0) for bone in bones])
        # Of bodies and discs, where the canal begins.
        self.back = _through([bone.to_plane(-bone.half_depth_mm, 0.0) for bone in bones])
        tips = []  # the ends of the spinous processes
        for bone in bones[1:8]:
            length, drop = bone.spinous_end
            behind = -bone.half_depth_mm - self.canal_mm(bone.name) - length - 2
            tips.append(bone.to_plane(behind, drop))
        u, v = tips[-1]
        sacrum = person.vertebra("S2")
        u = min(u - 4, sacrum.to_plane(-sacrum.half_depth_mm - 22, 0)[0])
        self.tips = _through([*tips, (u, v - 45), (u - 3, v - 90)])

    def canal_mm(self, name: str) -> float:
        """Depth of the bony canal at a level."""
        return self._person.canal_mm + {"L5": 3.5, "S1": 1.0, "S2": -4.0, "S3": -5.0}.get(name, 2.5)


def _through(points: list[tuple[float, float]]) -> Curve:
    ordered = sorted(points, key=lambda point: point[1])
    kept = [ordered[0]]
    for point in ordered[1:]:
        if point[1] > kept[-1][1] + 4:  # a steep sacrum must not fold the curve
            kept.append(point)
    return curve_through([v for _, v in kept], [u for u, _ in kept])
