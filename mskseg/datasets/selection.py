"""Choose what a notebook shows of a data set: whom, in which sequence, and which slice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.datasets.fetching import fetch, verify
from mskseg.datasets.loading import (
    dataset_entry,
    image_roles,
    list_subjects,
    load_cases,
    load_split_of,
)
from mskseg.datasets.providers import provider_of
from mskseg.datasets.scans import LazyCaseSet
from mskseg.errors import InputError
from mskseg.splits import SHARES, Part, Split


def check_can_be_scored(name: str) -> None:
    """Refuse a data set that a notebook cannot score on, before anything is read or fetched.

    Parameters
    ----------
    name : str
        A data set of the manifest.

    Raises
    ------
    mskseg.errors.InputError
        If it is unknown, comes without an image or without a reference, or is a folder that nobody
        has brought.
    """
    entry = dataset_entry(name)
    if entry.layout is None and entry.package is None:
        image_roles(name, entry)
    if entry.reference is None:
        raise InputError(
            f"{name} has no reference, expected one to score against; "
            "choose a data set with labels (`mskseg data list`)"
        )
    if entry.access == "registration":
        fetch(name)  # refuses a folder that is not there


def reported_subjects(name: str) -> tuple[str, ...]:
    """List the subjects whose scores may be reported: the test part, or all where there is none.

    Parameters
    ----------
    name : str
        A data set of the manifest; one with fewer subjects than a split has parts has no split.

    Raises
    ------
    mskseg.errors.InputError
        If the data set is unknown, or its folder is not there.
    """
    subjects = list_subjects(name)
    return list_subjects(name, part="test") if len(subjects) >= len(SHARES) else subjects


def load_splits(names: Iterable[str]) -> tuple[Split, ...]:
    """Load the splits of those data sets that have one: those with a subject for each part.

    Raises
    ------
    mskseg.errors.InputError
        As `reported_subjects`.
    """
    return tuple(load_split_of(name) for name in names if len(list_subjects(name)) >= len(SHARES))


def load_some(
    name: str,
    *,
    n_subjects: int = 1,
    n_sequences: int | None = 1,
    part: Part | None = None,
    progress: bool = True,
) -> CaseSet:
    """Load the first reported subjects of a data set, in its first sequences.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    n_subjects : int
        Of `reported_subjects`, the first; all if there are fewer.
    n_sequences : int or None
        Of a phantom those that come first in its manifest entry, of other data sets those of the
        first scans; None for all.
    part : {"train", "validation", "test", "inference"}, optional
        Of the split; by default the people of `reported_subjects`.
    progress : bool
        Show a bar while something is made or fetched.

    Returns
    -------
    CaseSet

    Raises
    ------
    mskseg.errors.InputError
        As `check_can_be_scored` and `mskseg.datasets.loading.load_cases`, and if one of the numbers
        is below 1.
    """
    check_can_be_scored(name)
    if (provider := provider_of(name)) is not None:
        kinds = provider.default_sequences(name)[:n_sequences]
        subjects = _subjects(name, part)[:n_subjects]
        return load_cases(name, subjects=subjects, sequences=kinds, progress=progress)
    everything = load_cases(name, progress=progress)  # fetched now, so that it can be listed
    chosen = _subjects(name, part)[:n_subjects]
    scans = everything.scans if isinstance(everything, LazyCaseSet) else tuple(everything)
    found = dict.fromkeys(scan.sequence for scan in scans if scan.subject in chosen)
    kinds = tuple(found)[:n_sequences]
    return load_cases(name, subjects=chosen, sequences=kinds, progress=progress)


def _subjects(name: str, part: Part | None) -> tuple[str, ...]:
    return reported_subjects(name) if part is None else list_subjects(name, part=part)


def load_companions(cases: CaseSet, sequences: Sequence[str]) -> tuple[Case, ...]:
    """Load further images of the same people on the same grid, where a data set can give them.

    Parameters
    ----------
    cases : CaseSet
        Of one data set, as from `load_some`.
    sequences : sequence of str
        Such as ``t2_map``, or ``dixon_water`` and ``dixon_fat``.

    Returns
    -------
    tuple of Case
        Empty unless the data set is a phantom whose manifest entry names all of the sequences.
    """
    provider = provider_of(cases.name)
    known = () if provider is None else provider.default_sequences(cases.name)
    if not set(sequences) <= set(known):
        return ()
    return tuple(load_cases(cases.name, subjects=cases.subjects, sequences=sequences))


def load_fetched(name: str) -> tuple[Case, ...]:
    """Load a data set only if it is here already; nothing is downloaded.

    Parameters
    ----------
    name : str
        A data set of the manifest, or "" for none.

    Returns
    -------
    tuple of Case
        Empty if a file of it is missing or damaged.

    Raises
    ------
    mskseg.errors.InputError
        If there is no such data set.
    """
    if not name or any(status.state not in ("present", "builtin") for status in verify(name)):
        return ()
    return tuple(load_cases(name, progress=False))


def fullest_slice(case: Case) -> CaseSlice:
    """Give the slice that shows most: of those with the most labels, the largest labelled area.

    Raises
    ------
    mskseg.errors.InputError
        If the case has no reference.
    """
    return max(case.slices(labelled_only=True), key=_shown)


def _shown(one: CaseSlice) -> tuple[int, int]:
    label_map = np.asarray(one.label_map)
    return len(np.unique(label_map)), int(np.count_nonzero(label_map))
