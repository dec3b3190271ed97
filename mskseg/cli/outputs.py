"""What several commands write: checks made before the work starts, and the summary of a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
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
    """Raise InputError if writing `output`, or its sidecar, would overwrite one of the `inputs`."""
    from mskseg.provenance import sidecar_path

    for written in filter(Path.exists, (output, sidecar_path(output))):
        for path in (file for given in inputs for file in _files_of(given)):
            if path.exists() and written.samefile(path):
                raise InputError(f"{written} is an input too; choose another name for the result")


def _files_of(path: Path) -> Iterator[Path]:
    """List what belongs to an input: files of a folder, voxels beside a header, its sidecar."""
    from mskseg.io.itk import read_header
    from mskseg.provenance import sidecar_path

    yield from (path, sidecar_path(path))
    if path.is_dir():
        yield from path.rglob("*")
    elif path.suffix.lower() in (".mhd", ".nhdr"):
        with suppress(Exception):  # a bad header is refused where the image is read
            yield path.parent / read_header(path).data


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
