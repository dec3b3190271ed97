"""A volume from slices: every slice boxed by itself, or each from what was found next to it."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

_STRUCTURE = ["segmenter", "box_source", "dataset", "subject", "sequence", "tissue"]


def stack_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Score the volume that the slices of a plan add up to.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases` with every slice.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter, plan, scan and tissue: `dice_3d` (of all voxels; what is invented
        beyond the structure's end counts, and so does what is lost), `volume_error` (signed, part
        of the reference) and `invented` (part of the predicted volume that lies on slices without
        reference).
    """
    both = table["area_mm2"] + table["predicted_area_mm2"]
    pieces = table[_STRUCTURE].assign(
        reference=table["area_mm2"],
        predicted=table["predicted_area_mm2"],
        # Slices without a score share no pixel: nothing was predicted, or nothing is there.
        shared=(table["dice"].fillna(0) * both / 2),
        beyond=table["predicted_area_mm2"].where(table["area_mm2"] == 0, 0.0),
    )
    sums = pieces.groupby(_STRUCTURE, sort=False).sum()
    return pd.DataFrame(
        {
            "dice_3d": 2 * sums["shared"] / (sums["reference"] + sums["predicted"]),
            "volume_error": sums["predicted"] / sums["reference"] - 1,
            "invented": (sums["beyond"] / sums["predicted"]).fillna(0.0),
        }
    ).reset_index()


def with_distance(table: pd.DataFrame) -> pd.DataFrame:
    """Add `steps`: how many scored slices lie between each row's slice and the start.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`. The start is where the tissue is largest, which is where `NeighbourBox`
        gets its one box; for other plans it is the same slice, to compare with.

    Returns
    -------
    pandas.DataFrame
        The scored rows.
    """
    scored = table[table["status"] == "scored"]
    largest = scored.groupby(_STRUCTURE)["area_mm2"].transform("max")
    starts = scored["slice"].where(scored["area_mm2"] == largest)
    start = starts.groupby([scored[key] for key in _STRUCTURE]).transform("max")
    spacing = scored.groupby("dataset")["slice"].transform(_smallest_gap)
    return scored.assign(steps=((scored["slice"] - start).abs() / spacing).astype(int))


def drift(table: pd.DataFrame, *, at_most: int = 8) -> pd.DataFrame:
    """Average Dice by distance from the slice that was boxed.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`, with one plan that boxes every slice and one that propagates.
    at_most : int
        Leave out slices that are farther away: few structures are as long.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter, plan and number of steps: `dice` (over slices of a tissue, over
        tissues, over subjects), `lost` (share of pairs on which nothing was found) and `n_pairs`.
    """
    placed = with_distance(table)
    near = placed[placed["steps"] <= at_most]
    near = near.assign(lost=near["predicted_area_mm2"] == 0)
    keys, values = ["segmenter", "box_source", "steps"], ["dice", "lost"]
    person = [*keys, "dataset", "subject"]
    of_tissues = near.groupby([*person, "tissue"], sort=False)[values].mean()
    of_people = of_tissues.groupby(person, sort=False).mean()
    means = of_people.groupby(keys, sort=False).mean()
    means["n_pairs"] = near.groupby(keys, sort=False).size()
    order = near[keys[:2]].drop_duplicates()  # models and plans as they came
    return order.merge(means.reset_index().sort_values("steps"), on=keys[:2])


def _smallest_gap(slices: pd.Series[int]) -> int:
    different = sorted(set(slices))
    return min((b - a for a, b in pairwise(different)), default=1)
