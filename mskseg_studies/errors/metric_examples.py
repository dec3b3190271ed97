"""Small worked examples of how a metric or a mean hides a failure, or shows it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.display.slices import draw_label_map, show_slice
from mskseg.evaluation.metrics import dice, surface_distances_mm
from mskseg_studies.charts import finish_chart, series_style
from mskseg_studies.panels import REFERENCE, new_panels

_SIDE, _CENTRE, _RADIUS, _STRAY = 160, 40, 25, 130  # pixels, which are 1 mm wide
_MM = (1.0, 1.0)

IN_WORDS = {
    "stray_px": "pixels of the stray",
    "dice": "Dice",
    "surface_dice": "surface Dice",
    "hd95_mm": "HD95, mm",
    "assd_mm": "mean distance, mm",
    "hausdorff_mm": "largest distance, mm",
    "nothing_is_1": "and empty is 1",
    "n_nothing": "rightly empty",
    "within": "limits inside it",
    "n": "structures",
}
"""What columns of this room's tables are called in a table that is read."""


def disc_with_stray(size_px: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw a disc, (160, 160) bool, and a prediction: the same disc with a square far away."""
    y, x = np.mgrid[:_SIDE, :_SIDE]
    reference = np.hypot(y - _CENTRE, x - _CENTRE) < _RADIUS
    prediction = reference.copy()
    prediction[_STRAY : _STRAY + size_px, _STRAY : _STRAY + size_px] = True
    return reference, prediction


def stray_scores(sizes_px: Sequence[int], *, tolerance_mm: float = 1.0) -> pd.DataFrame:
    """Score a perfect disc with one stray square, of sides that grow.

    Gives `stray_px` (area), `dice`, `surface_dice`, `hd95_mm`, `assd_mm` and `hausdorff_mm` (the
    largest distance).
    """
    rows = []
    for size_px in sizes_px:
        pair = disc_with_stray(size_px)
        distances = surface_distances_mm(*pair, spacing_mm=_MM)
        directed = (distances.from_reference_mm, distances.from_prediction_mm)
        rows.append(
            {
                "stray_px": size_px**2,
                "dice": dice(*pair),
                "surface_dice": distances.surface_dice(tolerance_mm=tolerance_mm),
                "hd95_mm": distances.hd95_mm,
                "assd_mm": distances.assd_mm,
                "hausdorff_mm": float(np.concatenate(directed).max()),
            }
        )
    return pd.DataFrame(rows)


def means_with_one_lost(good: pd.DataFrame) -> pd.DataFrame:
    """Average good slices together with one on which nothing was found, as papers do it.

    Of scored rows; columns `dice` and `hd95_mm`, rows `mean`, `mean of the finite`, `median`, and
    `infinite ones`, their number. The lost slice is scored by the project's rule for empty masks.
    """
    reference, _ = disc_with_stray(0)
    nothing = np.zeros_like(reference)
    distances = surface_distances_mm(reference, nothing, spacing_mm=_MM)
    lost = pd.DataFrame({"dice": [dice(reference, nothing)], "hd95_mm": [distances.hd95_mm]})
    both = pd.concat([good[["dice", "hd95_mm"]], lost]).astype(float)
    infinite = np.isinf(both)
    return pd.DataFrame(
        {
            "mean": both.mean(),
            "mean of the finite": both.mask(infinite).mean(),
            "median": both.median(),
            "infinite ones": infinite.sum().astype(float),
        }
    ).T


def stray_chart(scores: pd.DataFrame, *, drawn_px: int, title: str = "") -> NDArray[Any]:
    """Show the disc with a square of side `drawn_px`, and the distances of `stray_scores`."""
    reference, prediction = disc_with_stray(drawn_px)
    figure, panels = new_panels(2, columns=2, size=(4.3, 3.2))
    drawn = np.where(prediction, 150, 30).astype(np.uint8)
    heading = "prediction grey, reference dashed"
    show_slice(drawn, spacing_mm=_MM, title=heading, ax=panels[0])
    draw_label_map(panels[0], reference, colours={1: REFERENCE}, linestyle="dashed")
    names = {"hausdorff_mm": "largest distance", "hd95_mm": "HD95", "assd_mm": "mean distance"}
    for number, (column, name) in enumerate(names.items()):
        style = series_style(number, line=False)
        panels[1].plot(scores["stray_px"], scores[column], label=name, **style)
    panels[1].set(xlabel="area of the stray piece (pixels)", ylabel="mm")
    finish_chart(panels[1], grid=None)
    figure.suptitle(title, fontsize=11)
    return panels
