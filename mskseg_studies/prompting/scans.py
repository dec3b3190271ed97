"""The scans of this study, their slices, the words of a row about them, and a mean over people."""

from collections.abc import Sequence
from typing import Any, TypeVar

import pandas as pd
from scipy import stats

from mskseg.case import Case
from mskseg.datasets import load_some
from mskseg.evaluation import PromptedSlice, prompted_slices
from mskseg.models import Segmenter
from mskseg.prompts.plans import OraclePlan
from mskseg.splits import Part
from mskseg.volume import GRID_TOLERANCE_MM, farthest_corner_mm
from mskseg_phantom import ANATOMIES, SPLIT, make_phantom, scan_phantom
from mskseg_studies.people import is_drawn

_Item = TypeVar("_Item")
_PREFIX = "phantom_"  # of the data sets that we draw and can draw otherwise


def first_and_drawn(names: Sequence[str]) -> list[str]:
    """Take the first data set and, where that is of real scans, the first that is drawn."""
    return list(dict.fromkeys([names[0], *[name for name in names if is_drawn(name)][:1]]))


def models_for(name: str, loaded: Sequence[Segmenter], clicker: Segmenter) -> list[Segmenter]:
    """Choose who is asked about a data set: the first model, and the one that takes points.

    Of drawings the one that takes points alone, if it was loaded among the others: what another
    makes of them is no evidence about people, and costs as much time.
    """
    if loaded[0] is clicker or (is_drawn(name) and clicker in loaded):
        return [clicker]
    return [loaded[0], clicker]


def load_fine(name: str, *, n_subjects: int, size_px: int) -> list[Case]:
    """Load people with detail to lose: real scans as they are, phantoms drawn anew.

    A phantom is of the first test subjects, in 8 slices of `size_px` rows and columns; the field of
    view stays.
    """
    if (anatomy := _anatomy_of(name)) is None:
        return list(load_some(name, n_subjects=n_subjects, progress=False))
    return [
        make_phantom(anatomy, subject, shape=(size_px, size_px, 8))
        for subject in SPLIT["test"][:n_subjects]
    ]


def load_phases(
    name: str,
    sequences: Sequence[str] | None = None,
    *,
    part: Part | None = None,
    n_subjects: int,
) -> list[Case]:
    """Load several images of the same slices, of each of the first subjects.

    Of people those who have two images or more on one grid; empty if nobody has. Phantoms are drawn
    with 256 x 256 x 8 voxels; ``mese_te10`` to ``mese_te80`` are echoes of theirs. By default all
    sequences of the test part, or of everybody where there is no split: choose a combination on one
    part, report it on another.
    """
    if (anatomy := _anatomy_of(name)) is not None:
        return [
            case
            for subject in SPLIT[part or "test"][:n_subjects]
            for case in scan_phantom(anatomy, subject, sequences=sequences, shape=(256, 256, 8))
        ]
    people: dict[str, list[Case]] = {}
    for case in load_some(name, n_subjects=n_subjects, n_sequences=None, part=part, progress=False):
        images = people.setdefault(case.subject, [])
        if sequences is None or case.sequence in sequences:
            first, new = (images or [case])[0].image, case.image
            apart_mm = farthest_corner_mm(first.shape, first.affine, new.affine)
            if first.shape == new.shape and apart_mm <= GRID_TOLERANCE_MM:
                images.append(case)
    return [case for images in people.values() if len(images) > 1 for case in images]


def _anatomy_of(name: str) -> str | None:
    anatomy = name.removeprefix(_PREFIX)
    return anatomy if name.startswith(_PREFIX) and anatomy in ANATOMIES else None


def spread(items: Sequence[_Item], count: int | None) -> list[_Item]:
    """Take so many, evenly spread, one alone from the middle; all if there are fewer."""
    if count is None or count >= len(items):
        return list(items)
    return [items[int((k + 0.5) * len(items) / count)] for k in range(count)]


def asked_slices(
    case: Case, plans: Sequence[OraclePlan], count: int | None
) -> list[tuple[PromptedSlice, ...]]:
    """Give of so many labelled slices, evenly spread, what every plan asks about them."""
    loops = [prompted_slices(case, plan, labelled_only=True) for plan in plans]
    return spread(list(zip(*loops, strict=True)), count)


def described(prompted: PromptedSlice, label: int) -> dict[str, Any]:
    """Columns that name a tissue on a slice of a person."""
    case = prompted.case
    return {
        "dataset": case.dataset,
        "subject": case.subject,
        "tissue": case.tissue(label),
        "group": case.kind(label),
        "slice": prompted.case_slice.index,
    }


def over_people(differences: pd.Series, *, n_intervals: int = 1) -> dict[str, float]:
    """Average one number a person, with Student's 95 % interval (`n_intervals` hold together)."""
    known = differences.dropna()
    # Wider after Bonferroni where several have to hold; NaN with one person.
    reach = stats.t.ppf(1 - 0.025 / n_intervals, len(known) - 1) * known.sem()
    return {
        "change": known.mean(),
        "low": known.mean() - reach,
        "high": known.mean() + reach,
        "n_subjects": len(known),
    }
