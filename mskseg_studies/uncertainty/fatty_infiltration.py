"""The people of this study, of whom some tissues are looked at, and the fat in their muscles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.datasets.loading import fullest_slice, load_some
from mskseg.evaluation.loop import check_has_reference
from mskseg.splits import Part
from mskseg.volume import LabelMap, check_same_grid
from mskseg_studies.errors.biomarkers import fat_fraction, mean_inside
from mskseg_studies.people import load_companions, named_once
from mskseg_studies.uncertainty.probability_maps import with_labels

DIXON = ("dixon_water", "dixon_fat")
_AIR = 0.1  # of the 99th percentile of the signal: below is noise, left white in the picture


@dataclass(frozen=True, eq=False)
class FatSlice:
    """The fullest slice of a person and how much of it is fat."""

    severity: str
    case_slice: CaseSlice
    fraction: NDArray[np.float64]  # (H, W), to look at: NaN in air, where there is little signal
    in_muscle: float  # mean inside the reference of the whole volume


def load_tissues(
    dataset: str, parts: Mapping[Part, int], *, left_out: Sequence[str]
) -> dict[Part, CaseSet]:
    """Load people of several parts of a split, with some kinds of tissue as the only labels.

    So many people of each part, in their first sequence; the kinds in `left_out` become background,
    and labels of one name, such as vertebral bodies that are only counted, become one. Raises
    InputError as `load_some`, and if a case shows no other tissue.
    """
    loaded = {}
    for part, n in parts.items():
        cases = load_some(dataset, n_subjects=n, part=part, progress=False)
        narrowed = []
        for case in cases:
            check_has_reference(case)
            labels = sorted({*case.tissues, *cast(LabelMap, case.reference).labels})
            kept = {k: case.tissue(k) for k in labels if case.kind(k) not in left_out}
            narrowed.append(named_once(replace(with_labels(case, list(kept)), tissues=kept)))
        loaded[part] = CaseSet(cases.name, narrowed)
    return loaded


def fat_by_grade(cases: Iterable[Case]) -> list[FatSlice]:
    """Measure the fat of the first person of each grade, in the alphabetical order of the grades.

    The grade is the `severity` of a case. Empty if the data set has no sequences `DIXON`;
    InputError if they lie on another grid.
    """
    firsts: dict[str, Case] = {}
    for case in cases:
        firsts.setdefault(case.severity, case)
    looks = [_fat_slice(case) for _, case in sorted(firsts.items())]
    return [look for look in looks if look is not None]


def _fat_slice(case: Case) -> FatSlice | None:
    check_has_reference(case)
    pair = load_companions(CaseSet(case.dataset, [case]), DIXON)
    if not pair:
        return None
    water, fat = pair
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
