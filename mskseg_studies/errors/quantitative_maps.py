"""Maps of T2 and fat fraction, from further images of the same people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case, CaseSet
from mskseg.errors import InputError
from mskseg.prompts.checks import checked_mask
from mskseg.volume import Volume
from mskseg_phantom.tissue import TISSUE_SIGNAL, FieldStrength, Tissue, tissue_signal
from mskseg_phantom.tissue.tissues import FIELDS
from mskseg_studies.people import load_companions

Maps = Mapping[tuple[str, str, str], Volume]
"""Maps by quantity, data set and subject."""

T2_UNIT_MS = 0.1
"""Unit of the integers in a ``t2_map`` of the phantoms."""


def load_maps(sets: Iterable[CaseSet]) -> dict[tuple[str, str, str], Volume]:
    """Load the maps of T2 and fat fraction that belong to the people of some data sets.

    By quantity, data set and subject: T2 in ms, fat fraction in percentage points. Empty where no
    data set has such images.
    """
    maps: dict[tuple[str, str, str], Volume] = {}
    for cases in sets:
        maps |= t2_maps(load_companions(cases, ["t2_map"]))
        maps |= fat_maps(load_companions(cases, ["dixon_water", "dixon_fat"]))
    return maps


def t2_maps(cases: Iterable[Case]) -> dict[tuple[str, str, str], Volume]:
    """Convert cases of the sequence ``t2_map`` to T2 in ms, NaN where none was fitted."""
    maps = {}
    for case in cases:
        values = np.asarray(case.image.array, dtype=np.float64) * T2_UNIT_MS
        known = case.image.with_array(np.where(values > 0, values, np.nan))
        maps["T2", case.dataset, case.subject] = known
    return maps


def fat_maps(cases: Iterable[Case]) -> dict[tuple[str, str, str], Volume]:
    """Compute fat fraction, in points, from pairs of ``dixon_water`` and ``dixon_fat``."""
    images: dict[tuple[str, str], dict[str, Volume]] = {}
    for case in cases:
        images.setdefault((case.dataset, case.subject), {})[case.sequence] = case.image
    maps = {}
    for (dataset, subject), pair in images.items():
        if set(pair) != {"dixon_water", "dixon_fat"}:
            raise InputError(
                f"expected dixon_water and dixon_fat of {subject}, got "
                f"{', '.join(sorted(pair))}; load both"
            )
        water, fat = pair["dixon_water"], pair["dixon_fat"]
        points = 100 * fat_fraction(water.array, fat.array)
        maps["fat fraction", dataset, subject] = water.with_array(points)
    return maps


def fat_fraction(water: ArrayLike, fat: ArrayLike) -> NDArray[np.float64]:
    """Divide fat by fat plus water, both magnitudes of one shape; NaN without any signal."""
    w, f = np.asarray(water, dtype=np.float64), np.asarray(fat, dtype=np.float64)
    if w.shape != f.shape:
        raise InputError(f"water {w.shape} and fat {f.shape} differ in shape; take one Dixon pair")
    total = w + f
    fraction = np.full(w.shape, np.nan)
    np.divide(f, total, out=fraction, where=total > 0)
    return fraction


def two_point_readings(true_percent: Sequence[float] = (0, 5, 10, 20, 40)) -> pd.DataFrame:
    """Compute what a two-point Dixon of the phantoms reads in muscle that holds so much fat.

    Without noise. The in-phase echo comes later, and water decays in between: the difference is
    taken for fat. Fat's smaller peaks are not opposed when the main one is and count as water.
    Rows are `true fat fraction`, of all protons, with a reading for each field strength; points.
    """
    muscle, fat = (TISSUE_SIGNAL[tissue] for tissue in (Tissue.MUSCLE, Tissue.FAT))
    rows = []
    for percent in true_percent:
        # Voxels mix by volume, fat fractions count protons.
        protons = percent / 100 / fat.fat_fraction
        volume = protons / fat.proton_density
        volume /= volume + (1 - protons) / muscle.proton_density
        mixture = np.zeros((len(Tissue), 1), dtype=np.float32)
        mixture[Tissue.MUSCLE], mixture[Tissue.FAT] = 1 - volume, volume
        rows.append({field: _read(mixture, field) for field in FIELDS})
    return pd.DataFrame(rows, index=pd.Index(true_percent, name="true fat fraction"))


def _read(mixture: NDArray[np.float32], field: FieldStrength) -> float:
    images = (
        sum(
            mixture[tissue, 0] * tissue_signal(tissue, sequence=f"dixon_{part}", field=field)
            for tissue in Tissue
        )
        for part in ("water", "fat")
    )
    return 100 * float(fat_fraction(*(abs(image) for image in images)))


def mean_inside(values: ArrayLike, mask: ArrayLike) -> float:
    """Average a map inside a mask of the same shape; NaN, also in the map, is no value."""
    numbers, inside = np.asarray(values, dtype=np.float64), checked_mask(mask, what="the mask")
    if numbers.shape != inside.shape:
        raise InputError(
            f"expected a map and a mask of one shape, got {numbers.shape} and {inside.shape}; "
            "take both from one grid"
        )
    known = numbers[inside & np.isfinite(numbers)]
    return float(known.mean()) if known.size else float("nan")
