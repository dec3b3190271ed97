"""The people of this study, of whom some kinds of tissue are looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from mskseg.case import CaseSet
from mskseg.datasets.loading import load_some
from mskseg.evaluation.loop import check_has_reference
from mskseg.splits import Part
from mskseg.volume import LabelMap
from mskseg_studies.people import named_once
from mskseg_studies.uncertainty.probability_maps import with_labels


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
