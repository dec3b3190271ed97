"""Slices that hold no reference, counted both ways.

Left out, nothing that a model invents beyond a structure is seen; counted, the mean depends on how
far the scan goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean
from mskseg.evaluation.scoring import SCAN

READINGS = ("left_out", "invented_is_0", "nothing_is_1")


def read_empty_slices(
    table: pd.DataFrame, groups: Mapping[str, Iterable[Case]], *, slice_steps: Mapping[str, int]
) -> pd.DataFrame:
    """Average Dice with the slices that hold no reference left out, and counted.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_people`.
    groups, slice_steps
        As in `score_people`, of the scans that were scored; InputError if one is missing.

    Returns
    -------
    pandas.DataFrame
        A row for each `data`, `dataset`, `segmenter` and `box_source`, with the mean Dice (slices,
        then tissues, then subjects) read in three ways:
        `left_out` (this project's mean), `invented_is_0` (slices without reference on which
        something was predicted count 0, others do not count) and `nothing_is_1` (these count 0, and
        slices on which rightly nothing was predicted count 1). Then `n_scored`, `n_invented` and
        `n_nothing`: pairs of slice and tissue.
    """
    n_slices = {
        tuple(getattr(case, name) for name in SCAN): len(
            range(0, case.image.n_slices(case.plane), slice_steps[group])
        )
        for group, cases in groups.items()
        for case in cases
    }
    keys = ["data", "dataset", "segmenter", "box_source"]
    in_the_mean = table["status"].isin(IN_THE_MEAN)
    structure = list(dict.fromkeys([*keys, *SCAN, "tissue", "label"]))
    counted = table.assign(
        total=table["dice"].where(in_the_mean, 0.0),
        n_scored=in_the_mean,
        n_invented=table["status"] == "beyond_end",
        n_too_small=table["status"] == "too_small",
    )
    columns = ["total", "n_scored", "n_invented", "n_too_small"]
    sums = counted.groupby(structure, sort=False)[columns].sum().reset_index()
    scans = [tuple(row) for row in sums[list(SCAN)].to_numpy()]
    for subject, scan in zip(sums["subject"], scans, strict=True):
        if scan not in n_slices:
            raise InputError(f"{subject} was scored but is not among the cases; add it")
    predicted = sums["n_scored"] + sums["n_invented"]
    nothing = [n_slices[scan] for scan in scans] - predicted - sums["n_too_small"]
    means = sums.assign(
        n_nothing=nothing,
        left_out=sums["total"] / sums["n_scored"],
        invented_is_0=sums["total"] / predicted,
        nothing_is_1=(sums["total"] + nothing) / (predicted + nothing),
    )
    result = nested_mean(means, by=keys, values=READINGS)[[*keys, *READINGS]]
    counts = means.groupby(keys, sort=False)[["n_scored", "n_invented", "n_nothing"]].sum()
    return result.merge(counts.reset_index(), on=keys)
