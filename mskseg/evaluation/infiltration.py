"""The fat fraction of a scan, from the Dixon images of the same person."""

from __future__ import annotations

import numpy as np

from mskseg.data.cases import Case
from mskseg.data.datasets import load_cases
from mskseg.data.volume import Volume, check_same_grid
from mskseg.evaluation.biomarkers import fat_fraction

DIXON = ("dixon_water", "dixon_fat")
_AIR = 0.1  # of the 99th percentile of the signal: below is noise, whose fraction means nothing


def fat_fraction_of(case: Case) -> Volume:
    """Load the Dixon pair that belongs to a case and give its fat fraction.

    Parameters
    ----------
    case : Case
        Of a data set with the sequences `DIXON` on the same grid, such as the thigh phantoms.

    Returns
    -------
    Volume
        0 to 1, float64; NaN in air, where there is too little signal.

    Raises
    ------
    InputError
        If the data set has no such images of the person, or on another grid.
    """
    water, fat = load_cases(
        case.dataset, subjects=[case.subject], sequences=list(DIXON), progress=False
    )
    check_same_grid(case.image, water.image)
    signal = water.image.array.astype(np.float64) + fat.image.array
    fraction = fat_fraction(water.image.array, fat.image.array)
    fraction[signal < _AIR * np.percentile(signal, 99)] = np.nan
    return case.image.with_array(fraction)
