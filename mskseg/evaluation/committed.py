"""Results of runs that were done elsewhere and committed, to stand beside what was computed now."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from mskseg.errors import InputError
from mskseg.provenance import read_provenance


def committed_results(folder: str | os.PathLike[str], pattern: str) -> pd.DataFrame:
    """Read committed tables, if there are any.

    Parameters
    ----------
    folder : path-like
        Such as ``results`` of the repository; it may be absent.
    pattern : str
        Of the file names, such as ``08_uncertainty*.csv``.

    Returns
    -------
    pandas.DataFrame
        All rows, with the columns `file` and `weights` in front (the first digits of the sha256 of
        the segmenter, since weights may have changed since); empty where nothing was committed,
        which a notebook says in words: "not run here".

    Raises
    ------
    InputError
        If a file is no table, has no provenance, or was edited after that was written.
    """
    tables = []
    for path in sorted(Path(folder).glob(pattern)):
        try:
            table = pd.read_csv(path)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is no table ({error}); commit a CSV of results") from None
        segmenter = read_provenance(path)["segmenter"] or {}
        table.insert(0, "weights", str(segmenter.get("sha256", ""))[:8])
        table.insert(0, "file", path.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"file": []})
