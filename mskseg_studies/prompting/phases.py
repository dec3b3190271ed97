"""Several images of one slice: the best phase, and what the average or the maximum makes of them.

Hu 2023 asks SAM about each phase of a contrast study and aggregates the answers by average or
maximum. Here the phases are sequences or echoes of one scan, on one grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.models.automatic import grid_candidates
from mskseg.prompts import boxes_from_mask
from mskseg.volume import check_same_grid

_LARGEST_PART = 0.25  # of a slice; a mask above is a background or a whole limb


def score_phases(segmenter: Any, phases: Sequence[Case], *, slice_step: int = 1) -> pd.DataFrame:
    """Score each phase of one person, and the average and maximum of their probabilities.

    Parameters
    ----------
    segmenter : Segmenter
    phases : sequence of Case
        Of one subject on one grid, with references.
    slice_step : int
        Of the labelled slices take every n-th.

    Returns
    -------
    pandas.DataFrame
        A row for each slice, tissue and way: `dataset`, `subject`, `tissue`, `slice`, `phase` (a
        sequence, "average" or "maximum"), `dice` with oracle boxes, and `agreement`, the mean
        overlap (Dice) of a phase's mask with those of the other phases, which needs no reference;
        NaN for average and maximum, and where no other mask could be compared.

    Raises
    ------
    InputError
        If there are fewer than two phases, they are not of one subject and grid, two have one
        name, or there is no reference.
    """
    _check(phases)
    rows = []
    for index in phases[0].labelled_slices()[::slice_step]:
        slices = [case.slice(index) for case in phases]
        label_map = np.asarray(slices[0].label_map)
        for label in np.unique(label_map[label_map > 0]):
            reference = label_map == label
            boxes = boxes_from_mask(reference, spacing_mm=slices[0].spacing_mm)
            if not len(boxes):
                continue
            found = [_probability(segmenter, one.image, boxes) for one in slices]
            ways = {case.sequence: each for case, each in zip(phases, found, strict=True)}
            agreed = _with_others(ways)
            ways |= {"average": np.mean(found, axis=0), "maximum": np.max(found, axis=0)}
            rows += [
                {
                    "dataset": phases[0].dataset,
                    "subject": phases[0].subject,
                    "tissue": phases[0].tissue(int(label)),
                    "slice": index,
                    "phase": way,
                    "dice": dice(reference, probability > 0.5),
                    "agreement": agreed.get(way, float("nan")),
                }
                for way, probability in ways.items()
            ]
    return pd.DataFrame(rows)


def phase_agreement(
    segmenter: Any, phases: Sequence[Case], boxes_xyxy: NDArray[np.float64], *, index: int
) -> pd.DataFrame:
    """Compare the masks of phases with each other, where no reference exists.

    Parameters
    ----------
    segmenter : Segmenter
    phases : sequence of Case
        Of one subject on one grid.
    boxes_xyxy : (N, 4) float
        The same boxes for all, such as a reader's.
    index : int
        Of the slice.

    Returns
    -------
    pandas.DataFrame
        Rows and columns: phases; mean overlap (Dice of one phase's mask with another's) over boxes.
        Agreement, never accuracy. Boxes for which both masks are empty do not count; NaN if none
        is left.

    Raises
    ------
    InputError
        As `score_phases`.
    """
    _check(phases)
    masks = {
        case.sequence: segmenter.predict(
            segmenter.embed(case.slice(index).image), boxes_xyxy=boxes_xyxy
        ).masks[:, 0]
        for case in phases
    }
    return pd.DataFrame(
        {
            first: {
                second: _mean([dice(a, b) for a, b in zip(m, n, strict=True)])
                for second, n in masks.items()
            }
            for first, m in masks.items()
        }
    )


def proposed_boxes(
    segmenter: Any, case: Case, *, index: int, n_boxes: int = 6, points_per_side: int = 16
) -> NDArray[np.float64]:
    """Box what a model finds on a slice by itself, for a scan without a reference.

    Parameters
    ----------
    segmenter : Segmenter
        Of a model that learned points and predicted IoU.
    case : Case
    index : int
        Of the slice.
    n_boxes : int
        At most so many: those with the highest product of predicted IoU and stability.
    points_per_side : int
        Of the grid of points (see `mskseg.models.automatic.grid_candidates`).

    Returns
    -------
    boxes_xyxy : (N, 4) float64
        Each around the largest piece of a mask. Masks below `mskseg.prompts.MIN_AREA_MM2` or above
        a quarter of the slice are left out: they are specks or the background.

    Raises
    ------
    InputError
        If the model did not learn points, or finds nothing.
    """
    one = case.slice(index)
    found = grid_candidates(segmenter, one.image, points_per_side=points_per_side)
    fits = found.masks.mean(axis=(1, 2)) <= _LARGEST_PART
    found = found.where(fits).without_duplicates()
    found = found.where(np.argsort(-found.predicted_iou * found.stability, kind="stable"))
    pieces = [boxes_from_mask(mask, spacing_mm=one.spacing_mm) for mask in found.masks]
    largest = [boxes[_areas(boxes).argmax()] for boxes in pieces if len(boxes)][:n_boxes]
    if not largest:
        raise InputError(f"{segmenter.name} finds nothing to box on slice {index} of {case.name}")
    return np.array(largest)


def agreement_of_proposals(
    segmenter: Any, phases: Sequence[Case], *, index: int | None = None, n_boxes: int = 6
) -> pd.DataFrame:
    """Compare phases on boxes that the model itself proposes on the first of them.

    Parameters
    ----------
    segmenter, phases
        As for `phase_agreement`.
    index : int, optional
        Of the slice; by default the middle one.
    n_boxes : int
        As for `proposed_boxes`.

    Returns
    -------
    pandas.DataFrame
        As `phase_agreement`.

    Raises
    ------
    InputError
        As `phase_agreement` and `proposed_boxes`.
    """
    _check(phases)
    first = phases[0]
    at = first.image.n_slices(first.plane) // 2 if index is None else index
    boxes = proposed_boxes(segmenter, first, index=at, n_boxes=n_boxes)
    return phase_agreement(segmenter, phases, boxes, index=at)


def _areas(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.prod(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], axis=1)
    return areas


def _with_others(probabilities: dict[str, NDArray[np.float32]]) -> dict[str, float]:
    masks = {name: probability > 0.5 for name, probability in probabilities.items()}
    return {
        name: _mean([dice(mask, other) for k, other in masks.items() if k != name])
        for name, mask in masks.items()
    }


def _mean(scores: Sequence[float]) -> float:
    counted = [score for score in scores if not np.isnan(score)]
    return float(np.mean(counted)) if counted else float("nan")


def _probability(segmenter: Any, image: NDArray[np.uint8], boxes: Any) -> NDArray[np.float32]:
    """Probability (H, W) of a tissue: the maximum over its pieces."""
    prediction = segmenter.predict(segmenter.embed(image), boxes_xyxy=boxes)
    highest: NDArray[np.float32] = prediction.probabilities[:, 0].max(axis=0)
    return highest


def _check(phases: Sequence[Case]) -> None:
    if len(phases) < 2:
        raise InputError(f"{len(phases)} phase came, expected two or more images of one person")
    names = [case.sequence for case in phases]
    if len(set(names)) < len(names):
        raise InputError(f"phases are told apart by their sequence, got {', '.join(names)}")
    first = phases[0]
    for other in phases[1:]:
        if other.subject != first.subject:
            raise InputError(
                f"{other.name} and {first.name} are not phases of one scan; give images of one "
                "subject"
            )
        check_same_grid(first.image, other.image, what=(first.sequence, other.sequence))
