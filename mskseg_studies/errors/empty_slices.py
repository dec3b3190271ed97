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
_COUNTS = ("n_scored", "n_invented", "n_nothing")


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
    groups = list(by)
    structure = list(dict.fromkeys([*groups, *SCAN, "tissue"]))
    rows = []
    for key, slices in table.groupby(structure, sort=False):
        named = dict(zip(structure, key, strict=True))
        n = n_slices.get(tuple(named[name] for name in SCAN))
        if n is None:
            raise InputError(f"{named['subject']} was scored but is not among the cases; add it")
        rows.append(named | _readings(slices, n))
    means = pd.DataFrame(rows)
    result = nested_mean(means, by=groups, values=READINGS)[[*groups, *READINGS]]
    counts = means.groupby(groups, sort=False)[list(_COUNTS)].sum()
    return result.merge(counts.reset_index(), on=groups)


def _readings(slices: pd.DataFrame, n_slices: int) -> dict[str, float]:
    """Read the slices of one structure of a scan that has `n_slices`."""
    scored = slices.loc[slices["status"].isin(IN_THE_MEAN), "dice"]
    n_invented = int((slices["status"] == "beyond_end").sum())
    n_too_small = int((slices["status"] == "too_small").sum())
    n_nothing = n_slices - len(scored) - n_too_small - n_invented
    total = scored.sum()
    means = [
        _ratio(total, len(scored)),
        _ratio(total, len(scored) + n_invented),
        _ratio(total + n_nothing, len(scored) + n_invented + n_nothing),
    ]
    counts = (len(scored), n_invented, n_nothing)
    return dict(zip((*READINGS, *_COUNTS), (*means, *counts), strict=True))


def _ratio(total: float, count: int) -> float:
    return total / count if count else float("nan")
