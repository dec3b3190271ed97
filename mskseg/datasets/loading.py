"""Load data sets of the manifest by name, and choose what a notebook shows of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.datasets.fetching import fetch, is_fetched, is_offline
from mskseg.datasets.manifest import load_manifest
from mskseg.datasets.sources import FilesSource, dataset_entry, source_of
from mskseg.errors import InputError, did_you_mean
from mskseg.splits import SHARES, Part, Split


def load_cases(
    name: str,
    *,
    subjects: Sequence[str] | None = None,
    sequences: Sequence[str] | None = None,
    part: Part | None = None,
    progress: bool = True,
) -> CaseSet:
    """Load a data set of the manifest.

    A phantom is made on first use, only as far as it is asked for, and kept in the cache; real
    scans are fetched, checked by sha256, and kept there too. Where a registration is needed, a
    person brings the folder: it is looked for in ``$MSKSEG_DATA/<name>`` and in the cache's folder
    of that name. A data set of many scans reads each one when it is asked for.

    Parameters
    ----------
    name : str
        ``phantom_thigh``, ``qmritools_thigh`` or any other data set of ``data_manifest.yaml``.
    subjects : sequence of str, optional
        Which subjects (see `list_subjects`); all by default.
    sequences : sequence of str, optional
        Which sequences; all by default, of a phantom those of its manifest entry: it can make
        every one of `mskseg_phantom.SEQUENCES`. Its ``mese`` gives one case for each echo.
    part : {"train", "validation", "test", "inference"}, optional
        Only subjects of that part of the data set's split (see `load_splits`).

    Returns
    -------
    CaseSet
        By subject, then by sequence, in the order asked for, with the hash of its split. InputError
        if a name or part is unknown, the data set holds no image, its folder is missing or half
        there, or it cannot be fetched.
    """
    source = source_of(name, download=True, progress=progress)
    owner = f"{name}/{part}" if part else name
    chosen = _chosen(subjects, source.subjects_in(part), what="subject", of=owner)
    wanted = source.default_sequences(chosen) if sequences is None else sequences
    kinds = _chosen(wanted, source.sequences(), what="sequence", of=name)
    cases = source.load(chosen, kinds, progress=progress)
    split = source.split()
    cases.split_sha256 = split.sha256 if split else None
    return cases


def _chosen(
    wanted: Sequence[str] | None, known: Sequence[str], *, what: str, of: str
) -> tuple[str, ...]:
    if wanted is None:
        return tuple(known)
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted)  # a lone name is meant as one
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        got = f"unknown {what} {unknown[0]!r}" if unknown else f"no {what} chosen"
        more = f" and {len(known) - 6} more" if len(known) > 6 else ""
        shown = ", ".join(known[:6]) + more
        if more and what == "subject":  # they are numbered
            shown = f"{known[0]} to {known[-1]}"
        alike = did_you_mean(unknown[0], known) if unknown else ""
        raise InputError(f"{got} of {of}; choose from {shown}{alike}")
    return names


def list_subjects(name: str, *, part: Part | None = None) -> tuple[str, ...]:
    """List the subjects of a data set, or of one part of its split, without a fetch; InputError."""
    return source_of(name).subjects_in(part)


def load_splits(names: Iterable[str]) -> tuple[Split, ...]:
    """Load the splits of data sets that have a subject for each part, each made once and kept."""
    splits = [source_of(name).split() for name in names]
    return tuple(split for split in splits if split and len(split.parts) == len(SHARES))


def load_some(
    name: str,
    *,
    n_subjects: int = 1,
    n_sequences: int | None = 1,
    part: Part | None = None,
    progress: bool = True,
) -> CaseSet:
    """Load the first subjects of a data set whose scores may be reported, in its first sequences.

    Parameters
    ----------
    n_subjects : int
        The first of the part; all if there are fewer.
    n_sequences : int or None
        Those that come first in a phantom's manifest entry, or of the first scans; None for all.
    part : {"train", "validation", "test", "inference"}, optional
        Of the split; by default the test part, or everybody where there is no split.

    Raises
    ------
    mskseg.errors.InputError
        As `check_can_be_scored` and `load_cases`, and if one of the numbers is below 1.
    """
    check_can_be_scored(name)
    source = source_of(name, download=True, progress=progress)
    if part is None and source.split() is not None:
        part = "test"
    subjects = source.subjects_in(part)[:n_subjects]
    sequences = source.default_sequences(subjects)[:n_sequences]
    return load_cases(name, subjects=subjects, sequences=sequences, progress=progress)


def check_can_be_scored(name: str) -> None:
    """Raise InputError, before a fetch, for a data set without image, reference or folder."""
    entry = dataset_entry(name)
    if entry.layout is None:
        source_of(name).sequences()  # refuses a label map without an image
    if entry.reference is None:
        raise InputError(
            f"{name} has no reference, expected one to score against; "
            "choose a data set with labels (`mskseg data list`)"
        )
    if entry.access == "registration":
        fetch(name)  # refuses a folder that is not there


def list_at_hand(name: str, *, part: Part | None = None) -> tuple[str, ...]:
    """List the subjects of a data set, or of a part, who can be loaded without a download."""
    try:
        source = source_of(name)
    except InputError:
        if dataset_entry(name).layout is None:
            raise
        return ()  # a folder that nobody has brought
    here = source.subjects_here()
    wanted = source.subjects_in(part) if here else ()
    return tuple(subject for subject in wanted if subject in here)


def at_hand(names: Sequence[str]) -> list[str]:
    """Choose what of the manifest, or of files, needs no download, and print the others."""
    manifest = load_manifest()
    missing: dict[str, str] = {}
    for name in names:
        if Path(name).is_file():
            continue
        entry = manifest.entry(name)  # refuses a name that nobody knows
        is_data = name in manifest.datasets
        if not (list_at_hand(name) if is_data else is_fetched(name)):
            command = f"mskseg {'data' if is_data else 'models'} fetch {name}"
            missing[name] = " ".join(entry.instructions.split()) or f"run {command}"
    found = [name for name in names if name not in missing]
    listed = "; ".join(f"{name} ({what_to_do})" for name, what_to_do in missing.items())
    if not found:
        raise InputError(f"expected what is here, got {listed or 'no name'}")
    if missing:
        print(f"not here, left out: {listed}")  # noqa: T201  (a notebook shows it)
    return found


def real_scans() -> dict[str, tuple[str, ...]]:
    """List the real scans of a first run by data set, each with the people who are reported."""
    found: dict[str, tuple[str, ...]] = {}
    for name, entry in load_manifest().datasets.items():
        if entry.first_run:
            parts: tuple[Part, ...] = ("test", "inference")
            split = [s for part in parts for s in entry.split.get(part, ())]
            found[name] = tuple(split) if split else (name,)
    return found


def fetch_real_scans(*, timeout_s: float = 3.0, progress: bool = True) -> bool:
    """Fetch what a first run lacks of real scans; False after the first download that failed."""
    for name, subjects in real_scans().items():
        missing = [subject for subject in subjects if subject not in list_at_hand(name)]
        if not missing:
            continue
        source = source_of(name)
        roles = source.roles_of(missing) if isinstance(source, FilesSource) else None
        if is_offline():
            return False
        try:
            fetch(name, roles=roles, timeout_s=timeout_s, progress=progress)
        except InputError:
            return False
    return True


def fullest_slice(case: Case) -> CaseSlice:
    """Give the slice with the most labels, then the largest labelled area; else InputError."""

    def labels_and_area(case_slice: CaseSlice) -> tuple[int, int]:
        label_map = np.asarray(case_slice.label_map)
        return len(np.unique(label_map)), int(np.count_nonzero(label_map))

    return max(case.slices(labelled_only=True), key=labels_and_area)
