"""Slices that hold no reference, counted both ways.

What a mean says depends on what is done with them, and no way is right for all purposes: left out,
nothing that a model invents beyond a structure is seen; counted, the mean depends on how far the
scan goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import IN_THE_MEAN, nested_mean
from mskseg.evaluation.scoring import SCAN

READINGS = ("left_out", "invented_is_0", "nothing_is_1")


def read_empty_slices(
    table: pd.DataFrame,
    cases: Iterable[Case],
    *,
    slice_step: int = 1,
    by: Sequence[str] = ("segmenter", "box_source", "dataset"),
) -> pd.DataFrame:
    """Average Dice with the slices that hold no reference left out, and counted.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`.
    cases : iterable of Case
        Those that were scored, with the same `slice_step` in their own plane.
    slice_step : int
    by : sequence of str
        Columns that make a row each; with `segmenter` and `box_source`.

    Returns
    -------
    pandas.DataFrame
        `by`, then the mean Dice (slices, then tissues, then subjects) read in three ways:
        `left_out` (this project's mean), `invented_is_0` (slices without reference on which
        something was predicted count 0, others do not count) and `nothing_is_1` (these count 0, and
        slices on which rightly nothing was predicted count 1). Then `n_scored`, `n_invented` and
        `n_nothing`: pairs of slice and tissue.

    Raises
    ------
    InputError
        If a scored scan is not among the cases.
    """
    n_slices = {
        tuple(getattr(case, name) for name in SCAN): len(
            range(0, case.image.n_slices(case.plane), slice_step)
        )
        for case in cases
    }
    scan, groups = list(SCAN), list(by)
    unit = list(dict.fromkeys([*groups, *scan, "tissue"]))
    rows = []
    for key, group in table.groupby(unit, sort=False):
        named = dict(zip(unit, key, strict=True))
        total = n_slices.get(tuple(named[name] for name in scan))
        if total is None:
            raise InputError(f"{named['subject']} was scored but is not among the cases; add it")
        rows.append(named | _read(group, total))
    means = pd.DataFrame(rows)
    result = nested_mean(means, by=groups, values=READINGS)[[*groups, *READINGS]]
    counts = means.groupby(groups, sort=False)[["n_scored", "n_invented", "n_nothing"]].sum()
    return result.merge(counts.reset_index(), on=groups)


def _read(group: pd.DataFrame, n_slices: int) -> dict[str, float]:
    scored = group.loc[group["status"].isin(IN_THE_MEAN), "dice"]
    n_invented = int((group["status"] == "beyond_end").sum())
    n_small = int((group["status"] == "too_small").sum())
    n_nothing = n_slices - len(scored) - n_small - n_invented
    total = scored.sum()
    sizes = (len(scored), len(scored) + n_invented, len(scored) + n_invented + n_nothing)
    sums = (total, total, total + n_nothing)
    readings = [
        summed / size if size else float("nan") for summed, size in zip(sums, sizes, strict=True)
    ]
    counts = {"n_scored": len(scored), "n_invented": n_invented, "n_nothing": n_nothing}
    return dict(zip(READINGS, readings, strict=True)) | counts
