"""A volume from slices: every slice boxed by itself, or each from what was found next to it."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean
from mskseg.evaluation.scoring import SCAN
from mskseg.evaluation.tables import volume_table

_STRUCTURE = ["segmenter", "box_source", *SCAN, "tissue"]


def stack_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Score the volume that the slices of a plan add up to.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases` with every slice.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter, plan, scan and tissue: `dice_3d` (`volume_dice` of
        `mskseg.evaluation.volumes.volume_table`: of all voxels, those included that are too few to
        be prompted, are lost, or are invented beyond the structure's end), `volume_error` (signed,
        part of the reference) and `invented` (part of the predicted volume that lies on slices
        without reference).

    Raises
    ------
    InputError
        As `volume_table`.
    """
    volumes = volume_table(table).set_index(_STRUCTURE)
    areas = table[[*_STRUCTURE, "predicted_area_mm2"]].assign(
        beyond=table["predicted_area_mm2"].where(table["area_mm2"] == 0, 0.0)
    )
    sums = areas.groupby(_STRUCTURE).sum().reindex(volumes.index)
    return pd.DataFrame(
        {
            "dice_3d": volumes["volume_dice"],
            "volume_error": volumes["relative_volume_error"],
            "invented": (sums["beyond"] / sums["predicted_area_mm2"]).fillna(0.0),
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
        The rows that count in a mean.
    """
    scored = table[table["status"].isin(IN_THE_MEAN)]
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
        A row for each segmenter, plan and number of steps: `nested_mean` of `dice` and of `lost`
        (share of pairs on which nothing was found), and `n_pairs`.
    """
    placed = with_distance(table)
    near = placed[placed["steps"] <= at_most]
    near = near.assign(lost=near["predicted_area_mm2"] == 0)
    means = nested_mean(near, by=["segmenter", "box_source", "steps"], values=["dice", "lost"])
    order = near[_STRUCTURE[:2]].drop_duplicates()  # models and plans as they came
    counted = means.sort_values("steps").rename(columns={"n_objects": "n_pairs"})
    return order.merge(counted, on=_STRUCTURE[:2])


def _smallest_gap(slices: pd.Series[int]) -> int:
    different = sorted(set(slices))
    return min((b - a for a, b in pairwise(different)), default=1)
