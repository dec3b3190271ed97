"""Maps that a biomarker is read off, T2 and fat fraction, from the images of the same people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case, CaseSet
from mskseg.datasets.selection import load_companions
from mskseg.errors import InputError
from mskseg.volume import Volume

Maps = Mapping[tuple[str, str, str], Volume]
"""Maps by quantity, data set and subject."""

T2_UNIT_MS = 0.1
"""Of the integers in a ``t2_map`` of the phantoms."""


def load_maps(sets: Iterable[CaseSet]) -> dict[tuple[str, str, str], Volume]:
    """Load what maps of T2 and fat fraction there are of the people of some data sets.

    Parameters
    ----------
    sets : iterable of CaseSet
        As from `mskseg.datasets.selection.load_some`.

    Returns
    -------
    dict of (quantity, data set, subject) to Volume
        T2 in ms, fat fraction in points; empty where no data set has such images.
    """
    found: dict[tuple[str, str, str], Volume] = {}
    for some in sets:
        found |= t2_maps(load_companions(some, ["t2_map"]))
        found |= fat_maps(load_companions(some, ["dixon_water", "dixon_fat"]))
    return found


def t2_maps(cases: Iterable[Case]) -> dict[tuple[str, str, str], Volume]:
    """Give T2 in ms of cases with the sequence ``t2_map``, NaN where none was fitted."""
    found = {}
    for case in cases:
        values = np.asarray(case.image.array, dtype=np.float64) * T2_UNIT_MS
        known = case.image.with_array(np.where(values > 0, values, np.nan))
        found["T2", case.dataset, case.subject] = known
    return found


def fat_maps(cases: Iterable[Case]) -> dict[tuple[str, str, str], Volume]:
    """Give fat fraction in points of cases with the sequences ``dixon_water`` and ``dixon_fat``.

    Raises
    ------
    InputError
        If one image of a pair is missing.
    """
    images: dict[tuple[str, str], dict[str, Volume]] = {}
    for case in cases:
        images.setdefault((case.dataset, case.subject), {})[case.sequence] = case.image
    found = {}
    for (dataset, subject), pair in images.items():
        if set(pair) != {"dixon_water", "dixon_fat"}:
            raise InputError(
                f"of {subject} came {', '.join(sorted(pair))}; give dixon_water and dixon_fat"
            )
        water, fat = pair["dixon_water"], pair["dixon_fat"]
        points = 100 * fat_fraction(water.array, fat.array)
        found["fat fraction", dataset, subject] = water.with_array(points)
    return found


def fat_fraction(water: ArrayLike, fat: ArrayLike) -> NDArray[np.float64]:
    """Fat over fat and water, from the two Dixon images.

    Parameters
    ----------
    water, fat : (...) real
        Magnitudes of one shape.

    Returns
    -------
    (...) float64
        0 to 1; NaN where there is no signal at all.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    w, f = np.asarray(water, dtype=np.float64), np.asarray(fat, dtype=np.float64)
    if w.shape != f.shape:
        raise InputError(f"water {w.shape} and fat {f.shape} differ in shape; take one Dixon pair")
    total = w + f
    fraction = np.full(w.shape, np.nan)
    np.divide(f, total, out=fraction, where=total > 0)
    return fraction
