"""What tuning gains: subject by subject against the model as it was, with paired intervals."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean, subject_means
from mskseg.evaluation.bootstrap import interval_of_mean
from mskseg_studies.tuning.subsets import Subset

ZERO_SHOT = "zero-shot"
_CELL = ["training_subset", "evaluated_on", "sequence", "part"]
_SUBJECT = [*_CELL[1:], "subject"]


def dice_by_subject(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the Dice of each subject over slices, then over tissues.

    Takes rows of `score_cases` with the columns `training_subset` and `part` added, and gives
    `training_subset, evaluated_on, sequence, part, subject, dice`.
    """
    missing = sorted({"training_subset", "part", "dataset", "dice", "status"} - set(scores))
    if missing:
        raise InputError(
            f"expected a table of `score_parts`, got one without {', '.join(missing)}; "
            "add what is missing to what was scored"
        )
    scored = scores[scores["status"].isin(IN_THE_MEAN)]
    means = subject_means(scored, by=["training_subset", "dataset", "sequence", "part"])
    return means.reset_index().rename(columns={"dataset": "evaluated_on"})


def cross_table(scores: pd.DataFrame, *, subsets: Iterable[Subset], seed: int = 0) -> pd.DataFrame:
    """Set each tuned model beside the model as it was, on everything that was evaluated.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `score_parts`; the rows of the untuned model have the training subset "zero-shot".
    subsets : iterable of Subset
        Those that were tuned on; they say what is in-distribution.
    seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        A row for each subset, data set, sequence and part: `kinship` (see
        `Subset.kinship`), `in_distribution`, `dice_zero_shot`, `dice_tuned`, `gain`,
        `gain_low`, `gain_high`, `relative_gain`, `n_subjects`. The interval is that of
        `bootstrap.interval_of_mean` at 95 per cent, not corrected for the number of cells.
        InputError if there is no zero-shot row, or a subject was scored by the tuned model only.
    """
    means = dice_by_subject(scores)
    before = means[means["training_subset"] == ZERO_SHOT].set_index(_SUBJECT)["dice"]
    if before.empty:
        raise InputError(
            "expected rows of the training subset 'zero-shot', got none; score the untuned model"
        )
    named_subsets = {subset.name: subset for subset in subsets}
    rows = []
    for key, cell in means[means["training_subset"] != ZERO_SHOT].groupby(_CELL, sort=False):
        named = dict(zip(_CELL, key, strict=True))
        subset = named_subsets[named["training_subset"]]
        kinship = subset.kinship(named["evaluated_on"], named["sequence"])
        after = cell.set_index(_SUBJECT)["dice"]
        rows.append(
            named
            | {"kinship": kinship, "in_distribution": kinship == "in"}
            | _compared(before, after, seed=seed)
        )
    return pd.DataFrame(rows)


def _compared(before: pd.Series, after: pd.Series, *, seed: int) -> dict[str, float]:
    absent = int((~after.index.isin(before.index)).sum())
    if absent:
        raise InputError(
            f"expected the same scans scored zero-shot and tuned, got {absent} scored by a tuned "
            "model only; score both on the same cases"
        )
    zero_shot = before.reindex(after.index)
    gains = after - zero_shot
    low, high = interval_of_mean(gains, seed=seed)
    return {
        "dice_zero_shot": zero_shot.mean(),
        "dice_tuned": after.mean(),
        "gain": gains.mean(),
        "gain_low": low,
        "gain_high": high,
        "relative_gain": gains.mean() / zero_shot.mean(),
        "n_subjects": len(gains),
    }


def tissue_changes(
    scores: pd.DataFrame, training_subset: str, *, part: str = "test"
) -> pd.DataFrame:
    """Set each tissue's mean Dice after tuning beside that before, those that lost most on top.

    Takes a table of `score_parts`, and the training subset of the tuned model.

    Returns
    -------
    pandas.DataFrame
        By data set and tissue: `filled_box`, `zero_shot`, `tuned`, `change` (means over the slices
        of a subject, then over the subjects), `n_pairs` of slice and tissue. InputError if nothing
        was scored of that part by both.
    """
    scored = scores[scores["status"].isin(IN_THE_MEAN) & (scores["part"] == part)]
    keys = ["dataset", "tissue"]
    before = scored[scored["training_subset"] == ZERO_SHOT]
    after = scored[scored["training_subset"] == training_subset]
    if before.empty or after.empty:
        raise InputError(
            f"expected scores of {part} both zero-shot and tuned on {training_subset}, got none; "
            "score both"
        )
    untuned = nested_mean(before, by=keys, values=["filled_box_dice", "dice"]).set_index(keys)
    tuned = nested_mean(after, by=keys).set_index(keys)
    table = pd.DataFrame(
        {
            "filled_box": untuned["filled_box_dice"],
            "zero_shot": untuned["dice"],
            "tuned": tuned["dice"],
            "n_pairs": untuned["n_objects"],
        }
    )
    return table.assign(change=table["tuned"] - table["zero_shot"]).sort_values("change")
