"""What several commands write: checks made before the work starts, and the summary of a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mskseg.errors import InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd


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
    """Raise InputError if writing `output` would overwrite one of the `inputs`."""
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise InputError(f"{output} is an input too; choose another name for the result")


def label_summary(
    table: pd.DataFrame, columns: Callable[[pd.DataFrame], Mapping[str, float]]
) -> str:
    """Lay out a line for each label, and one for all: `columns` of their rows of `summarise`."""
    import pandas as pd

    from mskseg.evaluation import summarise

    labels = summarise(table, by=["label", "tissue", "prompt", "box_source", "segmenter"])
    groups = [(str(label), rows["tissue"].iloc[0], rows) for label, rows in labels.groupby("label")]
    groups.append(("", "mean of labels", summarise(table)))
    lines = [{"label": label, "tissue": tissue, **columns(rows)} for label, tissue, rows in groups]
    width = max(len(tissue) for _, tissue, _ in groups)
    text: str = pd.DataFrame(lines).to_string(
        index=False,
        float_format="{:.3f}".format,
        formatters={"tissue": f"{{:<{width}}}".format},
        na_rep="-",
    )
    return text
