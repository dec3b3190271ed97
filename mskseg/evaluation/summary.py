"""The mean of a table as this project defines it, with counts beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mskseg.errors import InputError
from mskseg.evaluation.rows import SCAN

_PLAN = ("segmenter", "prompt", "box_source")
_ALL_TISSUES = "mean of tissues"
IN_THE_MEAN = ("scored", "missing")
"""Values of `status` that a mean is over; a missing prediction counts with its Dice of 0."""

_LEFT_OUT = ("too_small", "beyond_end", "both_empty")
_ALWAYS_THERE = ("dice", "iou", "hd95_mm", "assd_mm", "filled_box_dice")  # of a scored pair


def summarise(
    table: pd.DataFrame,
    *,
    by: Sequence[str] = _PLAN,
    values: Sequence[str] = ("dice", "filled_box_dice"),
) -> pd.DataFrame:
    """Means as this project defines them, with counts beside them.

    Within a subject the mean over the slices of each label, then over its labels, then over the
    subjects: a muscle that is long, or a subject with many slices, weighs no more than another.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`; several may be concatenated.
    by : sequence of str
        Columns that make a row each of the result, as ``["box_source", "tissue"]``.
    values : sequence of str
        Columns to average. A distance becomes inf where one mask of a pair was empty. A pair
        without the number (`predicted_iou` where there was no prompt, or from a model that never
        learned it) is left out of that mean and counted.

    Returns
    -------
    pandas.DataFrame
        `by`, then for each value its mean and `<value>_sd`, the standard deviation between
        subjects (NaN with one subject), then `miniature` and the counts: `n_subjects`, `n_labels`,
        `n_slices` (different slices), `n_pairs` (pairs of slice and label in the mean), of these
        `n_missing` without any prediction, the pairs left out, `n_too_small`, `n_beyond_end` and
        `n_both_empty` (see `mskseg.evaluation.tables`), and for each value that a scored pair may
        lack `n_without_<value>`.

    Raises
    ------
    InputError
        If a column is missing, or rows of different segmenters or prompt plans would be averaged.
    """
    groups = list(by)
    _check_grouping(table, groups, values)
    rows = [
        dict(zip(groups, key, strict=True)) | _group_summary(group, values)
        for key, group in table.groupby(groups, sort=False, dropna=False)
    ]
    return pd.DataFrame(rows)


def dice_table(table: pd.DataFrame) -> pd.DataFrame:
    """Lay data sets and tissues beside models and box sources, to be read.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases`, with `OracleBox()` among the plans; several models may be concatenated.

    Returns
    -------
    pandas.DataFrame
        Rows: data set and tissue, those on top where the first model adds most to its box, then
        "mean of tissues". Columns: "no model" with the filled oracle box, then each model with its
        box sources in the table's order, "oracle" followed by "oracle minus filled box". Cells are
        text, the mean Dice and in brackets the pairs of slice and tissue behind it ("0.83 (24)");
        the numbers themselves come from `summarise`.

    Raises
    ------
    InputError
        If there is no tight oracle box in the table, or a column is missing.
    """
    keys = ["dataset", "tissue"]
    means = pd.concat(
        [
            summarise(table, by=[*keys, *_PLAN]),
            summarise(table, by=["dataset", *_PLAN]).assign(tissue=_ALL_TISSUES),
        ]
    )
    oracle = means[(means["prompt"] == "box") & (means["box_source"] == "oracle")]
    if oracle.empty:
        raise InputError("no row of the table has tight oracle boxes; score with OracleBox() too")
    first = oracle[oracle["segmenter"] == oracle["segmenter"].iloc[0]]
    columns = {("no model", "filled box"): _with_count(first, "filled_box_dice", keys)}
    for model, of_model in means.groupby("segmenter", sort=False):
        name = f"{model} (miniature)" if of_model["miniature"].any() else str(model)
        for (prompt, source), rows in of_model.groupby(["prompt", "box_source"], sort=False):
            named = {"box": str(source), "point": f"points: {source}"}.get(prompt, "no prompt")
            columns[name, named] = _with_count(rows, "dice", keys)
            if (prompt, source) == ("box", "oracle"):
                columns[name, "oracle minus filled box"] = _gain(rows, keys).map(_signed)
    return pd.DataFrame(columns).reindex(_most_gain_first(first, keys)).fillna("-")


def _with_count(rows: pd.DataFrame, value: str, keys: list[str]) -> pd.Series[str]:
    # A non-breaking space: in a wide table the count must not fall into the next line.
    text = [
        f"{mean:.2f}\N{NO-BREAK SPACE}({n})"
        for mean, n in zip(rows[value], rows["n_pairs"], strict=True)
    ]
    return pd.Series(text, index=pd.MultiIndex.from_frame(rows[keys]))


def _signed(gain: float) -> str:
    return f"{round(gain, 2) + 0.0:+.2f}"  # + 0.0: not "-0.00"


def _gain(rows: pd.DataFrame, keys: list[str]) -> pd.Series[float]:
    return rows.set_index(keys).eval("dice - filled_box_dice")


def _most_gain_first(first: pd.DataFrame, keys: list[str]) -> list[tuple[str, str]]:
    ranked = _gain(first, keys).sort_values(ascending=False).index
    return [
        key
        for dataset in dict.fromkeys(first["dataset"])
        for key in sorted(ranked, key=lambda key: key[1] == _ALL_TISSUES)
        if key[0] == dataset
    ]


def _group_summary(group: pd.DataFrame, values: Sequence[str]) -> dict[str, Any]:
    scored = group[group["status"].isin(IN_THE_MEAN)]
    subject = ["dataset", "subject"]
    per_label = scored.groupby([*subject, "label", "tissue"])[list(values)].mean()
    per_subject = per_label.groupby(subject).mean()
    summary: dict[str, Any] = {}
    for value in values:
        summary[value] = per_subject[value].mean()
        summary[f"{value}_sd"] = per_subject[value].std()
    slices = [*SCAN, "plane", "slice"]
    return summary | {
        "miniature": bool(group["miniature"].any()),
        "n_subjects": len(per_subject),
        "n_labels": scored.groupby(["label", "tissue"]).ngroups,
        "n_slices": scored.groupby(slices, dropna=False).ngroups,
        "n_pairs": len(scored),
        "n_missing": int((group["status"] == "missing").sum()),
        **{f"n_{status}": int((group["status"] == status).sum()) for status in _LEFT_OUT},
        **{
            f"n_without_{value}": int(scored[value].isna().sum())
            for value in values
            if value not in _ALWAYS_THERE
        },
    }


def _check_grouping(table: pd.DataFrame, by: Sequence[str], values: Sequence[str]) -> None:
    missing = sorted({*by, *values, *_PLAN, "status"} - set(table.columns))
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
    for column in _PLAN:
        if column not in by and (table.groupby(list(by))[column].nunique() > 1).any():
            raise InputError(
                f"the mean would mix {table[column].nunique()} different values of {column!r}; "
                f"add {column!r} to `by`"
            )
