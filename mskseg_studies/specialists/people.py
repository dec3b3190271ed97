"""Whom a comparison trains on, selects with and tests on: any data set of the manifest."""

from __future__ import annotations

import sys

from mskseg.case import CaseSet
from mskseg.datasets.loading import load_some
from mskseg.errors import InputError
from mskseg.splits import Part


def load_people(dataset: str, part: Part, n: int | None = None) -> CaseSet:
    """Load the first `n` people of a part in their first sequence, or all.

    Raises InputError if there are fewer, or the data set has no split: a curve over people must not
    name more than it has.
    """
    cases = load_some(dataset, n_subjects=n or sys.maxsize, part=part, progress=False)
    if n is not None and len(cases.subjects) < n:
        raise InputError(
            f"expected {n} people in the part {part!r} of {dataset}, got {len(cases.subjects)}; "
            "ask for fewer, or choose a larger data set"
        )
    return cases
