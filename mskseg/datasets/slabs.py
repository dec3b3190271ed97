"""One scan in three slabs, where there are not enough subjects to split by: a stopgap.

Neighbouring slices of one person are much alike, and every slab shares the person, the scanner and
whoever drew the labels. What is measured on the third slab says whether tuning works at all; it is
no evidence that it works on anybody else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mskseg.case import Case, CaseSet
from mskseg.errors import InputError
from mskseg.splits import Part
from mskseg.volume import Plane

SHARES: dict[Part, float] = {"test": 0.2, "validation": 0.2, "train": 0.6}
"""From the first labelled slice to the last. What selects lies between: at an end of the scan,
where few tissues are left, it would select by those alone."""

GAP = 1
"""Slices left out between slabs: the next slice shows the same outlines."""


def split_by_slab(cases: CaseSet, *, plane: Plane | None = None) -> dict[Part, CaseSet]:
    """Split each scan of seven labelled slices or more into slabs for test, training, validation.

    Images stay whole; a slab's reference is emptied outside, and its subject is "S (train slab)".
    """
    parts: dict[Part, list[Case]] = {part: [] for part in SHARES}
    for case in cases:
        for part, slices in _slabs(case, plane).items():
            parts[part].append(_slab_of(case, part, slices, plane))
    return {part: CaseSet(f"{cases.name}/{part} slabs", found) for part, found in parts.items()}


def _slabs(case: Case, plane: Plane | None) -> dict[Part, tuple[int, ...]]:
    labelled = case.labelled_slices(plane)
    left = len(labelled) - GAP * (len(SHARES) - 1)
    counts = {part: max(1, round(share * left)) for part, share in SHARES.items()}
    counts["train"] += left - sum(counts.values())
    if counts["train"] < 3:
        raise InputError(
            f"{case.name} has {len(labelled)} labelled slices, expected 7 or more to cut it into "
            "slabs; give more subjects"
        )
    slabs, start = {}, 0
    for part, count in counts.items():
        slabs[part] = labelled[start : start + count]
        start += count + GAP
    return slabs


def _slab_of(case: Case, part: Part, slices: tuple[int, ...], plane: Plane | None) -> Case:
    assert case.reference is not None  # noqa: S101  (`labelled_slices` has asked)
    plane = plane or case.plane
    stack = case.reference.stack(plane)
    kept = np.zeros_like(stack)
    kept[list(slices)] = stack[list(slices)]
    return replace(
        case,
        subject=f"{case.subject} ({part} slab)",
        reference=case.reference.from_stack(kept, plane),
    )
