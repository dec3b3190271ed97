"""Numbers that the studies report, as small tables with the place where each stands."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from mskseg.errors import InputError


def reported(study: str) -> pd.DataFrame:
    """Read the numbers of a study.

    Parameters
    ----------
    study : str
        Such as "hu_2023".

    Returns
    -------
    pandas.DataFrame
        For "hu_2023": `sweep`, `setting`, `fixed`, `dice`, `where`. All are single illustrated
        cases, chosen by the authors.

    Raises
    ------
    InputError
        If there is no table of that study.
    """
    folder = resources.files("mskseg.evaluation") / "published"
    known = sorted(each.name.removesuffix(".csv") for each in folder.iterdir())
    if study not in known:
        raise InputError(f"no table of {study!r}; there is {', '.join(known)}")
    with resources.as_file(folder / f"{study}.csv") as path:
        return pd.read_csv(path, dtype={"setting": str})
