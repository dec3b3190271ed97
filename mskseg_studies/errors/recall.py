"""Bring back the masks behind rows of a table, to look at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.evaluation.prediction import LabelPrediction, PromptableSegmenter, predict_slice
from mskseg.evaluation.scoring import SCAN
from mskseg.prompts.plans import OraclePlan


def predictions_of(
    rows: pd.DataFrame,
    segmenter: PromptableSegmenter,
    cases: Iterable[Case],
    *,
    plan: OraclePlan,
) -> list[LabelPrediction]:
    """Predict again what stands in rows of a table; a segmenter's cache spares the encoder.

    Parameters
    ----------
    rows : pandas.DataFrame
        With `slice`, `label` and the columns `rows.SCAN`, from `score_cases`.
    segmenter : PromptableSegmenter
    cases : iterable of Case
        Those that were scored.
    plan : OracleBox or OraclePoint
        The one of the rows.

    Returns
    -------
    list of LabelPrediction
        One for each row, in their order.

    Raises
    ------
    InputError
        If a row's scan is not among the cases.
    """
    found = []
    for row in rows.to_dict("records"):
        case = _case_of(row, cases)
        found.append(predict_slice(segmenter, case, case.slice(row["slice"]), plan)[row["label"]])
    return found


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
