"""The worst slices, the likeliest reason for each, and how they look."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.display.slices import draw_boxes, draw_label_map, frame_around, show_slice
from mskseg.display.style import PREDICTION
from mskseg.evaluation.scoring import KeptPredictions
from mskseg_studies.errors.error_measures import WEAK_BELOW
from mskseg_studies.panels import REFERENCE, new_panels
from mskseg_studies.people import PHANTOMS

THIN_MM, WIDE, NARROW = 3.0, 1.5, 0.5


def worst_slices(joined: pd.DataFrame, *, n: int = 10) -> pd.DataFrame:
    """Find the slices with the lowest Dice, one of each structure of real people, then of phantoms.

    Of `with_covariates`, of one plan, `n` of each at most. Real people are shown by the first
    segmenter that was asked about them, and so are phantoms. Gives rows, the worst of real people
    first, with `reason`: what happened to the area, and the first rule that fits the tissue:
    "leaked: thin".
    """
    chosen = []
    for _, rows in joined.groupby(joined["data"] == PHANTOMS, sort=True):
        of_first = rows[rows["segmenter"] == rows["segmenter"].iloc[0]]
        ordered = of_first.sort_values("dice", kind="stable")
        structures = ordered.groupby(["data", "dataset", "tissue", "label"], sort=False)
        chosen.append(structures.head(1).sort_values("dice", kind="stable").head(n))
    worst = pd.concat(chosen)
    return worst.assign(reason=[name_reason(row) for _, row in worst.iterrows()])


def name_reason(row: pd.Series) -> str:
    """Name what happened and what makes the tissue hard, by the first rule of each that applies."""
    ratio = row["predicted_area_mm2"] / row["area_mm2"]
    outcomes = {
        "nothing was found": ratio == 0,
        "leaked": ratio > WIDE,
        "fell short": ratio < NARROW,
    }
    difficulties = {
        "faint border": row["edge_contrast"] < WEAK_BELOW,
        "thin": row["thickness_mm"] < THIN_MM,
        "end of the structure": row["from_end"] == 0,
    }
    reasons = [next(filter(rules.get, rules), "") for rules in (outcomes, difficulties)]
    return ": ".join(filter(None, reasons)) or "none of these"


def brightened(image: NDArray[np.uint8], zoom_xyxy: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale an image (H, W) so that what is shown of it uses all grey levels."""
    x0, y0, x1, y1 = (max(int(edge), 0) for edge in zoom_xyxy)
    top = max(float(np.percentile(image[y0:y1, x0:x1], 99)), 1.0)
    scaled: NDArray[np.uint8] = np.clip(image * (255 / top), 0, 255).astype(np.uint8)
    return scaled


def failure_gallery(
    worst: pd.DataFrame, predictions: KeptPredictions, *, columns: int = 5, title: str
) -> NDArray[Any]:
    """Show the rows of `worst_slices` close up: reference dashed, prediction orange, box white.

    The predictions, kept while scoring, are found by the index of the rows. Each panel is
    brightened by itself, for the eye only. What the colours mean is added to the title.
    """
    figure, panels = new_panels(len(worst), columns=columns, size=(2.5, 2.9))
    for number, (ax, row) in enumerate(zip(panels, worst.itertuples(), strict=True), start=1):
        prediction = predictions[row.Index]
        at, boxes = prediction.case_slice, prediction.boxes_xyxy
        zoom = frame_around(boxes, shape=prediction.reference.shape)
        image = brightened(at.image, zoom)
        show_slice(image, spacing_mm=at.spacing_mm, zoom_xyxy=zoom, ax=ax)
        draw_boxes(ax, boxes)
        draw_label_map(ax, prediction.reference, colours={1: REFERENCE}, linestyle="dashed")
        draw_label_map(ax, prediction.prediction, colours={1: PREDICTION})
        whose = row.dataset.removeprefix("phantom_") if row.data == PHANTOMS else row.data
        ax.set_title(f"{number}: {row.tissue}\n{whose}, Dice {row.dice:.2f}", fontsize=9)
    figure.suptitle(f"{title}: reference blue and dashed, prediction orange", fontsize=11)
    return panels
