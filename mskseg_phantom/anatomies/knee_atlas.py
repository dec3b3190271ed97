"""Where everything in a knee lies: drawn by hand after anatomy atlases, as columns along the leg.

The overall dimensions were compared with the real right knee of the manifest (`pymskt_knee`).
Frame and unit: the docstring of `knee`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mskseg_phantom.drawing.solids import Index, is_empty, smooth_max
from mskseg_phantom.tissue import FloatArray, Tissue


@dataclass(frozen=True, eq=False)
class Column:
    """A structure along the leg, with an oval cross-section at every height."""

    heights: FloatArray  # (n,), rising s
    ovals: FloatArray  # (4, n), centre (l, a) and half-axes (l, a) at these heights
    tissue: Tissue = Tissue.MUSCLE

    @classmethod
    def of(cls, *rows: tuple[float, ...], tissue: Tissue = Tissue.MUSCLE) -> Column:
        """Make a column of rows (s, l, a, half l, half a), in any order."""
        table = np.array(sorted(rows), dtype=np.float32)
        return cls(table[:, 0], table[:, 1:].T.copy(), tissue)


def _read_columns(path: Path) -> dict[str, Column]:
    """Read columns by name from a CSV file, a row for each structure and height."""
    table = pd.read_csv(path)
    return {
        str(name): Column.of(
            *rows[["s", "l", "a", "half_l", "half_a"]].itertuples(index=False, name=None),
            tissue=Tissue[rows["tissue"].iloc[0].upper()],
        )
        for name, rows in table.groupby("structure", sort=False)
    }


@dataclass(frozen=True, eq=False)
class Frame:
    """One sagittal plane in the knee's own frame, in mm of a knee of size 1."""

    l: float  # across, lateral is positive
    a: FloatArray  # (n_u, 1), to the front
    s: FloatArray  # (1, n_v), to the head
    flexion: float = 0.0  # tangent; above the joint, soft tissue leans back by it

    @cached_property
    def lean(self) -> FloatArray:
        """How far soft tissue at each height has moved to the front, (1, n_v)."""
        return lean(self.s, self.flexion)

    def window(self, a: tuple[float, float], s: tuple[float, float]) -> Index:
        """Slices of the points with a and s in these intervals; may be empty."""
        first, last = np.searchsorted(self.a[:, 0], a)
        low, high = np.searchsorted(self.s[0], s)
        return slice(int(first), int(last)), slice(int(low), int(high))

    def cut(self, index: Index) -> Frame:
        """Return the part of the plane within a window."""
        return Frame(self.l, self.a[index[0]], self.s[:, index[1]], self.flexion)


def lean(s: FloatArray, flexion: float) -> FloatArray:
    """Displacement to the front of soft tissue at some heights; none below the joint."""
    softplus = np.logaddexp(0, (s - 22) / 8)
    return np.asarray(-8 * flexion * softplus, dtype=np.float32)


def smoothstep(x: FloatArray) -> FloatArray:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0, 1)
    return t * t * (3 - 2 * t)


def oval_distance(
    x: FloatArray, y: FloatArray, half_x: FloatArray, half_y: FloatArray, *, full: bool = True
) -> FloatArray:
    """First-order distance to an ellipse, or to a fuller oval, half way to a rounded rectangle."""
    xx, yy = (x / half_x) ** 2, (y / half_y) ** 2
    rho = np.sqrt((xx + yy + np.sqrt(xx * xx + yy * yy)) / 2 if full else xx + yy)
    slope = np.sqrt(xx / half_x**2 + yy / half_y**2)
    distance = (rho - 1) * rho / np.maximum(slope, np.float32(1e-6))
    return np.asarray(distance, dtype=np.float32)


