"""Load a data set of the manifest by its name: made on first use, fetched or brought."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mskseg.case import Case, CaseDescription, CaseSet
from mskseg.datasets.cache import cache_path
from mskseg.datasets.fetching import dataset_folder, fetch
from mskseg.datasets.layouts import read_folder
from mskseg.datasets.manifest import DatasetEntry, load_manifest
from mskseg.datasets.providers import provider_of, subjects_of
from mskseg.datasets.scans import LazyCaseSet, scan_files
from mskseg.errors import InputError
from mskseg.splits import SHARES, Part, Split, stored_split

SPLIT_SEED = 0
"""Of the split that is made and kept for a data set that has none of its own."""

_NOT_IMAGES = ("reference", "label_names", "instances")  # roles of files that show no tissue


def load_cases(
    name: str,
    *,
    subjects: Sequence[str] | None = None,
    sequences: Sequence[str] | None = None,
    part: Part | None = None,
    root: str | Path | None = None,
    granularity: str | None = None,
    progress: bool = True,
) -> CaseSet:
    """Load a data set of the manifest.

    A phantom is made on first use, only as far as it is asked for, and kept in the cache
    (`mskseg.datasets.cache.cache_dir`) under the phantom's version; real scans are fetched,
    checked by sha256, and kept there too. Where a registration is needed, a person brings the
    folder: it is looked for at `root`, in ``$MSKSEG_DATA/<name>`` and in the cache's folder of that
    name. A data set of many scans reads each one when it is asked for.

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
        Only subjects of that part of the data set's split (see `load_split_of`).
    root : path-like, optional
        Folder of a data set of many scans.
    granularity : {"plates", "compartments", "tissue"}, optional
        How finely the knee phantom is labelled (see `mskseg_phantom.anatomies.knee.tissues_at`).
    progress : bool
        Show a bar while something is made or fetched.

    Returns
    -------
    CaseSet
        By subject, then by sequence, in the order asked for. Of a data set that has a split it
        carries the hash.

    Raises
    ------
    InputError
        If data set, subject, sequence, part or granularity are unknown, the data set holds no
        image, its folder is missing or half there, or it cannot be fetched.
    OutputError
        If the cache cannot be written to.
    """
    entry = dataset_entry(name)
    _check_granularity(name, granularity)
    if entry.layout is not None:
        found = _listed(name, entry, root=root, get=True, progress=progress)
        split = None
        if part or len(found.subjects) >= len(SHARES):  # fewer cannot be split
            split = _folder_split(name, found)
        wanted = _wanted(name, subjects, found.subjects, split, part)
        kinds = tuple(dict.fromkeys(scan.sequence for scan in found.scans))
        kinds = _chosen(sequences, kinds, what="sequence", of=name)
        order = {subject: place for place, subject in enumerate(wanted)}
        kept = [s for s in found.scans if s.subject in order and s.sequence in kinds]
        cases: CaseSet = LazyCaseSet(name, sorted(kept, key=lambda scan: order[scan.subject]))
    elif (provider := provider_of(name)) is not None:
        split = provider.split(name)
        wanted = _wanted(name, subjects, subjects_of(provider, name), split, part)
        asked = provider.default_sequences(name) if sequences is None else sequences
        kinds = _chosen(asked, provider.sequences(name), what="sequence", of=name)
        made = provider.load(name, wanted, kinds, granularity=granularity, progress=progress)
        cases = CaseSet(name, made)
    else:
        split = None
        _wanted(name, subjects, (name,), split, part)
        cases = CaseSet(name, _single_subject(name, entry, sequences, progress=progress))
    cases.split_sha256 = split.sha256 if split else None
    return cases


def list_subjects(
    name: str, *, part: Part | None = None, root: str | Path | None = None
) -> tuple[str, ...]:
    """List the subjects of a data set, without making or fetching it.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    part : {"train", "validation", "test", "inference"}, optional
        Only the subjects of one part of its split.
    root : path-like, optional
        As for `load_cases`.

    Raises
    ------
    InputError
        If the data set or the part is unknown, one person has no split, or the folder of a data
        set of many scans is not there.
    """
    entry = dataset_entry(name)
    if part is not None:
        return _part_of(load_split_of(name, root=root), part)
    if entry.layout is not None:
        return tuple(
            dict.fromkeys(
                scan.subject
                for scan in _listed(name, entry, root=root, get=False, progress=False).scans
            )
        )
    provider = provider_of(name)
    return (name,) if provider is None else subjects_of(provider, name)


def load_split_of(name: str, *, root: str | Path | None = None) -> Split:
    """Give the split of a data set: its own, or one that was made once and is kept in the cache.

    The file is ``splits/<name>-seed0.json`` in the cache; every call reads it again.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    root : path-like, optional
        As for `load_cases`.

    Raises
    ------
    InputError
        As `list_subjects`; or the kept split does not fit the subjects that are there, or was
        edited.
    OutputError
        If the split cannot be kept.
    """
    entry = dataset_entry(name)
    if entry.layout is not None:
        return _folder_split(name, _listed(name, entry, root=root, get=False, progress=False))
    if (provider := provider_of(name)) is not None:
        return provider.split(name)
    raise InputError(f"{name} has no split of its own; it is one person, who is in one part only")


def _listed(
    name: str, entry: DatasetEntry, *, root: str | Path | None, get: bool, progress: bool
) -> LazyCaseSet:
    folder = dataset_folder(name, root=root, download=get, progress=progress)
    return read_folder(folder, entry.layout, template=_template(name, entry))


def _folder_split(name: str, cases: LazyCaseSet) -> Split:
    path = cache_path("splits", f"{name}-seed{SPLIT_SEED}.json")
    return stored_split(path, dataset=name, subjects=cases.subjects, seed=SPLIT_SEED)


def dataset_entry(name: str) -> DatasetEntry:
    """Give a data set's entry in the manifest; InputError with the names if there is none."""
    datasets = load_manifest().datasets
    if name not in datasets:
        raise InputError(f"unknown data set {name!r}; choose one of {', '.join(sorted(datasets))}")
    return datasets[name]


