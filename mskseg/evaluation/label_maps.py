"""Score models that need no prompt: label maps of whole cases -> the rows of `score_cases`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mskseg.evaluation.prediction import LabelPrediction, Named, areas_px, check_run, promptable_px
from mskseg.evaluation.rows import described_case, described_model, scores_of
from mskseg.evaluation.tables import COLUMNS, listed_cases
from mskseg.prompts import MIN_AREA_MM2, boxes_from_mask
from mskseg.volume import check_same_grid

if TYPE_CHECKING:
    from mskseg.case import Case, CaseSlice
    from mskseg.volume import Array, LabelMap, Plane

_NO_PROMPT = {"prompt": "none", "box_source": "none", "n_points": 0}


def score_label_maps(
    model: Named,
    cases: Case | Iterable[Case],
    label_maps: Mapping[str, LabelMap],
    *,
    plane: Plane | None = None,
    min_area_mm2: float = MIN_AREA_MM2,
    slice_step: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Score an automatic model's label maps on the same pairs as promptable models.

    Parameters
    ----------
    model : Named
        Whose `name` and `miniature` go into the table.
    cases : Case or iterable of Case
        Each with a reference.
    label_maps : mapping of str to LabelMap
        Predictions by name of the case, on the case's grid and in the values of its reference. A
        case without one is **missing**: each of its pairs has the status ``missing``, a Dice of 0,
        and is in the mean.
    plane, min_area_mm2, slice_step, progress
        As in `mskseg.evaluation.score_cases`; the same values give the same pairs.

    Returns
    -------
    pandas.DataFrame
        With `COLUMNS` of `mskseg.evaluation.tables`: a row for each label that the reference or the
        prediction has on a slice. `prompt` and `box_source` are "none", `n_prompts` is 0, and
        `filled_box_dice` is that of the reference's tight boxes, which the model did not know. What
        it predicts where the reference has nothing has the status ``beyond_end``.

    Raises
    ------
    InputError
        If there is no case, a case has no reference, or a label map lies on another grid.
    """
    rows: list[dict[str, Any]] = []
    given = listed_cases(cases)
    for case in tqdm(given, desc=model.name, unit="case", disable=not progress):
        check_run(case, min_area_mm2=min_area_mm2, slice_step=slice_step)
        found = label_maps.get(case.name)
        if found is not None:
            check_same_grid(case.image, found)
        described = described_model(model) | described_case(case) | _NO_PROMPT
        for at in case.slices(plane, step=slice_step):
            labels = None if found is None else found.slice(at.plane, at.index)
            for each in _predictions(at, labels, min_area_mm2=min_area_mm2):
                scores = scores_of(each) | {"n_prompts": 0}
                rows.append(described | {"tissue": case.tissue(each.label)} | scores)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _predictions(
    at: CaseSlice, found: Array | None, *, min_area_mm2: float
) -> Iterator[LabelPrediction]:
    """One for each label that the reference or the prediction has on a slice, ascending."""
    predicted = np.zeros(at.image.shape, np.uint8) if found is None else found
    how: dict[str, Any] = {"spacing_mm": at.spacing_mm, "min_area_mm2": min_area_mm2}
    for label in sorted({*areas_px(at), *np.unique(predicted).tolist()} - {0}):
        reference = np.asarray(at.label_map) == label
        yield LabelPrediction(
            case_slice=at,
            label=int(label),
            reference=reference,
            prediction=predicted == label,
            boxes_xyxy=boxes_from_mask(reference, **how),
            promptable_px=promptable_px(reference, **how),
            predicted_iou=math.nan,
            encode_s=math.nan,
            decode_s=math.nan,
            missing=found is None,
        )