def column_distance(
    column: Column, frame: Frame, *, leaning: bool = True, grow: float = 0.0, reach: float = 2.0
) -> tuple[Index, FloatArray] | None:
    """Window where the plane comes within `reach` of a column, and the distance; None if nowhere.

    `leaning` columns lean back with the thigh, and `grow` is added to both half-axes.
    """
    heights = column.heights
    s = frame.s[0]
    low, high = np.searchsorted(s, (heights[0] - reach, heights[-1] + reach))
    if low >= high:
        return None
    middle_l, middle_a, half_l, half_a = (
        np.interp(s[low:high], heights, row).astype(np.float32) for row in column.ovals
    )
    half_l, half_a = (np.maximum(h + np.float32(grow), np.float32(0.3)) for h in (half_l, half_a))
    if leaning:
        middle_a = middle_a + frame.lean[0, low:high]
    near = np.flatnonzero(np.abs(np.float32(frame.l) - middle_l) < half_l + reach)
    if near.size == 0:
        return None
    rows = slice(int(near[0]), int(near[-1]) + 1)
    middle_l, middle_a, half_l, half_a = (
        values[rows][None] for values in (middle_l, middle_a, half_l, half_a)
    )
    across = np.searchsorted(
        frame.a[:, 0],
        (float((middle_a - half_a).min()) - reach, float((middle_a + half_a).max()) + reach),
    )
    index = (slice(int(across[0]), int(across[1])), slice(low + rows.start, low + rows.stop))
    if is_empty(index):
        return None
    x, y = np.float32(frame.l) - middle_l, frame.a[index[0]] - middle_a
    distance = oval_distance(x, y, half_l, half_a, full=column.tissue != Tissue.MUSCLE)
    s_here = frame.s[:, index[1]]
    beyond = np.maximum(heights[0] - s_here, s_here - heights[-1])
    rounding = 9.0 if column.tissue == Tissue.MUSCLE else 1.5
    return index, smooth_max(distance, np.broadcast_to(beyond, distance.shape), rounding)


_FOLDER = Path(__file__).parent

# The distal femur: distance of its surface from an axis through both condyles, at 18 angles (the
# columns, in degrees; 0 is to the front, -90 down) and 15 positions across.
CONDYLE_AXIS = (1.0, 22.0)  # a, s
CONDYLE_RADII = pd.read_csv(_FOLDER / "knee_condyles.csv", index_col="l")
NOTCH_L, NOTCH_HALF_MM = -1.0, 8.5
NOTCH_ROOF = ((16.0, 10.0), (0.0, 33.0))  # a, s of two points of the roof's line

_COLUMNS = _read_columns(_FOLDER / "knee_columns.csv")
FEMUR_SHAFT, TIBIA_COLUMN, FIBULA_COLUMN, PATELLA_COLUMN, FASCIA = (
    _COLUMNS.pop(name) for name in ("femur shaft", "tibia", "fibula", "patella", "fascia")
)  # s and a of the patella's are relative to the centre and to the ridge
MUSCLES = [column for column in _COLUMNS.values() if column.tissue == Tissue.MUSCLE]
# Collateral ligaments, vessels and nerve, in the order in which one covers the other.
CORDS = [column for column in _COLUMNS.values() if column.tissue != Tissue.MUSCLE]

PATELLA_CENTRE = (7.0, 33.0)  # l, s; how far in front it lies follows from the trochlea
PATELLA_RIDGE_L, PATELLA_FACETS = 4.0, (0.42, 0.24)  # slopes of the medial and lateral facet

# Plateaus: centre (l, a) and half-axes of the cartilage; the same of the meniscus' outer border.
PLATEAU = {"medial": (-20.5, 2.5, 13.5, 19.5), "lateral": (21.5, -0.5, 13.8, 16.5)}
MENISCUS = {"medial": (-20.0, 1.5, 15.5, 22.5), "lateral": (21.0, -0.5, 15.0, 18.0)}
MENISCUS_WIDTH = {"medial": (7.5, 11.0), "lateral": (9.0, 9.5)}  # mm in front and behind
MENISCUS_OPEN = {"medial": 0.85, "lateral": 0.55}  # half-angle of the gap, in radians

# Polylines (l, a, s) and radius of the cruciate ligaments.
CRUCIATES: tuple[tuple[tuple[tuple[float, float, float], ...], float], ...] = (
    (((-0.5, 13.0, 1.0), (1.5, 4.0, 11.0), (5.0, -7.5, 25.0)), 4.2),
    (((0.0, -22.0, -11.0), (-1.0, -18.5, 1.0), (-2.5, -10.0, 12.5), (-4.5, 4.0, 17.0)), 4.3),
)
