"""Whether the model's own rating selects the good ones among automatic masks.

So it is used: of the masks of a grid of points those with a high predicted IoU are kept (Kirillov
2023, section 5). Only points on a labelled tissue are asked about, since elsewhere the reference
cannot say whether a mask is good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.datasets.loading import fullest_slice
from mskseg.errors import InputError
from mskseg.evaluation import iou
from mskseg.evaluation.loop import labels_on
from mskseg.evaluation.scoring import described_scan
from mskseg.models.automatic import grid_candidates
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import label_components


def score_grid_masks(
    segmenter: Segmenter, cases: Iterable[Case], *, points_per_side: int = 32
) -> pd.DataFrame:
    """Score the masks of a grid of points on the fullest slice of each case.

    Parameters
    ----------
    segmenter : Segmenter
        Of a model that learned points and its own IoU, as for `grid_candidates`.
    cases : iterable of Case
        With references.
    points_per_side : int
        Of the grid over the slice; points outside the labelled tissues are left out.

    Returns
    -------
    pandas.DataFrame
        A row for each mask, three of them a point: `segmenter`, `miniature`, those that name the
        scan, `slice`, `x`, `y`, `predicted_iou`, `stability` and `iou`: with the piece of a tissue
        that it fits best, whichever that is. A whole that the reference does not name, such as the
        limb, counts as a miss.

    Raises
    ------
    InputError
        If the model takes no points, or no point of the grid lies on a tissue.
    """
    rows = [row for case in cases for row in _case_rows(segmenter, case, points_per_side)]
    if not rows:
        raise InputError(
            f"no point of a grid of {points_per_side} x {points_per_side} lies on a labelled "
            "tissue; take a finer grid"
        )
    return pd.DataFrame(rows)


def selection_gain(masks: pd.DataFrame) -> pd.DataFrame:
    """Keep the better half of each subject's masks by predicted IoU, and ask what that gained.

    Parameters
    ----------
    masks : pandas.DataFrame
        From `score_grid_masks`.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter and subject: `n_masks`, mean IoU of all (`iou_all`), of the half
        with the highest predicted IoU (`iou_kept`) and of the half that is truly best
        (`iou_best`), `r` (correlation of predicted and true IoU) and `gain_share`: (kept - all) /
        (best - all). It is 0 for a choice by chance and 1 for a perfect judge; NaN if all masks are
        equally good.
    """
    keys = ["segmenter", "dataset", "subject"]
    rows = []
    for names, of_subject in masks.groupby(keys, sort=False):
        true, predicted = of_subject["iou"], of_subject["predicted_iou"]
        half = math.ceil(len(of_subject) / 2)
        everything, best = true.mean(), true.nlargest(half).mean()
        kept = true[predicted.nlargest(half).index].mean()
        possible = best - everything
        rows.append(
            {
                **dict(zip(keys, names, strict=True)),
                "n_masks": len(of_subject),
                "iou_all": everything,
                "iou_kept": kept,
                "iou_best": best,
                "r": predicted.corr(true),
                "gain_share": (kept - everything) / possible if possible > 0 else math.nan,
            }
        )
    return pd.DataFrame(rows)


def filtered_masks(
    segmenter: Segmenter, case: Case, points_per_side: int, least: tuple[float, float]
) -> tuple[CaseSlice, NDArray[np.bool_]]:
    """Segment everything on the fullest slice of a case, and keep what is good, stable and new.

    `least` are the predicted IoU and the stability below which a mask is dropped. Gives the slice
    and the masks (N, H, W).
    """
    case_slice = fullest_slice(case)
    found = grid_candidates(segmenter, case_slice.image, points_per_side=points_per_side)
    passed = (found.predicted_iou >= least[0]) & (found.stability >= least[1])
    return case_slice, found.where(passed).without_duplicates().masks


def _case_rows(segmenter: Segmenter, case: Case, points_per_side: int) -> Iterator[dict[str, Any]]:
    case_slice = fullest_slice(case)
    label_map = np.asarray(case_slice.label_map)
    pieces = list(_pieces(label_map, sorted(labels_on(case_slice))))
    candidates = grid_candidates(
        segmenter,
        case_slice.image,
        points_per_side=points_per_side,
        within=np.any(pieces, axis=0),
    )
    described = {"segmenter": segmenter.name, "miniature": segmenter.miniature}
    described |= {**described_scan(case), "slice": case_slice.index}
    for number, mask in enumerate(candidates.masks):
        yield described | {
            "x": candidates.points[number, 0],
            "y": candidates.points[number, 1],
            "predicted_iou": candidates.predicted_iou[number],
            "stability": candidates.stability[number],
            "iou": max(iou(piece, mask) for piece in pieces),
        }


def _pieces(label_map: NDArray[Any], labels: list[int]) -> Iterator[NDArray[np.bool_]]:
    """Give each connected piece of each label as a mask (H, W), specks included."""
    for label in labels:
        components, n = label_components(
            label_map == label, spacing_mm=(1.0, 1.0), min_area_mm2=0.0
        )
        yield from (components == number + 1 for number in range(n))
