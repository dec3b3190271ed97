"""Small worked examples of how a metric or a mean hides a failure, or shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.evaluation.metrics import SurfaceDistances, dice, surface_distances_mm

_SIDE, _RADIUS, _AWAY = 160, 25, 90
_MM = (1.0, 1.0)


def draw_stray(size_px: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw a disc, and a prediction that is the same disc with a square flung far away.

    Parameters
    ----------
    size_px : int
        Side of the square; 0 for none.

    Returns
    -------
    reference, prediction : (160, 160) bool
        Pixels of 1 mm; the disc has a radius of 25 mm.
    """
    y, x = np.mgrid[:_SIDE, :_SIDE]
    reference = np.hypot(y - 40, x - 40) < _RADIUS
    prediction = reference.copy()
    corner = 40 + _AWAY
    prediction[corner : corner + size_px, corner : corner + size_px] = True
    return reference, prediction


def stray_components(sizes_px: Sequence[int], *, tolerance_mm: float = 1.0) -> pd.DataFrame:
    """Score a perfect disc with one stray square of growing size.

    Parameters
    ----------
    sizes_px : sequence of int
        Sides of the square.
    tolerance_mm : float
        Of surface Dice.

    Returns
    -------
    pandas.DataFrame
        `stray_px` (area), `dice`, `surface_dice`, `hd95_mm`, `assd_mm` and `hausdorff_mm` (the
        largest distance).
    """
    return pd.DataFrame([_stray_row(size, tolerance_mm) for size in sizes_px])


def _stray_row(size_px: int, tolerance_mm: float) -> dict[str, Any]:
    pair = draw_stray(size_px)
    distances = surface_distances_mm(*pair, spacing_mm=_MM)
    return {
        "stray_px": size_px**2,
        "dice": dice(*pair),
        "surface_dice": distances.surface_dice(tolerance_mm=tolerance_mm),
        "hd95_mm": distances.hd95_mm,
        "assd_mm": distances.assd_mm,
        "hausdorff_mm": _largest(distances),
    }


def _largest(distances: SurfaceDistances) -> float:
    return float(max(distances.from_reference_mm.max(), distances.from_prediction_mm.max()))


def one_lost(good: pd.DataFrame) -> pd.DataFrame:
    """Average good slices together with one on which nothing was found.

    Parameters
    ----------
    good : pandas.DataFrame
        Scored rows with `dice` and `hd95_mm`.

    Returns
    -------
    pandas.DataFrame
        Columns `dice` and `hd95_mm`; rows as in `average_readings`. The lost slice is scored by the
        project's rule for empty masks, on the disc of `draw_stray`.
    """
    reference = draw_stray(0)[0]
    nothing = np.zeros_like(reference)
    lost = {
        "dice": dice(reference, nothing),
        "hd95_mm": surface_distances_mm(reference, nothing, spacing_mm=_MM).hd95_mm,
    }
    return pd.DataFrame({name: average_readings([*good[name], lost[name]]) for name in lost})


def average_readings(values: Sequence[float]) -> pd.Series[float]:
    """Average distances of which some are infinite, in the ways found in papers.

    Parameters
    ----------
    values : sequence of float
        Distances in mm, inf where a mask was empty.

    Returns
    -------
    pandas.Series
        `mean`, `mean of the finite`, `median`, and `infinite`, their number.
    """
    numbers = np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    return pd.Series(
        {
            "mean": numbers.mean(),
            "mean of the finite": finite.mean() if finite.size else np.nan,
            "median": float(np.median(numbers)),
            "infinite": float(np.isinf(numbers).sum()),
        }
    )
