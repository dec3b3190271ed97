"""From a table that a notebook wrote to the number, interval and count that judge a claim."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from scipy import stats

from mskseg.errors import InputError
from mskseg_studies.claims.statements import Filter, Measure, Scalar

MIN_CLUSTERS = 5
"""Fewest clusters for an interval; as many as a rule asks of people."""


class VanishedError(InputError):
    """A column or rows that a claim names are not in the table any more."""


class AbsentError(InputError):
    """The run has not got what the claim compares; no fault of a notebook."""


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval, the units behind it and the rows it was computed from."""

    value: float
    interval: tuple[float, float] | None
    n: int | None
    rows: pd.DataFrame
    no_interval: str = ""  # why there is none
    weak: str = ""  # why what was compared with is no opponent


def measure_table(table: pd.DataFrame, measure: Measure) -> Measured:
    """Compute the number of a claim from a table as the notebook wrote it.

    Three kinds. A table with an interval in each row: the row itself. One with a row for each unit:
    the mean over units of the differences, with the 95 per cent interval of Student's t (units are
    few, and a bootstrap of few is too narrow). Any other: a number without interval.

    **Clusters.** People of one data set share its scanner, its readers and its tissues, so eight
    people of four data sets are not eight independent people. Where `cluster` finds more than one,
    the clusters are the units: the number is the mean of their means, each of the same weight, and
    its interval has one degree of freedom less than there are clusters (the t test on summaries of
    clusters; Donner and Klar, *Design and Analysis of Cluster Randomization Trials*, 2000). With
    fewer than `MIN_CLUSTERS` there is none: so few say next to nothing of how clusters differ
    (Cameron and Miller 2015, doi:10.3368/jhr.50.2.317). `n` counts people all the same.

    **Two groups of people.** Where `first` and `second` are `independent` and have no unit in
    common, the number is the difference of two means and the interval is Welch's (Welch 1947,
    doi:10.1093/biomet/34.1-2.28), `n` that of the smaller group. The same people on both sides are
    compared in pairs; some on both and some on one side give no interval.

    Raises VanishedError if a column, or what `where` selects, is not there, and AbsentError if
    `first` or `second` selects nothing and the measure says why that may be.
    """
    _check_columns(table, measure)
    rows = select(table, measure.where)
    if rows.empty and not (table.empty and measure.optional):
        raise VanishedError(f"no row has {_listed(measure.where)}")
    first = _side(rows, measure.first, measure)
    second = _side(rows, measure.second, measure) if measure.second else None
    used = first if second is None else pd.concat([first, second])
    if measure.low and measure.high:
        return _ready(first, measure)
    if measure.unit and set(measure.unit) <= set(table):
        return replace(_from_units(first, second, measure, used), weak=_weakness(second, measure))
    value = float(first[measure.column].mean())
    if second is not None:
        other = float(second[measure.column].mean())
        value = (value - other) / other if measure.relative else value - other
    return Measured(value, None, int(used[measure.n].min()) if measure.n else None, used)


def select(table: pd.DataFrame, wanted: Filter) -> pd.DataFrame:
    """Keep the rows whose columns have the wanted value, or one of a list of values.

    A text is a pattern ("sam_vit_*"), one that begins with "!" keeps what does not match; of a
    list, every "!" and one of the others have to fit. Of a column of numbers "largest" and
    "smallest" are one, and ">= 10" are those from 10 on.
    """
    for column, value in wanted.items():
        values = value if isinstance(value, list) else [value]
        excluded = [v[1:] for v in values if isinstance(v, str) and v.startswith("!")]
        included = [v for v in values if not (isinstance(v, str) and v.startswith("!"))]
        fits = pd.Series(data=not included, index=table.index)
        for one in included:
            fits |= _equals(table[column], one)
        for pattern in excluded:
            fits &= ~_equals(table[column], pattern)
        table = table[fits]
    return table


def _equals(column: pd.Series, value: Scalar) -> pd.Series:
    if isinstance(value, bool):
        return column.astype(str).str.lower() == str(value).lower()
    if not isinstance(value, str):
        return column == value
    if not pd.api.types.is_numeric_dtype(column) or column.dtype == bool:
        return column.astype(str).map(lambda text: fnmatchcase(text, value)).astype(bool)
    if value in ("largest", "smallest"):
        return column == (column.max() if value == "largest" else column.min())
    return column >= float(value[3:]) if value.startswith(">= ") else column.astype(str) == value


