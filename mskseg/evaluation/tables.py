"""Tables: of scans, and of scores, laid out to be read, added up to volumes, written."""

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mskseg.errors import InputError
from mskseg.evaluation.scoring import SCAN
from mskseg.files import written_atomically
from mskseg.provenance import sidecar_path, sidecar_text

MODEL = ("segmenter", "miniature", "prompt", "box_source")
_CASE = (*SCAN, "anatomy", "severity")
_AREAS = ("area_mm2", "predicted_area_mm2", "overlap_mm2")


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
