"""How Dice grows with clicks: a simulated reader corrects a mask, one click after another.

After Hu 2023 (1, 5, 10, 20 points) with the reader of Kirillov 2023: the first click goes to the
middle of the object, each further one to where the error is deepest, missed or added. With each
click the model gets all clicks so far and its own last mask.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.surfaces import outline_mm
from mskseg.prompts import boxes_from_mask, central_point, error_point, random_points

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
        With references. An object is a tissue on a slice; one without a piece of the minimum
        area (`mskseg.prompts.MIN_AREA_MM2`) is left out, since nobody would draw its box.
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
        A row for each object, strategy and number of points: `case`, `dataset`, `subject`,
        `anatomy`, `sequence`, `tissue`, `slice`, `outline_mm` (length of the reference's outline),
        `n_boxes` (its pieces), `strategy`, `n_points`, and Dice of three answers to the same
        clicks: `dice` of the mask that is kept and corrected (after one click the highest rated of
        three, after more the single one, as SAM was trained), `rated_dice` of three masks' highest
        rated one (the first, if the model rates none), `best_dice` of three masks' best, which
        needs the reference to be known. And with the strategy "box" and 0 points one row for the
        union of its tight boxes' answers; there `rated_dice` and `best_dice` are NaN, since one
        mask is asked for.

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
            point, label = error_point(self.reference, self.prediction, spacing_mm=spacing_mm)
        self.points.append(point)
        self.labels.append(label)


@dataclass(frozen=True)
class _Object:
    """A tissue on a slice."""

    mask: Mask
    boxes: NDArray[np.float64]
    described: dict[str, Any]


def _slice_rows(
    segmenter: Any,
    case: Case,
    one: CaseSlice,
    counts: Sequence[int],
    strategies: Sequence[Strategy],
    seed: int,
) -> Iterator[dict[str, Any]]:
    objects = _objects(case, one)
    if not objects:
        return
    embedding = segmenter.embed(one.image)
    for each in objects:
        answer = segmenter.predict(embedding, boxes_xyxy=each.boxes).masks[:, 0].any(axis=0)
        yield each.described | {
            "strategy": "box",
            "n_points": 0,
            "dice": dice(each.mask, answer),
            "rated_dice": np.nan,
            "best_dice": np.nan,
        }
    masks = [each.mask for each in objects]
    for strategy in strategies:
        # Of the slice alone: the same clicks whatever else is scored.
        rng = np.random.default_rng([seed, zlib.crc32(case.name.encode()), one.index])
        for clicks, scores in _clicked(segmenter, embedding, masks, counts, strategy, rng, one):
            for each, score in zip(objects, scores, strict=True):
                yield each.described | {"strategy": strategy, "n_points": clicks} | score


def _objects(case: Case, one: CaseSlice) -> list[_Object]:
    label_map, found = np.asarray(one.label_map), []
    for label in np.unique(label_map[label_map > 0]):
        mask = label_map == label
        boxes = boxes_from_mask(mask, spacing_mm=one.spacing_mm)
        described = {
            "case": case.name,
            "dataset": case.dataset,
            "subject": case.subject,
            "anatomy": case.anatomy,
            "sequence": case.sequence,
            "tissue": case.tissue(int(label)),
            "slice": one.index,
            "outline_mm": outline_mm(mask, spacing_mm=one.spacing_mm),
            "n_boxes": len(boxes),
        }
        if len(boxes):
            found.append(_Object(mask, boxes, described))
    return found


def _clicked(
    segmenter: Any,
    embedding: Any,
    masks: Sequence[Mask],
    counts: Sequence[int],
    strategy: Strategy,
    rng: np.random.Generator,
    one: CaseSlice,
) -> Iterator[tuple[int, list[dict[str, float]]]]:
    """Click on all objects of a slice together: one call of the decoder for each click."""
    readers, logits = [_Reader(mask) for mask in masks], None
    each = np.arange(len(readers))
    for clicks in range(1, counts[-1] + 1):
        for reader in readers:
            reader.click(strategy, rng, one.spacing_mm)
        asked = {
            "point_coords": np.array([reader.points for reader in readers]),
            "point_labels": np.array([reader.labels for reader in readers]),
            "mask_logits": logits,
        }
        kept = segmenter.predict(embedding, **asked, multimask=clicks == 1)
        three = kept
        if clicks in counts and clicks > 1:
            three = segmenter.predict(embedding, **asked, multimask=True)
        chosen = _highest_rated(kept)
        logits = kept.low_res_logits[each, chosen]
        for reader, found in zip(readers, kept.masks[each, chosen], strict=True):
            reader.prediction = found
        if clicks in counts:
            yield clicks, _scores(readers, three)


def _highest_rated(prediction: Any) -> NDArray[np.intp]:
    rated: NDArray[np.intp] = np.nan_to_num(prediction.predicted_iou, nan=-np.inf).argmax(axis=1)
    return rated


def _scores(readers: Sequence[_Reader], three: Any) -> list[dict[str, float]]:
    scores = []
    for reader, found, rated in zip(readers, three.masks, _highest_rated(three), strict=True):
        of_masks = [dice(reader.reference, mask) for mask in found]
        scores.append(
            {
                "dice": dice(reader.reference, np.asarray(reader.prediction)),
                "rated_dice": of_masks[rated],
                "best_dice": max(of_masks),
            }
        )
    return scores
