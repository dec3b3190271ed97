"""The mean as this project defines it, with counts beside it.

Slices are averaged within a label of a subject, then the labels, then the subjects: a muscle that
is long, or a subject with many slices, weighs no more than another. A subject is told apart by
`dataset` and `subject` together.
"""

import math
from collections.abc import Sequence

import pandas as pd

from mskseg.errors import InputError
from mskseg.evaluation.scoring import SCAN

PLAN = ("segmenter", "prompt", "box_source")
"""Columns whose different values are never averaged in silence."""

IN_THE_MEAN = ("scored", "missing")
"""Values of `status` that a mean is over; a missing prediction counts with its Dice of 0."""

_SUBJECT = ("dataset", "subject")
_ALWAYS_THERE = ("dice", "iou", "hd95_mm", "assd_mm", "filled_box_dice")  # of a scored pair


def subject_means(
    table: pd.DataFrame,
    *,
    by: Sequence[str] = (),
    values: Sequence[str] = ("dice",),
    within: Sequence[str] = ("tissue",),
) -> pd.DataFrame:
    """Average over the tissues of a subject, one row a subject; arguments as in `nested_mean`."""
    subject = list(dict.fromkeys([*by, *_SUBJECT]))
    missing = [name for name in (*subject, *within, *values) if name not in table]
    if missing or table.empty:
        raise InputError(
            "expected a table with a row or more and the columns that are averaged, got "
            f"{len(table)} rows without {', '.join(missing) or 'a missing column'}"
        )
    label = list(dict.fromkeys([*subject, *within]))
    of_labels = table.groupby(label, sort=False, dropna=False)[list(values)].mean()
    return of_labels.groupby(level=subject, sort=False, dropna=False).mean()


def nested_mean(
    table: pd.DataFrame,
    *,
    by: Sequence[str] = (),
    values: Sequence[str] = ("dice",),
    within: Sequence[str] = ("tissue",),
) -> pd.DataFrame:
    """Average over slices of a tissue, then over tissues, then over subjects.

    `table` has `dataset`, `subject`, and the columns `by`, which make a row each of the result (one
    row without any), `values` to average (a NaN is left out) and `within`, which name the tissue
    (empty if each row is a subject's own number). Returns `by`, the mean of each value,
    `<value>_sd` between subjects (NaN with one), `n_subjects` and `n_objects` (rows of the table).
    InputError if the table is empty or lacks a column.
    """
    keys = list(by)
    of_subjects = subject_means(table, by=keys, values=values, within=within)
    if not keys:
        named = nested_mean(table.assign(all=""), by=["all"], values=values, within=within)
        return named.drop(columns="all")
    grouped = of_subjects.groupby(level=keys, sort=False, dropna=False)
    spread = grouped.std().add_suffix("_sd")
    means = grouped.mean().join(spread).assign(n_subjects=grouped.size())
    means["n_objects"] = table.groupby(keys, sort=False, dropna=False).size()
    return means.reset_index()


def summarise(
    table: pd.DataFrame,
    *,
    by: Sequence[str] = PLAN,
    values: Sequence[str] = ("dice", "filled_box_dice"),
) -> pd.DataFrame:
    """Average what was scored of a table by `nested_mean`, with the counts of what was not.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`; several may be concatenated.
    by : sequence of str
        Columns that make a row each of the result, as ``["box_source", "tissue"]``.
    values : sequence of str
        Columns to average. A distance becomes inf where one mask of a pair was empty; a pair
        without the number, such as `predicted_iou` without a prompt, is left out and counted.

    Returns
    -------
    pandas.DataFrame
        `by`, then for each value its mean and `<value>_sd` between subjects, `miniature`, and the
        counts: `n_subjects`, `n_labels`, `n_slices` (different ones), `n_pairs` (of slice and label
        in the mean), of these `n_missing` without any prediction, the pairs left out,
        `n_too_small`, `n_beyond_end` and `n_both_empty` (see `mskseg.evaluation.scoring`), and
        `n_without_<value>` for a value that a scored pair may lack.

    Raises
    ------
    InputError
        If a column is missing, or rows of different segmenters or prompt plans would be averaged.
    """
    keys, label, scan_slice = list(by), ["label", "tissue"], [*SCAN, "plane", "slice"]
    _check_grouping(table, keys, values)
    scored = table[table["status"].isin(IN_THE_MEAN)]
    summary = table.groupby(keys, sort=False, dropna=False).agg(miniature=("miniature", "any"))
    counted = {
        "n_subjects": scored.drop_duplicates(list({*keys, *_SUBJECT})),
        "n_labels": scored.drop_duplicates(list({*keys, *label})),
        "n_slices": scored.drop_duplicates(list({*keys, *scan_slice})),
        "n_pairs": scored,
    }
    for status in ("missing", "too_small", "beyond_end", "both_empty"):
        counted[f"n_{status}"] = table[table["status"] == status]
    for value in values:
        if value not in _ALWAYS_THERE:
            counted[f"n_without_{value}"] = scored[scored[value].isna()]
    for name, rows in counted.items():
        count = rows.groupby(keys, dropna=False).size()
        summary[name] = count.reindex(summary.index).fillna(0).astype(int)
    columns = [name for value in values for name in (value, f"{value}_sd")]
    if scored.empty:
        means = pd.DataFrame(math.nan, index=summary.index, columns=columns)
    else:
        means = nested_mean(scored, by=keys, values=values, within=label).set_index(keys)[columns]
    return means.reindex(summary.index).join(summary).reset_index()


def _check_grouping(table: pd.DataFrame, by: Sequence[str], values: Sequence[str]) -> None:
    missing = sorted({*by, *values, *PLAN, "status"} - set(table.columns))
    if missing or not by:
        raise InputError(
            f"the table lacks the column {missing[0]!r}; summarise a table of `score_cases`"
            if missing
            else "`by` is empty, expected one column or more; the default is one row per plan"
        )
    if table.empty:
        raise InputError(
            "the table has no row, so no slice that was scored shows a label; take a smaller "
            "slice_step"
        )
    for column in PLAN:
        if column not in by and (table.groupby(list(by))[column].nunique() > 1).any():
            raise InputError(
                f"the mean would mix {table[column].nunique()} different values of {column!r}; "
                f"add {column!r} to `by`"
            )
