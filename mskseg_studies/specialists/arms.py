"""No oracle leak: the same people under models that are told where, and that find it themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import nested_mean, summarise
from mskseg.evaluation.prediction import Named, PromptableSegmenter
from mskseg.evaluation.scoring import score_cases, score_label_maps
from mskseg.evaluation.tables import volume_table
from mskseg.prompts.plans import OracleBox, SpecialistBox
from mskseg_studies.specialists.volumes import Predictions

TOLD, FINDS = "told where", "finds it"


def score_arms(
    cases: Iterable[Case],
    *,
    prompted: Iterable[PromptableSegmenter],
    automatic: Iterable[tuple[Named, Predictions]],
    informed: Iterable[tuple[Named, Predictions]] = (),
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score every slice under the arms that a fair comparison needs.

    Parameters
    ----------
    cases : iterable of Case
        Each with a reference.
    prompted : iterable of PromptableSegmenter
        Each with tight boxes of the reference; the first one also with boxes around the predictions
        of the first automatic model.
    automatic : iterable of (Named, Predictions)
        Models that need no prompt, with what they predicted for these cases.
    informed : iterable of (Named, Predictions), optional
        The same for models that got the reference's boxes as channels of their image.
    slice_step : int
        Take every n-th slice; with more than 1 the Dice of the volume is that of the slices taken.

    Returns
    -------
    pandas.DataFrame
        Of `score_cases` and `score_label_maps`, with `arm`, its name, and `told`: "told where" if
        anything comes from the reference, else "finds it".

    Raises
    ------
    InputError
        If there is no prompted or no automatic model.
    """
    given, models, alone = list(cases), list(prompted), list(automatic)
    if not models or not alone:
        raise InputError(
            f"{len(models)} prompted and {len(alone)} automatic models came, expected one or more "
            "of each; give both"
        )
    first, (finder, found) = models[0], alone[0]
    how: dict[str, Any] = {"slice_step": slice_step, "progress": False}
    plan = SpecialistBox(found.label_maps, finder.name)
    parts = []
    for model in models:
        table = score_cases(model, given, prompts=OracleBox(), **how)
        parts.append((f"{model.name}, reference boxes", TOLD, table))
    for each, what in informed:
        table = score_label_maps(each, given, what.label_maps, **how)
        parts.append((each.name, TOLD, table))
    table = score_cases(first, given, prompts=plan, **how)
    parts.append((f"{first.name}, boxes of {finder.name}", FINDS, table))
    for each, what in alone:
        table = score_label_maps(each, given, what.label_maps, **how)
        parts.append((f"{each.name} alone", FINDS, table))
    return pd.concat(
        [table.assign(arm=arm, told=told) for arm, told, table in parts], ignore_index=True
    )


def arm_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average the arms of `score_arms`.

    Returns
    -------
    pandas.DataFrame
        A row for each arm in the table's order: `arm`, `told`, `volume_dice` with its standard
        deviation between subjects, `slice_dice` (the mean of notebook 03, over slices that hold the
        structure), `n_beyond_end` (pairs of slice and tissue predicted where there is none),
        `n_missing`, `n_subjects`.
    """
    rows = []
    for (arm, told), some in table.groupby(["arm", "told"], sort=False):
        volumes = nested_mean(
            volume_table(some).assign(arm=arm), by=["arm"], values=["volume_dice"]
        )
        slices = summarise(some).iloc[0]
        rows.append(
            {
                "arm": arm,
                "told": told,
                "volume_dice": volumes["volume_dice"].item(),
                "volume_dice_sd": volumes["volume_dice_sd"].item(),
                "slice_dice": slices["dice"],
                **{name: int(slices[name]) for name in ("n_beyond_end", "n_missing", "n_subjects")},
            }
        )
    return pd.DataFrame(rows)
