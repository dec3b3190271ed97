"""A simulated second reader, for how much Dice two careful people can reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mskseg.errors import InputError
from mskseg.evaluation.surfaces import checked_spacing
from mskseg.prompts.checks import checked_mask

CORRELATION_MM = 8.0
"""How far along an outline a reader stays on the same side of it; assumed."""


def second_reading(
    mask: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    sigma_mm: float,
    rng: np.random.Generator,
    correlation_mm: float = CORRELATION_MM,
) -> NDArray[np.bool_]:
    """Move a mask's outline in and out, as a second reader might draw it.

    The signed distance to the outline gets a smooth Gaussian random field added; where the sum is
    above zero is inside.

    Parameters
    ----------
    mask : (H, W) bool
    spacing_mm : (row, column)
    sigma_mm : float
        Standard deviation of the outline's place: how sure one can be of an edge, such as half a
        pixel, or the width of the blur in the image.
    rng : numpy Generator
    correlation_mm : float
        Distance along the outline over which the two readers disagree in the same direction.

    Returns
    -------
    (H, W) bool
        Equal to `mask` where `sigma_mm` is 0 or nothing is drawn.

    Raises
    ------
    InputError
        If it is no mask of a slice, or a length is out of range.
    """
    inside = checked_mask(mask, what="the mask")
    spacing = checked_spacing(spacing_mm, ndim=2)
    if not sigma_mm >= 0 or not correlation_mm > 0:
        raise InputError(
            f"sigma_mm is {sigma_mm} and correlation_mm {correlation_mm}; expected 0 or more, and "
            "more than 0, in millimetres"
        )
    if not inside.any() or sigma_mm == 0:
        return inside.copy()
    field = ndimage.gaussian_filter(
        rng.standard_normal(inside.shape), correlation_mm / spacing, mode="wrap"
    )
    moved: NDArray[np.bool_] = _signed_mm(inside, spacing) + sigma_mm * field / field.std() > 0
    return moved


def _signed_mm(inside: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance to the outline, positive inside; the outline runs between the pixels' centres."""
    half = float(spacing.mean()) / 2
    within = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1]
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    signed: NDArray[np.float64] = np.where(inside, within - half, half - beyond)
    return signed
