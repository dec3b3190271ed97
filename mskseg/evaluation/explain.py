"""What goes with a low Dice: size, width, contrast, place in the structure, slack of the box.

Rank correlations, not causes: thin tissues are also faint and also small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mskseg.errors import InputError

KEYS = ("dataset", "subject", "sequence", "tissue", "slice")
EFFECTS = {
    "area_mm2": "area",
    "thickness_mm": "thickness",
    "contrast_size": "contrast, whatever its sign",
    "from_end": "slices to the structure's end",
    "filled_box_dice": "Dice of the filled box",
}
"""Columns of `with_properties` and what they are called in tables and figures."""

FAINT, THIN_MM, WIDE, NARROW = 0.5, 3.0, 1.5, 0.5


def with_properties(scores: pd.DataFrame, properties: pd.DataFrame) -> pd.DataFrame:
    """Set what a tissue looks like beside how it was scored.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `mskseg.evaluation.score_cases`; only scored pairs are kept.
    properties : pandas.DataFrame
        From `mskseg.evaluation.tissue_properties`, of the same cases and slices.

    Returns
    -------
    pandas.DataFrame
        `scores` with `thickness_mm`, `shape`, `contrast`, `contrast_size` (its absolute value) and
        `from_end`: how many of the tissue's slices lie between this one and its first or last.

    Raises
    ------
    InputError
        If a scored pair has no properties.
    """
    keys = list(KEYS)
    scored = scores[(scores["status"] == "scored") & (scores["area_mm2"] > 0)]
    wanted = properties[[*keys, "thickness_mm", "shape", "contrast"]]
    joined = scored.merge(wanted, on=keys, how="left", validate="many_to_one")
    if joined["thickness_mm"].isna().any():
        lost = joined[joined["thickness_mm"].isna()].iloc[0]
        raise InputError(
            f"{lost['tissue']} on slice {lost['slice']} of {lost['subject']} was scored but not "
            "measured; give properties of the same cases with the same slice_step"
        )
    finite = joined["contrast"].replace([np.inf, -np.inf], np.nan)
    # Each slice once, whatever the number of models and prompts that it was scored with.
    structure = joined.groupby(["dataset", "subject", "sequence", "tissue"])["slice"]
    order = structure.rank(method="dense")
    last = order.groupby([joined[key] for key in keys[:-1]]).transform("max")
    from_end = np.minimum(order - 1, last - order)
    return joined.assign(contrast_size=finite.abs(), from_end=from_end)


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
        `by`, `effect`, `spearman` and `n_pairs`, strongest first within a group. No p value:
        slices of one person are not independent.
    """
    rows = []
    for key, group in joined.groupby(list(by), sort=False):
        for column, name in EFFECTS.items():
            pairs = group[[column, score]].dropna()
            varies = len(pairs) > 2 and bool((pairs.nunique() > 1).all())
            rank = stats.spearmanr(pairs[column], pairs[score]).statistic if varies else np.nan
            named = dict(zip(by, key, strict=True))
            rows.append({**named, "effect": name, "spearman": rank, "n_pairs": len(pairs)})
    table = pd.DataFrame(rows)
    strength = table["spearman"].abs().fillna(0)
    return table.assign(strength=strength).sort_values(
        [*by, "strength"], ascending=[True] * len(by) + [False], kind="stable"
    ).drop(columns="strength").reset_index(drop=True)  # fmt: skip


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
        (row["contrast_size"] < FAINT, "faint border"),
        (row["thickness_mm"] < THIN_MM, "thin"),
        (row["from_end"] == 0, "end of the structure"),
    )
    return next((reason for holds, reason in rules if holds), "none of these")
