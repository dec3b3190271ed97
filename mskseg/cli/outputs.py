"""What several commands write: checks made before the work starts, and means of a table."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mskseg.errors import InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = "summary.csv"
MEASURES = {
    "dice": "Dice",
    "iou": "IoU",
    "surface_dice": "surface Dice",
    "hd95_mm": "HD95 mm",
    "volume_dice": "volume Dice",
    "relative_volume_error": "volume error",
    "filled_box_dice": "filled box",
    "wide_box_dice": "wide box",
    "neighbour_box_dice": "neighbour box",
}
"""What a table may measure, and the heading that it is shown under."""


NOTE = (
    "Means within slices, of volumes over scans; surface Dice within 1 mm; HD95 where both have a "
    "mask; empty: nothing predicted, Dice 0. A score against an automatic reference is agreement, "
    "not accuracy."
)


def check_writable(path: Path, *, suffixes: Sequence[str] = ()) -> Path:
    """Check that a file of one of the suffixes can be written there; OutputError if not."""
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give the name of a file")
    if suffixes and not path.name.lower().endswith(tuple(suffixes)):
        raise OutputError(f"cannot write {path}: expected a name ending in {' or '.join(suffixes)}")
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that is writable"
        ) from error
    return path


def check_not_input(output: Path, *inputs: Path) -> None:
    """Raise InputError if writing `output`, or its sidecar, would overwrite one of the `inputs`."""
    from mskseg.provenance import sidecar_path

    for written in filter(Path.exists, (output, sidecar_path(output))):
        for path in (file for given in inputs for file in files_of(given)):
            if path.exists() and written.samefile(path):
                raise InputError(f"{written} is an input too; choose another name for the result")


def files_of(path: Path) -> Iterator[Path]:
    """List what belongs to an input: files of a folder, voxels beside a header, its sidecar."""
    from mskseg.io.itk import read_header
    from mskseg.provenance import sidecar_path

    yield from (path, sidecar_path(path))
    if path.is_dir():
        yield from path.rglob("*")
    elif path.suffix.lower() in (".mhd", ".nhdr"):
        with suppress(Exception):  # a bad header is refused where the image is read
            yield path.parent / read_header(path).data


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Declare ``--quiet``."""
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def shows_progress(arguments: argparse.Namespace) -> bool:
    """Whether a progress bar is wanted, and there is somebody to see it."""
    return sys.stderr.isatty() and not arguments.quiet


def measures(table: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Average every measure by `summarise`, one row for each model and group.

    HD95 is of the pairs where both masks have a pixel; `empty` counts scored pairs without any
    prediction, and volumes are of the labels that the reference has in a scan.
    """
    from mskseg.evaluation import nested_mean, summarise, volume_table
    from mskseg.evaluation.averaging import IN_THE_MEAN, PLAN

    keys, volume = [*by, *PLAN], ["volume_dice", "relative_volume_error"]
    values = [name for name in MEASURES if name in table]
    finite = table.replace({"hd95_mm": {math.inf: math.nan}})
    empty = table[table["status"].isin(IN_THE_MEAN) & (table["predicted_area_mm2"] == 0)]
    volumes = volume_table(table)
    there = volumes[volumes["relative_volume_error"] < math.inf]
    means = summarise(finite, by=keys, values=values).set_index(keys)
    means["empty"] = empty.groupby(keys).size().reindex(means.index).fillna(0).astype(int)
    of_volumes = nested_mean(there, by=keys, values=volume, within=["label", "tissue"])
    return means.join(of_volumes.set_index(keys)[volume]).reset_index()


def rows_by_label(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a row for each label that is scored and each model, then one of all labels for each."""
    import pandas as pd

    labels = measures(table, by=["label", "tissue"]).query("n_pairs > 0")
    mean = measures(table).assign(label=math.inf, tissue="mean of labels")
    rows = pd.concat([labels, mean]).sort_values(["label", "segmenter"], ignore_index=True)
    rows["label"] = rows["label"].map("{:.0f}".format).replace("inf", "")
    heads = {"label": "label", "tissue": "tissue", "segmenter": "tool", "n_pairs": "slices"}
    heads |= {name: heading for name, heading in MEASURES.items() if name in rows}
    heads |= {"empty": "empty", "n_beyond_end": "beyond", "n_missing": "missing"}
    return rows[list(heads)].rename(columns=heads)


def laid_out(table: pd.DataFrame) -> str:
    """Lay out a table as text, names to the left."""
    names = [name for name in ("scan", "tissue", "segmenter", "tool") if name in table]
    width = {name: max(map(len, table[name])) for name in names}
    text: str = table.to_string(
        index=False,
        float_format="{:.3f}".format,
        formatters={name: f"{{:<{width[name]}}}".format for name in names},
        na_rep="-",
    )
    return text
