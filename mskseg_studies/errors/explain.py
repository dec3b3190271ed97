"""What goes with a low Dice: size, width, contrast, place in the structure, slack of the box.

Rank correlations, not causes: thin tissues are also faint and also small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN
from mskseg.evaluation.scoring import SCAN

KEYS = (*SCAN, "tissue", "slice")
EFFECTS = {
    "area_mm2": "area",
    "thickness_mm": "thickness",
    "contrast_size": "contrast, whatever its sign",
    "from_end": "slices to the structure's end",
    "filled_box_dice": "Dice of the filled box",
    "reference fat fraction": "fat fraction in the muscle",
}
"""Columns of `with_properties` and what they are called in tables and figures; the last is there
only where a map of fat was measured."""

FAINT, THIN_MM, WIDE, NARROW = 0.5, 3.0, 1.5, 0.5
_NONE = "none of these"


def with_properties(scores: pd.DataFrame, properties: pd.DataFrame) -> pd.DataFrame:
    """Set what a tissue looks like beside how it was scored.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `mskseg.evaluation.score_cases`; only pairs that count in a mean are kept.
    properties : pandas.DataFrame
        From `mskseg.evaluation.tissue_properties`, of the same cases; with `slice_step` 1, so that
        a structure's ends are known.

    Returns
    -------
    pandas.DataFrame
        `scores` with `thickness_mm`, `shape`, `contrast`, `contrast_size` (its absolute value) and
        `from_end`: how many of the tissue's measured slices lie between this one and its first
        or last.

    Raises
    ------
    InputError
        If a scored pair has no properties.
    """
    keys = list(KEYS)
    scored = scores[scores["status"].isin(IN_THE_MEAN) & (scores["area_mm2"] > 0)]
    wanted = properties[[*keys, "thickness_mm", "shape", "contrast"]]
    wanted = wanted.assign(from_end=_from_end(properties))
    joined = scored.merge(wanted, on=keys, how="left", validate="many_to_one")
    if joined["thickness_mm"].isna().any():
        lost = joined[joined["thickness_mm"].isna()].iloc[0]
        raise InputError(
            f"{lost['tissue']} on slice {lost['slice']} of {lost['subject']} was scored but not "
            "measured; give properties of the same cases with the same slice_step"
        )
    finite = joined["contrast"].replace([np.inf, -np.inf], np.nan)
    return joined.assign(contrast_size=finite.abs())


def _from_end(properties: pd.DataFrame) -> pd.Series[float]:
    structure = [properties[key] for key in KEYS[:-1]]
    order = properties["slice"].groupby(structure).rank(method="dense") - 1
    return np.minimum(order, order.groupby(structure).transform("max") - order)


def effects(
    joined: pd.DataFrame, *, by: Sequence[str] = ("segmenter", "box_source"), score: str = "dice"
) -> pd.DataFrame:
    """Rank correlation of a score with each of `EFFECTS`.

    Parameters
    ----------
    joined : pandas.DataFrame
        From `with_properties`.
    by : sequence of str
        Columns that make a row each, times the effects.
    score : str

    Returns
    -------
    pandas.DataFrame
        `by`, `effect`, `spearman`, `within_tissues` (the same of the deviations from each tissue's
        own mean: what is left once tissues are not compared with each other) and `n_pairs`,
        strongest first within a group. No p value: slices of one person are not independent.
    """
    rows = [
        {**dict(zip(by, key, strict=True)), "effect": name, **_correlated(group, column, score)}
        for key, group in joined.groupby(list(by), sort=False)
        for column, name in EFFECTS.items()
        if column in group
    ]
    table = pd.DataFrame(rows)
    strength = table["spearman"].abs().fillna(0)
    return table.assign(strength=strength).sort_values(
        [*by, "strength"], ascending=[True] * len(by) + [False], kind="stable"
    ).drop(columns="strength").reset_index(drop=True)  # fmt: skip


def _correlated(group: pd.DataFrame, column: str, score: str) -> dict[str, float]:
    pairs = group[[column, score]].astype(float)
    known = pairs.dropna()
    tissue = [group.loc[known.index, key] for key in ("dataset", "tissue")]
    deviations = known - known.groupby(tissue).transform("mean")
    return {
        "spearman": _spearman(known),
        "within_tissues": _spearman(deviations),
        "n_pairs": len(known),
    }


def _spearman(pairs: pd.DataFrame) -> float:
    # Deviations that differ by rounding alone do not vary.
    varies = len(pairs) > 2 and bool((pairs.round(9).nunique() > 1).all())
    return float(stats.spearmanr(*pairs.to_numpy().T).statistic) if varies else float("nan")


def paired_change(
    table: pd.DataFrame,
    *,
    column: str,
    first: str,
    second: str,
    by: Sequence[str] = ("segmenter",),
    score: str = "dice",
) -> pd.DataFrame:
    """How a score changes on the very same slices and tissues when one thing is changed.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`.
    column, first, second : str
        What is changed, such as ``sequence`` from ``pdw_fs`` to ``pdw_fs_8x``.
    by : sequence of str
        Columns that make a row each.
    score : str

    Returns
    -------
    pandas.DataFrame
        `by`, `from`, `to`, `change` (mean over slices of a tissue, over tissues, over subjects),
        `lowest` and `highest` (of the subjects), `n_subjects` and `n_pairs`. Empty if there is no
        pair.
    """
    groups, person = list(by), ["dataset", "subject"]
    same = [key for key in KEYS if key != column]
    unit = list(dict.fromkeys([*groups, *same]))
    scored = table[table["status"].isin(IN_THE_MEAN)]
    sides = [scored[scored[column] == value].set_index(unit)[score] for value in (first, second)]
    change = (sides[1] - sides[0]).dropna().rename("change").reset_index()
    of_people = change.groupby([*groups, *person, "tissue"], sort=False)["change"].mean()
    of_people = of_people.groupby([*groups, *person], sort=False).mean()
    grouped = of_people.groupby(groups, sort=False)
    result = grouped.agg(change="mean", lowest="min", highest="max", n_subjects="size")
    result["n_pairs"] = change.groupby(groups, sort=False).size()
    result.insert(0, "from", first)
    result.insert(1, "to", second)
    order = scored[groups].drop_duplicates()
    return order.merge(result.reset_index(), on=groups)


def worst_pairs(joined: pd.DataFrame, *, n: int = 10, per_tissue: int = 1) -> pd.DataFrame:
    """Find the pairs of slice and tissue with the lowest Dice.

    Parameters
    ----------
    joined : pandas.DataFrame
        From `with_properties`, of one segmenter and one plan.
    n : int
        How many.
    per_tissue : int
        At most so many of one tissue of a data set: the ten worst as they come may be one tissue
        ten times.

    Returns
    -------
    pandas.DataFrame
        Rows of `joined`, worst first, with `reason`: what happened (see `name_reason`), and where
        the area says that, what the tissue is like (see `name_cause`): "leaked: thin".
    """
    ordered = joined.sort_values("dice", kind="stable")
    kept = ordered.groupby(["dataset", "tissue"], sort=False).head(per_tissue).head(n)
    return kept.assign(reason=[_full_reason(row) for _, row in kept.iterrows()])


def _full_reason(row: pd.Series) -> str:
    happened, cause = name_reason(row), name_cause(row)
    return happened if happened == cause or cause == _NONE else f"{happened}: {cause}"


def name_reason(row: pd.Series) -> str:
    """Name the likeliest reason for a bad score by rules that are written here, not learned.

    Parameters
    ----------
    row : pandas.Series
        Of `with_properties`.

    Returns
    -------
    str
        The first that applies: "nothing was found", "leaked" (over `WIDE` times the area),
        "fell short" (under `NARROW` times), "faint border" (contrast under `FAINT`), "thin" (under
        `THIN_MM`), "end of the structure", "none of these".
    """
    ratio = row["predicted_area_mm2"] / row["area_mm2"]
    rules = (
        (ratio == 0, "nothing was found"),
        (ratio > WIDE, "leaked"),
        (ratio < NARROW, "fell short"),
    )
    return next((reason for holds, reason in rules if holds), name_cause(row))


def name_cause(row: pd.Series) -> str:
    """Name what makes a tissue hard to segment on a slice, whatever was predicted.

    Parameters
    ----------
    row : pandas.Series
        Of `with_properties`.

    Returns
    -------
    str
        The first that applies: "faint border", "thin", "end of the structure", "none of these".
    """
    rules = (
        (row["contrast_size"] < FAINT, "faint border"),
        (row["thickness_mm"] < THIN_MM, "thin"),
        (row["from_end"] == 0, "end of the structure"),
    )
    return next((cause for holds, cause in rules if holds), _NONE)