def _check_columns(table: pd.DataFrame, measure: Measure) -> None:
    named = [measure.column, measure.minus, measure.low, measure.high]
    filters = [*measure.where, *measure.first, *measure.second]
    units = [] if measure.n in table else [*measure.unit, *measure.within, measure.n]
    named += [measure.opponent.column] if measure.opponent else []
    wanted = [name for name in [*named, *filters, *units] if name]
    if missing := [name for name in dict.fromkeys(wanted) if name not in table]:
        raise VanishedError(f"it has no column {', '.join(missing)}")


def _side(rows: pd.DataFrame, wanted: Filter, measure: Measure) -> pd.DataFrame:
    side = select(rows, wanted)
    if not side.empty:
        return side
    if measure.if_absent:
        raise AbsentError(measure.if_absent)
    raise VanishedError(f"no row has {_listed(wanted)}")


def _weakness(second: pd.DataFrame | None, measure: Measure) -> str:
    needed = measure.opponent
    if needed is None or second is None:
        return ""
    keys = [*measure.unit, *(name for name in measure.within if name in second)]
    reached = float(second.groupby(keys)[needed.column].mean().mean())
    if reached >= needed.at_least:
        return ""
    return f"the opponent's {needed.column} is {reached:.2f}, asked {needed.at_least}: {needed.why}"


def _listed(wanted: Filter) -> str:
    return ", ".join(f"{column} {value}" for column, value in wanted.items())


def _ready(rows: pd.DataFrame, measure: Measure) -> Measured:
    values = rows[measure.column]
    if len(rows) > 1 and measure.pick is None:
        raise VanishedError(f"expected one row, got {len(rows)}; say `pick`")
    if values.isna().all():
        return Measured(float("nan"), None, None, rows)
    row = rows.loc[values.idxmax() if measure.pick == "largest" else values.idxmin()]
    if measure.pick == "any":  # the smallest of the true numbers lies between the smallest bounds
        row[[measure.low, measure.high]] = rows[[measure.low, measure.high]].min()
    low, high = float(row[measure.low]), float(row[measure.high])
    interval = (low, high) if np.isfinite([low, high]).all() else None
    count = int(row[measure.n]) if measure.n else None
    return Measured(float(row[measure.column]), interval, count, rows.loc[[row.name]])


def _from_units(
    first: pd.DataFrame, second: pd.DataFrame | None, measure: Measure, used: pd.DataFrame
) -> Measured:
    keys = [*measure.unit, *(name for name in measure.within if name in used)]
    levels = list(range(len(measure.unit)))
    sides = []
    for side in (first, second) if second is not None else (first,):
        values = side[measure.column] - (side[measure.minus] if measure.minus else 0)
        sides.append(values.groupby([side[key] for key in keys]).mean())
    if measure.independent and len(sides) == 2:
        groups = [side.dropna().groupby(level=levels).mean() for side in sides]
        common = len(groups[0].index.intersection(groups[1].index))
        if not common:
            return _over_units(groups, measure, used)
        if common < max(map(len, groups)):
            why = "some people are on both sides and some on one: neither pairs nor two groups"
            value = float(groups[0].mean() - groups[1].mean())
            return Measured(value, None, min(map(len, groups)), used, why)
    joined = pd.concat(sides, axis=1, join="inner", keys=range(len(sides))).dropna()
    by_unit = joined.groupby(level=levels).mean()
    difference = by_unit[0] if second is None else by_unit[0] - by_unit[1]
    if measure.relative and second is not None:
        difference = difference / by_unit[1]
    return _over_units([difference], measure, used)


def _over_units(groups: Sequence[pd.Series], measure: Measure, used: pd.DataFrame) -> Measured:
    """Give the mean over units, or of two groups of them the difference, with its interval."""
    count, why = min(map(len, groups)), ""
    means, parts = [], []
    for values in groups:
        if measure.cluster and values.index.get_level_values(measure.cluster).nunique() > 1:
            values = values.groupby(level=measure.cluster).mean()
            if len(values) < MIN_CLUSTERS:
                why = (
                    f"people of the same {measure.cluster} are not independent of each other: "
                    f"{len(values)} clusters, and an interval needs {MIN_CLUSTERS}"
                )
        means.append(float(values.mean()))
        parts.append((values.var(ddof=1) / max(len(values), 1), len(values) - 1))
    value = means[0] - sum(means[1:])
    if count < 2 or why:
        return Measured(value, None, count, used, why)
    variance = sum(part for part, _ in parts)
    # Satterthwaite's degrees of freedom; of one group, its own.
    freedom = variance**2 / sum(part**2 / df for part, df in parts) if variance else 1
    reach = float(stats.t.ppf(0.975, freedom) * np.sqrt(variance))
    return Measured(value, (value - reach, value + reach), count, used)
