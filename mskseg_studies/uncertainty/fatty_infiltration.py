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
from mskseg_studies.errors.biomarkers import load_maps, mean_inside
from mskseg_studies.people import named_once
from mskseg_studies.uncertainty.probability_maps import with_labels

_FAT = "fat fraction"  # among the quantities of `load_maps`
_AIR = 0.1  # of the 99th percentile of the image: below is noise, left white in the picture


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

    The grade is the `severity` of a case. Empty if the data set has no Dixon images; InputError if
    they lie on another grid.
    """
    firsts: dict[str, Case] = {}
    for case in cases:
        firsts.setdefault(case.severity, case)
    looks = []
    for severity, case in sorted(firsts.items()):
        maps, at = load_maps([CaseSet(case.dataset, [case])]), fullest_slice(case)
        for points in (volume for (quantity, *_), volume in maps.items() if quantity == _FAT):
            check_same_grid(case.image, points)
            dark = case.image.array < _AIR * np.percentile(case.image.array, 99)
            shown = points.with_array(np.where(dark, np.nan, points.array / 100))
            inside = mean_inside(points.array / 100, cast(LabelMap, case.reference).array > 0)
            looks.append(FatSlice(severity, at, shown.slice(at.plane, at.index), inside))
    return looks
