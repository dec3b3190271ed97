"""Which of SAM's three masks it picks itself, and which was the best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.scoring import SCAN, described_scan
from mskseg.prompts import boxes_from_mask, central_point, label_components

Prompt = Literal["point", "box"]


def score_three_masks(
    segmenter: Any,
    cases: Iterable[Case],
    *,
    prompts: Sequence[Prompt] = ("point", "box"),
    slice_step: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Ask for three masks of each tissue that is in one piece, and score all of them.

    Parameters
    ----------
    segmenter : Segmenter
        One that learned to predict IoU; without that it cannot choose.
    cases : iterable of Case
        With references.
    prompts : sequence of {"point", "box"}
        A click on the most central place, or the tight oracle box.
    slice_step : int
        Take every n-th slice, counted as `score_cases` does.
    progress : bool
        Show a bar.

    Returns
    -------
    pandas.DataFrame
        A row for each object and prompt: `segmenter`, `dataset`, `subject`, `sequence`, `tissue`,
        `label`, `slice`, `prompt`, `x` and `y` (of the click), `single` (Dice of the one mask that
        the model gives if asked for one), `chosen` (Dice of the mask that it rates highest),
        `best`, `worst`, `chosen_mask` and `best_mask` (0, 1 or 2).

    Raises
    ------
    InputError
        If the segmenter never learned to rate masks, or there is nothing to ask about.
    """
    if not getattr(segmenter, "learned_iou", True):
        raise InputError(
            f"{segmenter.name} never learned to rate its masks, so it cannot choose one of three; "
            "give a model with predicted IoU"
        )
    slices = [
        (case, one)
        for case in cases
        for one in case.slices(step=slice_step)
        if np.any(one.label_map)
    ]
    rows = [
        {"segmenter": segmenter.name, **row}
        for case, one in tqdm(slices, desc="three masks", unit="slice", disable=not progress)
        for row in _slice_rows(segmenter, case, one, prompts)
    ]
    if not rows:
        raise InputError("no tissue is in one piece large enough to ask about; check the cases")
    return pd.DataFrame(rows)


def summarise_choice(scores: pd.DataFrame) -> pd.DataFrame:
    """Average `score_three_masks`: over slices of a tissue, then tissues, then subjects.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter and prompt: means of `single`, `chosen` and `best`, `lost` (best
        less chosen), `share_best` (how often the best one was chosen) and `n_objects`.
    """
    keys, values = ["segmenter", "prompt"], ["single", "chosen", "best", "share_best"]
    told = scores.assign(share_best=(scores["chosen_mask"] == scores["best_mask"]).astype(float))
    means = nested_mean(told, by=keys, values=values)
    lost = means.assign(lost=means["best"] - means["chosen"])
    return lost[[*keys, "single", "chosen", "best", "lost", "share_best", "n_objects"]]


@dataclass(frozen=True, eq=False)
class ThreeMasks:
    """The three masks of one click, to be shown.

    Attributes
    ----------
    case_slice : CaseSlice
    masks : (3, H, W) bool
    point : (2,) float64
        The click, x and y in pixels of the slice.
    tissue : str
    titles : tuple of str
        The model's rating and the Dice of each mask.
    """

    case_slice: CaseSlice
    masks: NDArray[np.bool_]
    point: NDArray[np.float64]
    tissue: str
    titles: tuple[str, ...]


def most_lost(picks: pd.DataFrame, segmenter: Any, cases: Iterable[Case]) -> ThreeMasks:
    """Bring back the click on which the choice of a mask lost most.

    Parameters
    ----------
    picks : pandas.DataFrame
        From `mskseg_studies.errors.three_masks.score_three_masks`, with clicks.
    segmenter : Segmenter
        The one of the table.
    cases : iterable of Case
        Those that were scored.

    Returns
    -------
    ThreeMasks

    Raises
    ------
    InputError
        If the table holds no click, or its scan is not among the cases.
    """
    clicks = picks[picks["prompt"] == "point"]
    if clicks.empty:
        raise InputError("the table holds no click; score three masks with the prompt 'point'")
    row = clicks.loc[(clicks["best"] - clicks["chosen"]).idxmax()].to_dict()
    one = _case_of(row, cases).slice(row["slice"])
    point = np.array([row["x"], row["y"]], dtype=np.float64)
    answer = segmenter.predict(
        segmenter.embed(one.image), point_coords=point[None], point_labels=[1], multimask=True
    )
    reference = np.asarray(one.label_map) == row["label"]
    titles = tuple(
        f"rated {rated:.2f}, Dice {dice(reference, mask):.2f}"
        for rated, mask in zip(answer.predicted_iou[0], answer.masks[0], strict=True)
    )
    return ThreeMasks(one, answer.masks[0], point, row["tissue"], titles)


def _case_of(row: dict[Any, Any], cases: Iterable[Case]) -> Case:
    wanted = tuple(row[name] for name in SCAN)
    for case in cases:
        if wanted == tuple(getattr(case, name) for name in SCAN):
            return case
    raise InputError(
        f"{'/'.join(filter(None, wanted))} is not among the cases; give those that were scored"
    )


def _slice_rows(
    segmenter: Any, case: Case, one: CaseSlice, prompts: Sequence[Prompt]
) -> Iterator[dict[str, Any]]:
    objects = dict(_single_pieces(one))
    if not objects:
        return
    embedding = segmenter.embed(one.image)
    masks, spacing_mm = objects.values(), one.spacing_mm
    points = np.array([[central_point(mask, spacing_mm=spacing_mm)] for mask in masks])
    boxes = np.concatenate([boxes_from_mask(mask, spacing_mm=spacing_mm) for mask in masks])
    inside = np.ones(points.shape[:2], dtype=np.int64)
    asked = {
        "point": {"point_coords": points, "point_labels": inside},
        "box": {"boxes_xyxy": boxes},
    }
    for prompt in prompts:
        three = segmenter.predict(embedding, **asked[prompt], multimask=True)
        one_mask = segmenter.predict(embedding, **asked[prompt])
        for number, (label, reference) in enumerate(objects.items()):
            scores = [dice(reference, mask) for mask in three.masks[number]]
            chosen = int(np.argmax(three.predicted_iou[number]))
            yield {
                **described_scan(case),
                "tissue": case.tissue(label),
                "label": label,
                "slice": one.index,
                "prompt": prompt,
                "x": points[number, 0, 0],
                "y": points[number, 0, 1],
                "single": dice(reference, one_mask.masks[number, 0]),
                "chosen": scores[chosen],
                "best": max(scores),
                "worst": min(scores),
                "chosen_mask": chosen,
                "best_mask": int(np.argmax(scores)),
            }


def _single_pieces(one: CaseSlice) -> Iterator[tuple[int, Any]]:
    label_map = np.asarray(one.label_map)
    for label in np.unique(label_map[label_map > 0]).tolist():
        mask = label_map == label
        boxes = boxes_from_mask(mask, spacing_mm=one.spacing_mm)
        pieces, _ = label_components(mask, spacing_mm=one.spacing_mm, min_area_mm2=0.0)
        if len(boxes) == 1 and pieces.max() == 1:
            yield int(label), mask
