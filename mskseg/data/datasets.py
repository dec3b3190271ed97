"""Load a data set of the manifest by its name: made on first use, or fetched, as a `CaseSet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm.auto import tqdm

from mskseg.data import phantom
from mskseg.data.cases import Case, CaseSet
from mskseg.data.entries import DatasetEntry
from mskseg.data.manifest import cache_dir, fetch, load_manifest
from mskseg.data.phantom.scans import DATASET as PHANTOM_THIGH
from mskseg.data.phantom.scans import subject_name, thigh_case
from mskseg.data.readers import load_image, load_label_map, save_nifti
from mskseg.data.splits import Part
from mskseg.data.volume import LabelMap, Volume
from mskseg.errors import InputError

_NOT_IMAGES = ("reference", "label_names", "instances")  # roles of files that show no tissue


def load_cases(
    name: str,
    *,
    subjects: Sequence[str] | None = None,
    sequences: Sequence[str] | None = None,
    progress: bool = True,
) -> CaseSet:
    """Load a data set of the manifest.

    A phantom is made on first use, only as far as it is asked for, and kept in the cache
    (`mskseg.data.manifest.cache_dir`) under the phantom's version; a real scan is fetched, checked
    by sha256, and kept there too.

    Parameters
    ----------
    name : str
        ``phantom_thigh``, ``qmritools_thigh`` or any other data set of ``data_manifest.yaml``.
    subjects : sequence of str, optional
        Which subjects (see `list_subjects`); all by default.
    sequences : sequence of str, optional
        Which sequences; all by default.
    progress : bool
        Show a bar while something is made or fetched.

    Returns
    -------
    CaseSet
        By subject, then by sequence, in the order asked for.

    Raises
    ------
    InputError
        If data set, subject or sequence are unknown, the data set holds no image, or it cannot be
        fetched.
    OutputError
        If the cache cannot be written to.
    """
    entry = _dataset(name)
    wanted = _chosen(subjects, list_subjects(name), what="subject", of=name)
    if name == PHANTOM_THIGH:
        kinds = _chosen(sequences, phantom.SEQUENCES, what="sequence", of=name)
        return CaseSet(name, _phantom_cases(wanted, kinds, progress=progress))
    by_sequence = _image_roles(name, entry)
    kinds = _chosen(sequences, tuple(by_sequence), what="sequence", of=name)
    paths = fetch(name, progress=progress)
    images = {kind: load_image(paths[by_sequence[kind]]) for kind in kinds}
    reference = load_label_map(paths["reference"]) if "reference" in paths else None
    cases = [
        _real_case(name, entry, image, reference, sequence=kind) for kind, image in images.items()
    ]
    return CaseSet(name, cases)


def list_subjects(name: str, *, part: Part | None = None) -> tuple[str, ...]:
    """List the subjects of a data set, without making or fetching it.

    Parameters
    ----------
    name : str
        A data set of the manifest.
    part : {"train", "validation", "test", "inference"}, optional
        Only the subjects of one part of a phantom's own split.

    Raises
    ------
    InputError
        If the data set is unknown, or has no split of its own.
    """
    _dataset(name)
    if name != PHANTOM_THIGH:
        if part is not None:
            raise InputError(
                f"{name} has no split of its own; load it and use CaseSet.split with a seed"
            )
        return (name,)  # every real set that the manifest can fetch so far is one person
    if part is not None and part not in phantom.SPLIT:
        raise InputError(f"unknown part {part!r}; choose one of {', '.join(phantom.SPLIT)}")
    parts = phantom.SPLIT if part is None else (part,)
    return tuple(subject_name(number) for each in parts for number in phantom.SPLIT[each])


def _dataset(name: str) -> DatasetEntry:
    datasets = load_manifest().datasets
    if name not in datasets:
        raise InputError(f"unknown data set {name!r}; choose one of {', '.join(sorted(datasets))}")
    return datasets[name]


def _chosen(
    asked: Sequence[str] | None, known: Sequence[str], *, what: str, of: str
) -> tuple[str, ...]:
    if asked is None:
        return tuple(known)
    names = (asked,) if isinstance(asked, str) else tuple(asked)  # a lone name is meant as one
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        got = f"unknown {what} {unknown[0]!r}" if unknown else f"no {what} chosen"
        shown = ", ".join(known) if len(known) <= 6 else f"{known[0]} to {known[-1]}"
        raise InputError(f"{got} of {of}; choose from {shown}")
    return names


def _image_roles(name: str, entry: DatasetEntry) -> dict[str, str]:
    """Which role holds the image of each sequence."""
    roles = [role for role in entry.roles if role not in _NOT_IMAGES]
    if not roles:
        raise InputError(
            f"{name} holds a label map and no image; read it with load_label_map from the path "
            "that fetch gives"
        )
    return {entry.sequence if r == "image" else f"{entry.sequence} {r}": r for r in roles}


def _real_case(
    name: str, entry: DatasetEntry, image: Volume, reference: LabelMap | None, *, sequence: str
) -> Case:
    return Case(
        subject=name,
        image=image,
        reference=reference,
        tissues=entry.labels,
        anatomy=entry.anatomy,
        sequence=sequence,
        dataset=name,
        reference_provenance=entry.reference.provenance if entry.reference else "unknown",
    )


def _phantom_cases(
    subjects: Sequence[str], sequences: Sequence[str], *, progress: bool
) -> list[Case]:
    numbers = {subject_name(n): n for part in phantom.SPLIT.values() for n in part}
    missing = [s for s in subjects if not all(p.is_file() for p in _files(s, sequences).values())]
    with tqdm(total=len(missing), desc=PHANTOM_THIGH, unit="subject",
              disable=not (progress and missing)) as bar:  # fmt: skip
        cases = []
        for subject in subjects:
            cases += _phantom_subject(subject, numbers[subject], sequences)
            bar.update(subject in missing)
    return cases


def _phantom_subject(subject: str, number: int, sequences: Sequence[str]) -> list[Case]:
    """Read one subject's scans from the cache; make them first if one is missing or damaged."""
    files = _files(subject, sequences)
    try:
        return _read_phantom(number, files)
    except InputError:
        for case in phantom.scan_thigh(number, sequences=sequences):
            save_nifti(case.image, files[case.sequence])
            if case.reference is not None:
                save_nifti(case.reference, files["labels"])
    return _read_phantom(number, files)  # what later calls will read, to the last bit


def _read_phantom(number: int, files: Mapping[str, Path]) -> list[Case]:
    reference = load_label_map(files["labels"])
    return [
        thigh_case(number, load_image(path), reference, sequence=sequence)
        for sequence, path in files.items()
        if sequence != "labels"
    ]


def _files(subject: str, sequences: Sequence[str]) -> dict[str, Path]:
    folder = cache_dir() / PHANTOM_THIGH / f"version-{phantom.PHANTOM_VERSION}"
    return {kind: folder / f"{subject}_{kind}.nii.gz" for kind in ("labels", *sequences)}
