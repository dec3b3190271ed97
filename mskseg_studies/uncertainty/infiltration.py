"""Muscles with fat in them: which labels are muscle, and how much of each pixel is fat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.datasets.loading import load_cases
from mskseg.datasets.selection import fullest_slice, load_some
from mskseg.evaluation.loop import check_has_reference
from mskseg.splits import Part
from mskseg.volume import LabelMap, Volume, check_same_grid
from mskseg_studies.errors.quantitative_maps import fat_maps, mean_inside
from mskseg_studies.uncertainty.map_sources import with_labels

DIXON = ("dixon_water", "dixon_fat")
_AIR = 0.1  # of the 99th percentile of the signal: below is noise, left white in the picture


def fat_fraction_of(case: Case) -> Volume:
    """Load the Dixon pair that belongs to a case and give its fat fraction.

    Parameters
    ----------
    case : Case
        Of a data set with the sequences `DIXON` on the same grid, such as the thigh phantoms.

    Returns
    -------
    Volume
        0 to 1, float64, by the rule of `fat_maps`; NaN where there is no signal at all. In air it
        is the ratio of two noises.

    Raises
    ------
    InputError
        If the data set has no such images of the person, or on another grid.
    """
    return _fraction_of(_dixon_pair(case))


@dataclass(frozen=True, eq=False)
class FatLook:
    """One slice of a person and how much of it is fat.

    Attributes
    ----------
    severity : str
    case_slice : CaseSlice
        The fullest of the case.
    fraction : (H, W) float64
        Fat fraction of its pixels, to look at: NaN in air, where there is too little signal.
    in_muscle : float
        Mean fat fraction inside the reference of the whole volume.
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

    Returns
    -------
    dict of part to CaseSet

    Raises
    ------
    InputError
        As `mskseg.datasets.selection.load_some` and `with_labels`.
    """
    loaded = {
        part: load_some(dataset, n_subjects=n, part=part, progress=False)
        for part, n in parts.items()
    }
    return {
        part: CaseSet(cases.name, [_narrowed(case, left_out) for case in cases])
        for part, cases in loaded.items()
    }


def fat_by_grade(cases: Iterable[Case]) -> list[FatLook]:
    """Look at the first person of each grade, in the alphabetical order of the grades.

    Parameters
    ----------
    cases : iterable of Case
        With `severity`, and what `fat_fraction_of` needs.
    """
    firsts: dict[str, Case] = {}
    for case in cases:
        firsts.setdefault(case.severity, case)
    return [_look(case) for _, case in sorted(firsts.items())]


def _dixon_pair(case: Case) -> list[Case]:
    pair = list(
        load_cases(case.dataset, subjects=[case.subject], sequences=list(DIXON), progress=False)
    )
    check_same_grid(case.image, pair[0].image)
    return pair


def _fraction_of(pair: Sequence[Case]) -> Volume:
    (points,) = fat_maps(pair).values()
    return points.with_array(points.array / 100)


def _look(case: Case) -> FatLook:
    check_has_reference(case)
    pair, one = _dixon_pair(case), fullest_slice(case)
    fraction = _fraction_of(pair)
    signal = np.sum([each.image.array for each in pair], axis=0, dtype=np.float64)
    air = case.image.with_array(np.asarray(signal < _AIR * np.percentile(signal, 99)))
    inside = cast(LabelMap, case.reference).array > 0
    return FatLook(
        case.severity,
        one,
        np.where(air.slice(one.plane, one.index), np.nan, fraction.slice(one.plane, one.index)),
        mean_inside(fraction.array, inside),
    )


def _narrowed(case: Case, left_out: Sequence[str]) -> Case:
    labels = [label for label, tissue in case.tissues.items() if tissue not in left_out]
    kept = with_labels(case, labels)
    return replace(kept, tissues={label: case.tissues[label] for label in labels})
