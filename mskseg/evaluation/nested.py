"""The project's mean for tables that are not of `score_cases`: sweeps of clicks, sizes, phases."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mskseg.errors import InputError


def nested_mean(
    table: pd.DataFrame, *, by: Sequence[str], values: Sequence[str] = ("dice",)
) -> pd.DataFrame:
    """Average over slices of a tissue, then over tissues, then over subjects.

    Each subject counts the same however many slices show a tissue, and so does each of its tissues.

    Parameters
    ----------
    table : pandas.DataFrame
        With `dataset`, `subject`, `tissue`, `by` and `values`.
    by : sequence of str
        Columns that make a row each of the result.
    values : sequence of str
        Columns to average.

    Returns
    -------
    pandas.DataFrame
        `by`, the mean of each value, `<value>_sd` between subjects (NaN with one), `n_subjects`
        and `n_objects` (rows of the table). A NaN is left out of its mean.

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    keys, wanted = list(by), list(values)
    missing = [
        name for name in (*keys, *wanted, "dataset", "subject", "tissue") if name not in table
    ]
    if missing or table.empty:
        raise InputError(
            f"a table of {len(table)} rows came that lacks {', '.join(missing) or 'no column'}; "
            "average a table of a sweep"
        )
    person = list(dict.fromkeys([*keys, "dataset", "subject"]))
    tissue = list(dict.fromkeys([*person, "tissue"]))
    of_tissues = table.groupby(tissue, sort=False)[wanted].mean()
    of_people = of_tissues.groupby(person, sort=False).mean()
    means = of_people.groupby(keys, sort=False).mean()
    for value in wanted:
        means[f"{value}_sd"] = of_people[value].groupby(keys, sort=False).std()
    means["n_subjects"] = of_people.groupby(keys, sort=False).size()
    means["n_objects"] = table.groupby(keys, sort=False).size()
    return means.reset_index()
