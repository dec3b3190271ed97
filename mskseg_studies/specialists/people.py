"""Whom a comparison trains on, selects with and tests on: any data sets of the manifest."""

import sys
from collections.abc import Iterable

from mskseg.case import CaseSet
from mskseg.datasets.loading import load_cases, load_some
from mskseg.datasets.manifest import load_manifest
from mskseg.datasets.sources import source_of
from mskseg.errors import InputError
from mskseg.splits import Part
from mskseg_studies.people import named_once


def load_people(dataset: str, part: Part, n: int | None = None) -> CaseSet:
    """Load the first people of a part in their first sequence, each tissue under one label.

    Labels of one name, such as vertebrae that are only counted, become one label: which is the
    first is not to be seen on a slice. InputError if there are fewer than `n` people (None for
    all), or the data set has no such part.
    """
    cases = load_some(dataset, n_subjects=n or sys.maxsize, part=part, progress=False)
    if n is not None and len(cases.subjects) < n:
        raise InputError(
            f"expected {n} people in the part {part!r} of {dataset}, got {len(cases.subjects)}; "
            "ask for fewer, or choose a larger data set"
        )
    return _named_once(cases)


def load_test_sets(
    test: CaseSet, *, sequences: Iterable[str], datasets: Iterable[str], n: int
) -> dict[str, CaseSet]:
    """Load all that a comparison is tested on, from the nearest to the farthest.

    `test` are people of `load_people`, whose scores count as inside. Of them come other `sequences`
    that the data set has; then `n` people (or all, where there are fewer) of its part "inference",
    which is another site, and of each other of the `datasets`.

    Gives "inside", then "another sequence (...)", "another site" where the split has that part, and
    "another data set (...)". InputError if a data set has people of this one under other names, or
    cannot be scored.
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


def check_no_shared_people(trained_on: Iterable[str], reported_on: str) -> None:
    """Raise InputError if a data set holds, by the manifest, people of one that was trained on."""
    datasets = load_manifest().datasets
    for name in trained_on:
        entries = {name: reported_on, reported_on: name}
        for one, other in entries.items():
            if one in datasets and other in datasets[one].shares_people_with:
                raise InputError(
                    f"{reported_on} has people of {name} under other names, expected people whom "
                    "the model never saw; choose another data set to report on"
                )


def _named_once(cases: CaseSet) -> CaseSet:
    """Give each name of a tissue one label."""
    named = CaseSet(cases.name, [named_once(case) for case in cases])
    named.split_sha256 = cases.split_sha256
    return named
