"""Muscles with fat in them: which labels are muscle, and how much of each pixel is fat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.datasets.loading import fullest_slice, load_cases, load_some
from mskseg.evaluation.loop import check_has_reference
from mskseg.splits import Part
from mskseg.volume import LabelMap, check_same_grid
from mskseg_studies.errors.quantitative_maps import fat_fraction, mean_inside
from mskseg_studies.uncertainty.probability_maps import with_labels

DIXON = ("dixon_water", "dixon_fat")
_AIR = 0.1  # of the 99th percentile of the signal: below is noise, left white in the picture


@dataclass(frozen=True, eq=False)
class FatSlice:
    """The fullest slice of a person and how much of it is fat.

    `fraction` (H, W) float64 is the fat fraction of its pixels, to look at: NaN in air, where there
    is too little signal. `in_muscle` is the mean inside the reference of the whole volume.
    """

    severity: str
    case_slice: CaseSlice
    fraction: NDArray[np.float64]
    in_muscle: float


def load_muscles(
    dataset: str, parts: Mapping[Part, int], *, left_out: Sequence[str]
) -> dict[Part, CaseSet]:
    """Load people of several parts of a split, with the muscles as the only labels.

    Parameters
    ----------
    dataset : str
        Of the manifest.
    parts : mapping of part to int
        How many people of each; in their first sequence.
    left_out : sequence of str
        Tissues that are no muscle; they become background.

    Raises
    ------
    InputError
        As `load_some`, and if a case shows no muscle.
    """
    loaded = {
        part: load_some(dataset, n_subjects=n, part=part, progress=False)
        for part, n in parts.items()
    }
    return {
        part: CaseSet(cases.name, [_narrowed(case, left_out) for case in cases])
        for part, cases in loaded.items()
    }


def fat_by_grade(cases: Iterable[Case]) -> list[FatSlice]:
    """Measure the fat of the first person of each grade, in the alphabetical order of the grades.

    The cases have a `severity`, and their data set has the sequences `DIXON` on the same grid; else
    there is an InputError.
    """
    firsts: dict[str, Case] = {}
    for case in cases:
        firsts.setdefault(case.severity, case)
    return [_fat_slice(case) for _, case in sorted(firsts.items())]


def _fat_slice(case: Case) -> FatSlice:
    check_has_reference(case)
    water, fat = (
        load_cases(case.dataset, subjects=[case.subject], sequences=[sequence], progress=False)[0]
        for sequence in DIXON
    )
    check_same_grid(case.image, water.image)
    fraction = fat_fraction(water.image.array, fat.image.array)
    signal = water.image.array.astype(np.float64) + fat.image.array
    shown = np.where(signal < _AIR * np.percentile(signal, 99), np.nan, fraction)
    case_slice = fullest_slice(case)
    return FatSlice(
        case.severity,
        case_slice,
        case.image.with_array(shown).slice(case_slice.plane, case_slice.index),
        mean_inside(fraction, cast(LabelMap, case.reference).array > 0),
    )


def _narrowed(case: Case, left_out: Sequence[str]) -> Case:
    labels = [label for label, tissue in case.tissues.items() if tissue not in left_out]
    kept = with_labels(case, labels)
    return replace(kept, tissues={label: case.tissues[label] for label in labels})
