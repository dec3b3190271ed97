"""Bring back the masks behind rows of a table, to look at them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
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


def _case_of(row: dict[Any, Any], cases: Iterable[Case]) -> Case:
    wanted = tuple(row[name] for name in SCAN)
    for case in cases:
        if wanted == tuple(getattr(case, name) for name in SCAN):
            return case
    raise InputError(
        f"{'/'.join(filter(None, wanted))} is not among the cases; give those that were scored"
    )
