"""Agreement of two masks: overlap, surface distances in millimetres, volumes.

**The empty-mask rule** (one rule, for every metric of this module):

==========================  ==================  ==================  =====================
reference / prediction      overlap (Dice, IoU, distance (HD95,     signed relative volume
                            surface Dice)       ASSD)               error
==========================  ==================  ==================  =====================
both empty                  NaN                 NaN                 NaN
reference empty             0                   inf                 inf
prediction empty            0                   inf                 -1
==========================  ==================  ==================  =====================

Both empty is agreement about nothing: a 1 would flatter, a 0 would punish. So it is NaN, and the
tables count such pairs beside every mean.

**The surface** of a mask is the set of its pixels (voxels) with a face neighbour outside the mask;
beyond the edge of the array is outside. Distances run between the centres of surface pixels and are
exact Euclidean distances under anisotropic `spacing_mm`. Every surface pixel counts the same, as in
MONAI; packages that weight by surface area give slightly other numbers.

Masks are arrays of any number of dimensions and one shape, boolean or of zeros and ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from mskseg.errors import InputError
from mskseg.prompts.checks import bounding_slices, checked_mask

BoolMask = NDArray[np.bool_]


def dice(reference: ArrayLike, prediction: ArrayLike) -> float:
    """Dice coefficient, ``2 |A and B| / (|A| + |B|)`` of two masks (...) bool of one shape.

    Returns 0 to 1; NaN if both are empty. InputError if the shapes differ, or an array is no mask.
    """
    first, second = mask_pair(reference, prediction)
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else math.nan


def iou(reference: ArrayLike, prediction: ArrayLike) -> float:
    """Intersection over union (Jaccard index); all else as in `dice`."""
    first, second = mask_pair(reference, prediction)
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else math.nan


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between the surfaces of two masks: computed once, read several ways."""

    from_reference_mm: NDArray[np.float64]  # (R,) of its surface pixels to the nearest of the other
    from_prediction_mm: NDArray[np.float64]  # (P,) the other way round; inf if the other is empty

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directed 95th percentiles, in mm."""
        empty = self._empty_score(one_empty=math.inf)
        if empty is not None:
            return empty
        directed = (self.from_reference_mm, self.from_prediction_mm)
        return max(float(np.percentile(distances, 95)) for distances in directed)

    @property
    def assd_mm(self) -> float:
        """Mean over the pixels of both surfaces together, in mm."""
        empty = self._empty_score(one_empty=math.inf)
        return float(self._both.mean()) if empty is None else empty

    def surface_dice(self, *, tolerance_mm: float) -> float:
        """Part of both surfaces within `tolerance_mm` of the other, 0 to 1."""
        if not tolerance_mm >= 0:
            raise InputError(
                f"tolerance_mm is {tolerance_mm}, expected 0 or more; "
                "give the distance in millimetres that counts as agreement"
            )
        # The margin keeps 3 * 0.1 mm inside a tolerance of 0.3 mm.
        near = self._both <= tolerance_mm * (1 + 1e-9)
        empty = self._empty_score(one_empty=0.0)
        return float(near.mean()) if empty is None else empty

    @property
    def _both(self) -> NDArray[np.float64]:
        return np.concatenate([self.from_reference_mm, self.from_prediction_mm])

    def _empty_score(self, *, one_empty: float) -> float | None:
        """Return the score where a mask is empty, by the module's rule; None where neither is."""
        sizes = (self.from_reference_mm.size, self.from_prediction_mm.size)
        if all(sizes):
            return None
        return one_empty if any(sizes) else math.nan


def surface_distances_mm(
    reference: ArrayLike, prediction: ArrayLike, *, spacing_mm: Sequence[float]
) -> SurfaceDistances:
    """Distances between the surfaces of two masks (...) bool, both ways, to be read several ways.

    `spacing_mm` (ndim,) is that of neighbouring pixels along each array axis: (row, column) for a
    slice. InputError if the shapes differ, an array is no mask, or the spacing does not fit.
    """
    first, second = mask_pair(reference, prediction)
    spacing = checked_spacing(spacing_mm, ndim=first.ndim)
    here, there = surface_points(first) * spacing, surface_points(second) * spacing
    return SurfaceDistances(
        from_reference_mm=nearest_distances(here, there),
        from_prediction_mm=nearest_distances(there, here),
    )


def relative_volume_error(reference: ArrayLike, prediction: ArrayLike) -> float:
    """Signed relative volume error, ``(predicted - reference) / reference``; else as `dice`."""
    first, second = mask_pair(reference, prediction)
    n_reference, n_prediction = np.count_nonzero(first), np.count_nonzero(second)
    if not n_reference:
        return math.inf if n_prediction else math.nan
    return (n_prediction - n_reference) / n_reference


def mask_pair(reference: ArrayLike, prediction: ArrayLike) -> tuple[BoolMask, BoolMask]:
    """Return both masks as bool; InputError if their shapes differ."""
    first = checked_mask(reference, what="the reference")
    second = checked_mask(prediction, what="the prediction")
    if first.shape != second.shape:
        raise InputError(
            f"the reference has shape {first.shape}, the prediction {second.shape}; "
            "compare masks on one grid"
        )
    return first, second


def checked_spacing(spacing_mm: Sequence[float], *, ndim: int) -> NDArray[np.float64]:
    """Return the spacing as an array; InputError if it does not fit `ndim` axes."""
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    if spacing.shape != (ndim,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(
            f"spacing_mm is {spacing_mm}, expected {ndim} lengths above 0, one per array axis, "
            "in millimetres"
        )
    return spacing


def surface_points(mask: BoolMask) -> NDArray[np.intp]:
    """Find the indices (P, ndim) of the pixels with a face neighbour outside the mask."""
    bounds = bounding_slices(mask)
    box = mask[bounds]
    interior = ndimage.binary_erosion(box) if box.size else box
    corner = np.array([bound.start for bound in bounds], dtype=np.intp)
    return np.argwhere(box & ~interior) + corner


def nearest_distances(
    points: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find the distance of each point to the nearest other, by a k-d tree; inf if there is none."""
    if not len(points) or not len(others):
        return np.full(len(points), math.inf)
    distances: NDArray[np.float64] = KDTree(others).query(points)[0]
    return distances
