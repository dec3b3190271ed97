"""Tables: of scans, and of scores, laid out to be read, added up to volumes, written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.averaging import PLAN, summarise
from mskseg.evaluation.scoring import SCAN
from mskseg.files import written_atomically
from mskseg.provenance import sidecar_path, sidecar_text

MODEL = ("segmenter", "miniature", "prompt", "box_source")
_CASE = (*SCAN, "anatomy", "severity")
_AREAS = ("area_mm2", "predicted_area_mm2", "overlap_mm2")
_ALL_TISSUES = "mean of tissues"


def describe_scans(cases: Iterable[Case]) -> pd.DataFrame:
    """List what has to be checked of every scan before anything else, a row for each case."""
    return pd.DataFrame(
        {
            "scan": case.name,
            "dtype": str(case.image.array.dtype),
            "shape": " x ".join(map(str, case.image.shape)),
            "spacing_mm": " x ".join(f"{mm:.3g}" for mm in case.image.spacing_mm),
            "orientation": case.image.orientation,
            "plane": case.plane,
            "reference": case.reference_provenance,
        }
        for case in cases
    )


def dice_table(table: pd.DataFrame) -> pd.DataFrame:
    """Lay data sets and tissues beside models and box sources, to be read.

    `table` is of `score_cases`, with `OracleBox()` among the plans (else InputError). The rows are
    data set and tissue, those on top where the first model adds most to its box, then "mean of
    tissues". The columns are "no model" with the filled oracle box, then each model with its box
    sources in the table's order, "oracle" followed by "oracle minus filled box". Cells are text,
    the mean Dice and in brackets the pairs of slice and tissue behind it ("0.83 (24)").
    """
    keys = ["dataset", "tissue"]
    means = pd.concat(
        [
            summarise(table, by=[*keys, *PLAN]),
            summarise(table, by=["dataset", *PLAN]).assign(tissue=_ALL_TISSUES),
        ]
    ).set_index(keys)
    oracle = means[(means["prompt"] == "box") & (means["box_source"] == "oracle")]
    if oracle.empty:
        raise InputError("no row of the table has tight oracle boxes; score with OracleBox() too")
    first = oracle[oracle["segmenter"] == oracle["segmenter"].iloc[0]]
    columns = {("no model", "filled box"): _with_count(first, "filled_box_dice")}
    for model, of_model in means.groupby("segmenter", sort=False):
        name = f"{model} (miniature)" if of_model["miniature"].any() else str(model)
        for (prompt, source), rows in of_model.groupby(["prompt", "box_source"], sort=False):
            named = {"box": str(source), "point": f"points: {source}"}.get(prompt, "no prompt")
            columns[name, named] = _with_count(rows, "dice")
            if (prompt, source) == ("box", "oracle"):
                gains = rows["dice"] - rows["filled_box_dice"]
                columns[name, "oracle minus filled box"] = gains.map(
                    lambda gain: f"{round(gain, 2) + 0.0:+.2f}"  # + 0.0: not "-0.00"
                )
    best_first = (first["dice"] - first["filled_box_dice"]).sort_values(ascending=False).index
    datasets = first.index.unique("dataset").tolist()
    order = sorted(best_first, key=lambda k: (datasets.index(k[0]), k[1] == _ALL_TISSUES))
    return pd.DataFrame(columns).reindex(order).fillna("-")


def volume_table(table: pd.DataFrame) -> pd.DataFrame:
    """Add up a table of `score_cases` or `score_label_maps` to scores of volumes.

    With a ``slice_step`` above 1 it is the Dice of the slices taken.

    Returns
    -------
    pandas.DataFrame
        A row for each model, prompt, case and label that the reference or the prediction has: those
        columns, `tissue`, `volume_dice` (2 overlap / (reference + prediction)),
        `relative_volume_error` ((prediction - reference) / reference, inf where the reference has
        none), `n_slices`, `n_beyond_end` (slices with a prediction and no reference), `missing`
        (there was no prediction for the case; its Dice is 0).

    Raises
    ------
    InputError
        If the table has no row or a column is missing.
    """
    keys = [*MODEL, *_CASE, "tissue", "label"]
    lacking = [name for name in (*keys, *_AREAS, "status") if name not in table]
    if table.empty or lacking:
        raise InputError(
            "expected a table of `score_cases` or `score_label_maps`, got one of "
            f"{len(table)} rows that lacks {', '.join(lacking) or 'no column'}"
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


def write_table(
    table: pd.DataFrame, path: str | os.PathLike[str], *, provenance: Mapping[str, Any]
) -> None:
    """Write a table as CSV and its provenance as a sidecar, completely or not at all.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, numbers stay.
    """
    shown = table.map(_no_formula).rename(columns=_no_formula)
    content = shown.to_csv(index=False).encode(errors="backslashreplace")
    with written_atomically(sidecar_path(path)) as sidecar, written_atomically(path) as target:
        target.write_bytes(content)
        sidecar.write_text(
            sidecar_text(provenance, content=content), encoding="utf-8", errors="backslashreplace"
        )


def _no_formula(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r", " ")  # which pandas leaves bare, so that a reader begins a new row
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text != "-" and text.lstrip().startswith(tuple("=+-@")) else text
    return text


def _with_count(rows: pd.DataFrame, value: str) -> pd.Series[str]:
    # A non-breaking space: in a wide table the count must not fall into the next line.
    counts = rows["n_pairs"].map("\N{NO-BREAK SPACE}({})".format)
    return rows[value].map("{:.2f}".format) + counts
