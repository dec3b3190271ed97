"""Whom a comparison trains on, selects with and tests on: any data sets of the manifest."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from mskseg.case import CaseSet
from mskseg.datasets.loading import check_no_shared_people, load_cases, load_some
from mskseg.datasets.sources import source_of
from mskseg.errors import InputError
from mskseg.splits import Part
from mskseg_studies.people import named_once


def load_people(dataset: str, part: Part | None, n: int | None = None) -> CaseSet:
    """Load the first people of a part in their first sequence, each tissue under one label.

    Parameters
    ----------
    dataset : str
        Of the manifest.
    part : {"train", "validation", "test", "inference"} or None
        Of its split; None for those whose scores may be reported, split or not.
    n : int, optional
        How many; all by default.

    Returns
    -------
    CaseSet
        Labels of one name, such as vertebrae that are only counted, become one label: which is the
        first is not to be seen on a slice.

    Raises
    ------
    InputError
        If there are fewer people, or the data set has no such part.
    """
    cases = load_some(dataset, n_subjects=n or sys.maxsize, part=part, progress=False)
    if n is not None and len(cases.subjects) < n:
        where = f"the part {part!r} of {dataset}" if part else dataset
        raise InputError(
            f"expected {n} people in {where}, got {len(cases.subjects)}; ask for fewer, or choose "
            "a larger data set"
        )
    return _named_once(cases)


def load_test_sets(
    test: CaseSet, *, sequences: Iterable[str], datasets: Iterable[str], n: int
) -> dict[str, CaseSet]:
    """Load all that a comparison is tested on, from the nearest to the farthest.

    Parameters
    ----------
    test : CaseSet
        Of `load_people`: the people whose scores count as inside.
    sequences : iterable of str
        Of the same people; those that the data set does not have are left out.
    datasets : iterable of str
        Of other people; the one of `test` is left out.
    n : int
        People of each other data set, and of the part "inference" of this one (another site); all
        where there are fewer.

    Returns
    -------
    dict of str to CaseSet
        "inside", then "another sequence (...)", "another site" where the split has that part, and
        "another data set (...)".

    Raises
    ------
    InputError
        If a data set has people of this one under other names, or cannot be scored.
    """
    source, sets = source_of(test.name), {"inside": test}
    known = source.default_sequences(test.subjects)
    for name in (name for name in sequences if name in known):
        cases = load_cases(test.name, subjects=test.subjects, sequences=[name], progress=False)
        sets[f"another sequence ({name})"] = _named_once(cases)
    split = source.split()
    if split is not None and "inference" in split.parts:
        elsewhere = load_some(test.name, n_subjects=n, part="inference", progress=False)
        sets["another site"] = _named_once(elsewhere)
    for name in (name for name in datasets if name != test.name):
        check_no_shared_people([test.name], name)
        others = load_some(name, n_subjects=n, progress=False)
        sets[f"another data set ({name})"] = _named_once(others)
    return sets


def _named_once(cases: CaseSet) -> CaseSet:
    """Give each name of a tissue one label."""
    named = CaseSet(cases.name, [named_once(case) for case in cases])
    named.split_sha256 = cases.split_sha256
    return named