def _check_granularity(name: str, granularity: str | None) -> None:
    provider = provider_of(name)
    known = () if provider is None else provider.granularities(name)
    if granularity is not None and granularity not in known:
        raise InputError(
            f"{name} has no labels of granularity {granularity!r}; "
            + (f"choose one of {', '.join(known)}" if known else "leave granularity out")
        )


def _wanted(
    name: str,
    asked: Sequence[str] | None,
    known: Sequence[str],
    split: Split | None,
    part: Part | None,
) -> tuple[str, ...]:
    if part is not None:
        if split is None:
            load_split_of(name)  # says why there is none
        else:
            known = _part_of(split, part)
    return _chosen(asked, known, what="subject", of=f"{name}/{part}" if part else name)


def _part_of(split: Split, part: Part) -> tuple[str, ...]:
    if part not in split.parts:
        raise InputError(f"unknown part {part!r}; choose one of {', '.join(split.parts)}")
    return split.parts[part]


def _chosen(
    asked: Sequence[str] | None, known: Sequence[str], *, what: str, of: str
) -> tuple[str, ...]:
    if asked is None:
        return tuple(known)
    names = (asked,) if isinstance(asked, str) else tuple(asked)  # a lone name is meant as one
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        got = f"unknown {what} {unknown[0]!r}" if unknown else f"no {what} chosen"
        listed = len(known) <= 6 or what == "sequence"  # names, while subjects are numbered
        shown = ", ".join(known) if listed else f"{known[0]} to {known[-1]}"
        raise InputError(f"{got} of {of}; choose from {shown}")
    return names


def _single_subject(
    name: str, entry: DatasetEntry, sequences: Sequence[str] | None, *, progress: bool
) -> list[Case]:
    """Read the files of one person, one case for each image."""
    by_sequence = image_roles(name, entry)
    kinds = _chosen(sequences, tuple(by_sequence), what="sequence", of=name)
    paths = fetch(name, progress=progress)
    template, reference = _template(name, entry), paths.get("reference")
    scans = [
        scan_files(
            template,
            {"subject": name, "sequence": sequence},
            image=paths[by_sequence[sequence]],
            reference=reference,
        )
        for sequence in kinds
    ]
    return [scan.load() for scan in scans]


def image_roles(name: str, entry: DatasetEntry) -> dict[str, str]:
    """Say which role of a single scan holds the image of each sequence; InputError if none does."""
    roles = [role for role in entry.roles if role not in _NOT_IMAGES]
    if not roles:
        raise InputError(
            f"{name} holds a label map and no image; read it with load_label_map from the path "
            "that fetch gives"
        )
    return {entry.sequence if r == "image" else f"{entry.sequence} {r}": r for r in roles}


def _template(name: str, entry: DatasetEntry) -> CaseDescription:
    """Describe what all scans of a data set share."""
    return CaseDescription(
        subject="",
        dataset=name,
        anatomy=entry.anatomy,
        sequence=entry.sequence,
        tissues=entry.labels,
        kinds=entry.label_kinds,
        reference_provenance=entry.reference.provenance if entry.reference else "unknown",
    )
