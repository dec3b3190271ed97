"""Whole volumes, empty slices included: what a model draws where there is nothing to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from mskseg.case import Case
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean
from mskseg.evaluation.tables import volume_table

_MODEL = ["training_subset", "role", "box_source"]
_NUMBERS = ["dice", "volume_dice", "n_subjects", "n_slices", "n_empty", "n_false"]


def whole_volumes(
    scores: pd.DataFrame, cases: Sequence[Case], *, slice_step: int = 1
) -> pd.DataFrame:
    """Tell of whole volumes how well they are drawn, and on how many empty slices something is.

    A slice is empty if its reference has no label at all. Boxes from the reference ask nothing
    there; boxes from the neighbouring slice do.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `TuningBench.score`.
    cases : sequence of Case
        What was scored, in every `slice_step`-th slice.

    Returns
    -------
    pandas.DataFrame
        A row for each `training_subset`, `role`, `box_source`, and `evaluated_on`: `dice` (mean
        over slices, tissues, subjects), `volume_dice` (of whole structures, over tissues, then
        subjects), `n_subjects`, `n_slices`, `n_empty`, and `n_false`, the empty slices with a
        prediction (NaN for oracle boxes, which were not asked).
    """
    empty = {case.name: _empty_slices(case, slice_step) for case in cases}
    rows = []
    for key, of_model in scores.groupby([*_MODEL, "dataset"], sort=False):
        named = dict(zip([*_MODEL, "dataset"], key, strict=True))
        mine = [
            case
            for case in cases
            if case.dataset == named["dataset"] and case.subject in set(of_model["subject"])
        ]
        drawn = of_model[of_model["predicted_area_mm2"] > 0]
        places = set(zip(drawn["subject"], drawn["sequence"], drawn["slice"], strict=True))
        false = [k for c in mine for k in empty[c.name] if (c.subject, c.sequence, k) in places]
        scored = of_model[of_model["status"].isin(IN_THE_MEAN)]
        of_volumes = nested_mean(volume_table(of_model), values=["volume_dice"])
        rows.append(
            named
            | {
                "dice": float(nested_mean(scored)["dice"].iloc[0]),
                "volume_dice": float(of_volumes["volume_dice"].iloc[0]),
                "n_subjects": of_model["subject"].nunique(),
                "n_slices": sum(len(range(0, c.image.n_slices(c.plane), slice_step)) for c in mine),
                "n_empty": sum(len(empty[case.name]) for case in mine),
                "n_false": math.nan if named["box_source"] == "oracle" else len(false),
            }
        )
    columns = [*_MODEL, "dataset", *_NUMBERS]
    return pd.DataFrame(rows, columns=columns).rename(columns={"dataset": "evaluated_on"})


def _empty_slices(case: Case, slice_step: int) -> set[int]:
    return set(range(0, case.image.n_slices(case.plane), slice_step)) - set(case.labelled_slices())
