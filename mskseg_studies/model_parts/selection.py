"""Whether the model's own rating selects the good ones among automatic masks.

So it is used: of the masks of a grid of points those with a high predicted IoU are kept (Kirillov
2023, section 5). Only points on a labelled tissue are asked about, since elsewhere the reference
cannot say whether a mask is good.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.datasets.loading import fullest_slice
from mskseg.errors import InputError
from mskseg.evaluation import iou
from mskseg.evaluation.loop import labels_on, reference_mask
from mskseg.evaluation.scoring import described_scan
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import label_components
from mskseg_studies.automatic import grid_candidates


def score_grid_masks(
    segmenter: Segmenter, cases: Iterable[Case], *, points_per_side: int = 32
) -> pd.DataFrame:
    """Score the masks of a grid of points on the fullest slice of each case.

    The segmenter has learned points and its own IoU, as for `grid_candidates`. Points outside the
    labelled tissues are left out (InputError if none is left). A row for each mask, three of them a
    point: `segmenter`, `miniature`, those that name the scan, `slice`, `x`, `y`, `predicted_iou`,
    `stability` and `iou`: with the piece of a tissue that it fits best, whichever that is. A whole
    that the reference does not name, such as the limb, counts as a miss.
    """
    table = pd.concat([_of_case(segmenter, case, points_per_side) for case in cases])
    if table.empty:
        raise InputError(
            f"no point of a grid of {points_per_side} x {points_per_side} lies on a labelled "
            "tissue; take a finer grid"
        )
    return table.reset_index(drop=True)


def selection_gain(masks: pd.DataFrame) -> pd.DataFrame:
    """Keep the better half of each subject's masks by predicted IoU, and ask what that gained.

    Of `score_grid_masks`. A row for each segmenter and subject: `n_masks`, mean IoU of all
    (`iou_all`), of the half with the highest predicted IoU (`iou_kept`) and of the half that is
    truly best (`iou_best`), `r` (correlation of predicted and true IoU) and `gain_share`:
    (kept - all) / (best - all). It is 0 for a choice by chance and 1 for a perfect judge; NaN if
    all masks are equally good.
    """
    keys = ["segmenter", "dataset", "subject"]
    rows = []
    for names, of_subject in masks.groupby(keys, sort=False):
        true, predicted = of_subject["iou"], of_subject["predicted_iou"]
        half = math.ceil(len(of_subject) / 2)
        everything, best = true.mean(), true.nlargest(half).mean()
        kept = true[predicted.nlargest(half).index].mean()
        possible = best - everything
        share = (kept - everything) / possible if possible > 0 else math.nan
        r = predicted.corr(true)
        rows.append((*names, len(of_subject), everything, kept, best, r, share))
    found = ["n_masks", "iou_all", "iou_kept", "iou_best", "r", "gain_share"]
    return pd.DataFrame(rows, columns=[*keys, *found])


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


def _of_case(segmenter: Segmenter, case: Case, points_per_side: int) -> pd.DataFrame:
    case_slice = fullest_slice(case)
    pieces = list(_pieces(case_slice))
    found = grid_candidates(
        segmenter,
        case_slice.image,
        points_per_side=points_per_side,
        within=np.any(pieces, axis=0),
    )
    return pd.DataFrame(
        {
            "segmenter": segmenter.name,
            "miniature": segmenter.miniature,
            **described_scan(case),
            "slice": case_slice.index,
            "x": found.points[:, 0],
            "y": found.points[:, 1],
            "predicted_iou": found.predicted_iou,
            "stability": found.stability,
            "iou": [max(iou(piece, mask) for piece in pieces) for mask in found.masks],
        }
    )


def _pieces(case_slice: CaseSlice) -> Iterator[NDArray[np.bool_]]:
    """Give each connected piece of each label as a mask (H, W), specks included."""
    for label in sorted(labels_on(case_slice)):
        mask = reference_mask(case_slice, label)
        components, n = label_components(mask, spacing_mm=(1.0, 1.0), min_area_mm2=0.0)
        yield from (components == number + 1 for number in range(n))
