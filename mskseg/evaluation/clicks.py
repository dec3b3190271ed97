"""How Dice grows with clicks: a simulated reader corrects a mask, one click after another.

After Hu 2023 (1, 5, 10, 20 points) with the reader of Kirillov 2023: the first click goes to the
middle of the object, each further one to the deepest place of the larger error. With each click the
model gets all clicks so far and its own last mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mskseg.data.cases import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.prompts import MIN_AREA_MM2, boxes_from_mask, central_point, error_point, random_points

Strategy = Literal["corrective", "random"]
Mask = NDArray[np.bool_]

HU_POINTS = (1, 5, 10, 20)
"""The numbers of points that Hu 2023 compares."""


def click_curves(
    segmenter: Any,
    cases: Iterable[Case],
    *,
    n_points: Sequence[int] = HU_POINTS,
    strategies: Sequence[Strategy] = ("corrective", "random"),
    slice_step: int = 1,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Score every tissue of every slice after each of some numbers of clicks, and its box.

    Parameters
    ----------
    segmenter : Segmenter
        Of a model that learned points.
    cases : iterable of Case
        With references. Slices on which a tissue has less than the minimum area are left out.
    n_points : sequence of int
        When to score.
    strategies : sequence of {"corrective", "random"}
        Where clicks go after the first: to the error, or anywhere inside.
    slice_step : int
        Of the labelled slices take every n-th.
    seed : int
        Of random clicks.
    progress : bool
        Show a bar.

    Returns
    -------
    pandas.DataFrame
        A row for each object, strategy and number of points: `dataset`, `subject`, `anatomy`,
        `sequence`, `tissue`, `slice`, `outline_mm` (length of the reference's outline),
        `strategy`, `n_points`, `dice` (of the mask that the model rates highest), `best_dice` (of
        its best mask, which needs the reference to be known); and with the strategy "box" and 0
        points one row for its tight boxes.

    Raises
    ------
    InputError
        If there is nothing to click on, or a number is below 1.
    """
    counts = sorted(set(n_points))
    if not counts or counts[0] < 1:
        raise InputError(f"n_points is {list(n_points)}, expected numbers of 1 or more")
    slices = [
        (case, one) for case in cases for one in case.slices(labelled_only=True, step=slice_step)
    ]
    rows = [
        row
        for case, one in tqdm(slices, desc="clicks", unit="slice", disable=not progress)
        for row in _slice_rows(segmenter, case, one, counts, strategies, seed)
    ]
    if not rows:
        raise InputError("there is no tissue to click on; check the cases and the slice step")
    return pd.DataFrame(rows)


@dataclass
class _Reader:
    """One object that is being clicked on."""

    reference: Mask
    points: list[NDArray[np.float64]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    prediction: Mask | None = None

    def click(
        self, strategy: Strategy, rng: np.random.Generator, spacing_mm: tuple[float, float]
    ) -> None:
        if self.prediction is None:
            point, label = central_point(self.reference, spacing_mm=spacing_mm), 1
        elif strategy == "random" or np.array_equal(self.prediction, self.reference):
            point, label = random_points(self.reference, 1, rng=rng)[0], 1
        else:
            point, label = error_point(self.reference, self.prediction)
        self.points.append(point)
        self.labels.append(label)


def _slice_rows(
    segmenter: Any,
    case: Case,
    one: CaseSlice,
    counts: Sequence[int],
    strategies: Sequence[Strategy],
    seed: int,
) -> Iterator[dict[str, Any]]:
    label_map = np.asarray(one.label_map)
    pixel_mm2 = float(np.prod(one.spacing_mm))
    labels = [
        int(k)
        for k in np.unique(label_map[label_map > 0])
        if np.count_nonzero(label_map == k) * pixel_mm2 >= MIN_AREA_MM2
    ]
    masks = [label_map == k for k in labels]
    if not masks:
        return
    described = [
        {
            "dataset": case.dataset,
            "subject": case.subject,
            "anatomy": case.anatomy,
            "sequence": case.sequence,
            "tissue": case.tissue(label),
            "slice": one.index,
            "outline_mm": outline_mm(mask, spacing_mm=one.spacing_mm),
        }
        for label, mask in zip(labels, masks, strict=True)
    ]
    embedding = segmenter.embed(one.image)
    for what, mask in zip(described, masks, strict=True):
        boxes = boxes_from_mask(mask, spacing_mm=one.spacing_mm)
        if len(boxes):
            answer = segmenter.predict(embedding, boxes_xyxy=boxes).masks[:, 0].any(axis=0)
            score = dice(mask, answer)
            yield what | {"strategy": "box", "n_points": 0, "dice": score, "best_dice": score}
    for strategy in strategies:
        rng = np.random.default_rng([seed, one.index])
        for clicks, scores in _clicked(segmenter, embedding, masks, counts, strategy, rng, one):
            for what, (chosen, best) in zip(described, scores, strict=True):
                yield what | {
                    "strategy": strategy,
                    "n_points": clicks,
                    "dice": chosen,
                    "best_dice": best,
                }


def _clicked(
    segmenter: Any,
    embedding: Any,
    masks: Sequence[Mask],
    counts: Sequence[int],
    strategy: Strategy,
    rng: np.random.Generator,
    one: CaseSlice,
) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    """Click on all objects of a slice together: one call of the decoder for each click."""
    readers, logits = [_Reader(mask) for mask in masks], None
    for clicks in range(1, counts[-1] + 1):
        for reader in readers:
            reader.click(strategy, rng, one.spacing_mm)
        prediction = segmenter.predict(
            embedding,
            point_coords=np.array([reader.points for reader in readers]),
            point_labels=np.array([reader.labels for reader in readers]),
            mask_logits=logits,
            multimask=clicks == 1,
        )
        chosen = np.nan_to_num(prediction.predicted_iou).argmax(axis=1)
        each = np.arange(len(readers))
        logits = prediction.low_res_logits[each, chosen]
        for reader, found in zip(readers, prediction.masks[each, chosen], strict=True):
            reader.prediction = found
        if clicks in counts:
            yield (
                clicks,
                [
                    (dice(r.reference, found[k]), max(dice(r.reference, mask) for mask in found))
                    for r, found, k in zip(readers, prediction.masks, chosen, strict=True)
                ],
            )


def outline_mm(mask: Mask, *, spacing_mm: tuple[float, float]) -> float:
    """Length in mm of the line that a reader would draw around a mask (H, W), holes included."""
    from skimage import measure

    contours: Any = measure.find_contours
    lines = contours(np.pad(mask.astype(float), 1), 0.5)
    return float(sum(np.hypot(*(np.diff(line, axis=0) * spacing_mm).T).sum() for line in lines))
