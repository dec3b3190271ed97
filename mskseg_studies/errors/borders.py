"""How clearly the image shows the border of a tissue, place by place along it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

from mskseg.evaluation.surfaces import checked_spacing, surface_points
from mskseg.evaluation.tissues import RIM_MM

Border = Literal["weak", "clear", ""]

WEAK_BELOW = 1.0
"""`edge_contrast` under which a border is called weak: half of it is a step of less than one
standard deviation of the pixels beside it."""

_ROUNDING = 1 / 12  # variance of what a whole grey level leaves out, in grey levels squared


def edge_contrast(image: ArrayLike, mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Median step of the grey levels (H, W) across a mask's border, in standard deviations."""
    # At each pixel of the border the mean of the mask's pixels within `RIM_MM` less the mean of the
    # others there, without its sign. So unlike `mskseg.evaluation.tissues.contrast`, a border with
    # a brighter neighbour on one side and a darker one on the other stays clear. Of noise alone it
    # is about 0.3 with pixels of 1 mm.
    spacing = checked_spacing(spacing_mm, ndim=2)
    inside, pixels = np.asarray(mask, dtype=bool), np.asarray(image, dtype=np.float64)
    border, reach = surface_points(inside), np.ceil(RIM_MM / spacing).astype(int) + 1
    if not len(border) or inside.all():
        return float("nan")
    start, stop = np.maximum(border.min(0) - reach, 0), border.max(0) + reach + 1
    part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    at, (rows, columns) = (
        tuple((border - start).T),
        np.ogrid[tuple(slice(-n, n + 1) for n in reach)],
    )
    disc = (np.hypot(rows * spacing[0], columns * spacing[1]) <= RIM_MM).astype(np.float64)
    sides = [_around(pixels[part], side, disc, at) for side in (inside[part], ~inside[part])]
    (first, first_variance), (second, second_variance) = sides
    noise = np.sqrt((first_variance + second_variance) / 2 + _ROUNDING)
    return float(np.nanmedian(np.abs(first - second) / noise))


def border_of(contrast: float) -> Border:
    """Name a border by its `edge_contrast`; empty where there is none."""
    if np.isnan(contrast):
        return ""
    return "weak" if contrast < WEAK_BELOW else "clear"


def _around(
    pixels: NDArray[np.float64], side: NDArray[np.bool_], disc: NDArray[np.float64], at: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of one side's pixels within the disc around each place; NaN without any."""
    middle = pixels.mean()  # taken off: squares of small numbers lose less
    values = np.where(side, pixels - middle, 0.0)
    number, total, squares = (
        fftconvolve(each, disc, mode="same")[at] for each in (side.astype(float), values, values**2)
    )
    count = np.where(number > 0.5, number.round(), np.nan)
    mean = total / count
    return mean + middle, np.maximum(squares / count - mean**2, 0.0)
