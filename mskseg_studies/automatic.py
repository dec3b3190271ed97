"""Automatic masks of a whole slice: a grid of points, three masks each, and their filters.

`segment_anything.SamAutomaticMaskGenerator` does the work (Kirillov 2023, section 5 and appendix
B); here its filters are applied one after the other.

One of them is the model's own rating: masks with a high predicted IoU are kept. Does it select the
good ones? Asked about are points on a labelled tissue only, since elsewhere the reference cannot
say whether a mask is good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.datasets.loading import fullest_slice
from mskseg.errors import InputError
from mskseg.evaluation import iou
from mskseg.evaluation.loop import labels_on, reference_mask
from mskseg.evaluation.scoring import described_scan
from mskseg.models.preprocessing import as_rgb_uint8
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import label_components


@dataclass(frozen=True, eq=False)
class Candidates:
    """Masks from a grid of points, before or after a filter."""

    masks: NDArray[np.bool_]  # (N, H, W)
    predicted_iou: NDArray[np.float64]  # (N,) the model's own estimate
    stability: NDArray[np.float64]  # (N,) IoU of a higher and a lower cut: near 1 if sharp
    points: NDArray[np.float64]  # (N, 2) x, y of the grid point that each came from

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        return f"Candidates({len(self)} masks of {self.masks.shape[1]} x {self.masks.shape[2]})"

    def where(self, chosen: NDArray[Any]) -> Candidates:
        """Keep those at `chosen`, which are indices or (N,) bool."""
        return Candidates(
            self.masks[chosen],
            self.predicted_iou[chosen],
            self.stability[chosen],
            self.points[chosen],
        )

    def without_duplicates(self, *, box_iou: float = 0.7) -> Candidates:
        """Of masks whose boxes overlap by more than `box_iou` keep the best by predicted IoU."""
        if not len(self):
            return self
        from torchvision.ops import batched_nms, masks_to_boxes  # here: seconds to import

        # To the largest index, not one more, as upstream: the overlap of boxes depends on it.
        boxes = masks_to_boxes(torch.as_tensor(self.masks)).double()
        scores = torch.as_tensor(self.predicted_iou)
        return self.where(batched_nms(boxes, scores, torch.zeros(len(self)), box_iou).numpy())


def grid_candidates(
    segmenter: Segmenter,
    image: NDArray[Any],
    *,
    points_per_side: int = 32,
    within: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Predict three masks for every point of a grid, and leave out nothing but empty ones.

    Memory grows with the square of `points_per_side` (published: 32). `within` (H, W) bool asks
    only at points in this mask. InputError for a model that did not learn points and its own IoU.
    """
    if not segmenter.learned_iou or segmenter.preprocessing.name != "sam":
        raise InputError(
            f"{segmenter.name} is no SAM that learned points and predicted IoU, which automatic "
            "masks need; use sam_vit_mini or sam_vit_b"
        )
    if points_per_side < 1:
        raise InputError(f"expected 1 grid point a side or more, got {points_per_side}")
    from segment_anything import SamAutomaticMaskGenerator  # here: it imports torchvision
    from segment_anything.utils.amg import build_point_grid

    rgb = as_rgb_uint8(image)
    grid = build_point_grid(points_per_side)
    if within is not None:
        if within.shape != rgb.shape[:2]:
            raise InputError(f"expected `within` of shape {rgb.shape[:2]}, got {within.shape}")
        columns, rows = (grid * within.shape[::-1]).astype(int).T
        grid = grid[within[rows, columns]]
    generator = SamAutomaticMaskGenerator(
        segmenter.model,
        points_per_side=None,
        point_grids=[grid],
        pred_iou_thresh=0.0,
        stability_score_thresh=0.0,
        box_nms_thresh=1.0,
    )
    records = [r for r in generator.generate(rgb) if r["area"] > 0] if len(grid) else []
    return Candidates(
        masks=np.array([r["segmentation"] for r in records], bool).reshape(-1, *rgb.shape[:2]),
        predicted_iou=np.array([r["predicted_iou"] for r in records], np.float64),
        stability=np.array([r["stability_score"] for r in records], np.float64),
        points=np.array([r["point_coords"][0] for r in records], float).reshape(-1, 2) + 0.5,
    )


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
