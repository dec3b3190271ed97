"""Dice of whole volumes from a table of slices: the one number that prompted and automatic share.

A slice's Dice rewards a promptable model for being told where a structure is; on a slice where the
structure has ended, nobody asks it. A volume's Dice counts every voxel of every slice that was
scored, what was predicted beyond the structure's end included, so it punishes a model that has to
find the structure by itself for what it makes up, and a prompted one only where it was prompted.
"""

from __future__ import annotations

import pandas as pd

from mskseg.errors import InputError
from mskseg.evaluation.rows import SCAN

MODEL = ("segmenter", "miniature", "prompt", "box_source")
_CASE = (*SCAN, "anatomy", "severity")
_AREAS = ("area_mm2", "predicted_area_mm2", "overlap_mm2")


def volume_table(table: pd.DataFrame) -> pd.DataFrame:
    """Add up slices.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases` or `score_label_maps`, of every slice (``slice_step=1``): with a larger
        step it is the Dice of the slices taken.

    Returns
    -------
    pandas.DataFrame
        A row for each model, prompt, case and label that the reference or the prediction has:
        those columns, `tissue`, `volume_dice` (2 overlap / (reference + prediction)),
        `relative_volume_error` ((prediction - reference) / reference, inf where the reference has
        none), `n_slices`, `n_beyond_end` (slices with a prediction and no reference), `missing`
        (there was no prediction for the case; its Dice is 0).

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    keys = [*MODEL, *_CASE, "tissue", "label"]
    lacking = [name for name in (*keys, *_AREAS, "status") if name not in table]
    if table.empty or lacking:
        raise InputError(
            f"a table of {len(table)} rows came that lacks {', '.join(lacking) or 'no column'}; "
            "give a table of `score_cases` or `score_label_maps`"
        )
    marked = table.assign(
        n_slices=1,
        n_beyond_end=table["status"] == "beyond_end",
        missing=table["status"] == "missing",
    )
    groups = marked.groupby(keys, sort=False, dropna=False)
    sums = groups[[*_AREAS, "n_slices", "n_beyond_end"]].sum()
    reference, predicted = sums["area_mm2"], sums["predicted_area_mm2"]
    sums["volume_dice"] = 2 * sums["overlap_mm2"] / (reference + predicted)
    sums["relative_volume_error"] = (predicted - reference) / reference
    sums["missing"] = groups["missing"].any()
    # Where neither has a voxel there is nothing to score, as everywhere in this project.
    there = sums[reference + predicted > 0]
    return there.drop(columns=list(_AREAS)).reset_index()
