"""Check and pair masks, and reduce them to their surface points or their outline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from mskseg.errors import InputError
from mskseg.prompts.checks import bounding_slices, checked_mask

BoolMask = NDArray[np.bool_]


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
    padded = np.pad(box, 1)
    centre = (slice(1, -1),) * mask.ndim
    interior = box.copy()
    for axis in range(mask.ndim):
        for side in (slice(0, -2), slice(2, None)):
            interior &= padded[(*centre[:axis], side, *centre[axis + 1 :])]
    corner = np.array([bound.start for bound in bounds], dtype=np.intp)
    return np.argwhere(box & ~interior) + corner


def nearest_distances(
    points: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find the distance of each point to the nearest of the others; inf if there is none.

    By a k-d tree over the surfaces: three to four times quicker here than a distance transform.
    """
    if not len(points) or not len(others):
        return np.full(len(points), math.inf)
    distances: NDArray[np.float64] = KDTree(others).query(points)[0]
    return distances


def signed_distance_mm(inside: BoolMask, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance to the outline, positive inside; the outline runs between the pixels' centres."""
    half = float(spacing.mean()) / 2
    within = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1]
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    signed: NDArray[np.float64] = np.where(inside, within - half, half - beyond)
    return signed


def outlines(shape: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Trace the lines around a mask (H, W), each (N, 2) in pixels of the mask with a rim of one.

    Along the middles of the border's pixel edges (marching squares), which cuts corners by 0.6 of a
    pixel each; of a blurred mask where that falls to one half. Pixels that touch at a corner join.
    """
    from skimage import measure

    contours: Any = measure.find_contours  # scikit-image does not say its types
    lines: list[NDArray[np.float64]] = contours(
        np.pad(shape.astype(np.float64), 1), 0.5, fully_connected="high"
    )
    return lines


def outline_mm(shape: NDArray[Any], *, spacing_mm: Sequence[float]) -> float:
    """Length in mm of the line around a mask (H, W) and its holes; slanted, up to 8 % too much."""
    return float(
        sum(np.hypot(*(np.diff(line, axis=0) * spacing_mm).T).sum() for line in outlines(shape))
    )
