"""Scans of phantom subjects: one, or several sequences of one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mskseg.case import Case, CaseDescription
from mskseg.datasets.manifest import load_manifest
from mskseg.errors import InputError
from mskseg.splits import Part
from mskseg.volume import LabelMap, Volume
from mskseg_phantom.acquisition import SITES, scan_body
from mskseg_phantom.acquisition.scanner import SUBJECT, TEXTURE, Randomness
from mskseg_phantom.anatomies import find_anatomy
from mskseg_phantom.drawing.canvas import check_shape
from mskseg_phantom.tissue.sequences import images_of

PHANTOM_VERSION = 3
"""Raised whenever a phantom's voxels change; part of the cache's key."""

SPLIT: Mapping[Part, tuple[int, ...]] = {
    "train": tuple(range(1, 13)),
    "validation": tuple(range(13, 17)),
    "test": tuple(range(17, 23)),
    "inference": (23, 24),
}
"""Subjects that every set has; those for inference were scanned at a site of their own."""

_LAST_SUBJECT = 9999
_SITE_A, _SITE_B = SITES


def make_phantom(
    anatomy: str,
    subject: int,
    *,
    sequence: str | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
) -> Case:
    """Make one synthetic scan.

    The anatomy is one of `anatomies.ANATOMIES`; subjects count from 1, and 1 to 24 are in every set
    (see `split_of`). The sequence is one of `sequences.SEQUENCES`, or one echo of ``mese`` such as
    ``mese_te30``; None takes the anatomy's first. Another seed makes another person of the same
    number. `shape` is voxels along the axes of the stack; the field of view stays, so it chooses
    the resolution: (512, 512, n) is for the resolution study, and None takes the anatomy's own.

    The image (ni, nj, nk) is int16 and the reference uint8, on one grid, scanned at the subject's
    site (B for 23 and 24, else A). The same arguments give the same bits; the reference does not
    depend on the sequence. InputError if an argument is not possible, or the sequence gives several
    images (``mese``).
    """
    names = images_of((sequence or find_anatomy(anatomy).sequences[0],))
    if len(names) > 1:
        raise InputError(
            f"{sequence} gives {len(names)} images; ask for one of {', '.join(names)}, "
            "or for all with scan_phantom"
        )
    (case,) = scan_phantom(anatomy, subject, sequences=names, seed=seed, shape=shape)
    return case


def scan_phantom(
    anatomy: str,
    subject: int,
    *,
    sequences: Iterable[str] | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
) -> Iterator[Case]:
    """Make several scans of one subject; its anatomy is drawn once.

    Parameters and errors as in `make_phantom`, with `sequences` None for the anatomy's own. Yields
    one `Case` per image on the same grid: one for each sequence, for ``mese`` one for each echo.
    """
    if not 1 <= subject <= _LAST_SUBJECT:
        raise InputError(
            f"unknown phantom subject {subject!r}; expected a number from 1 to {_LAST_SUBJECT}"
        )
    entry, number = find_anatomy(anatomy), int(subject)
    names = images_of(entry.sequences if sequences is None else sequences)
    site, shape = SITES[site_of(number)], check_shape(shape or entry.shape)
    about = describe_phantom(anatomy, number, seed=seed)
    randomness = Randomness(seed, number, entry.stream)
    person = entry.sample_subject(randomness.of(SUBJECT), number)
    body = entry.body(person, randomness.of(TEXTURE))
    for scanned in scan_body(body, names, shape=shape, site=site, randomness=randomness):
        yield case_of(about, *scanned)


def describe_phantom(anatomy: str, number: int, *, seed: int = 0) -> CaseDescription:
    """Describe what all scans of a subject share."""
    entry = find_anatomy(anatomy)
    person = entry.sample_subject(Randomness(seed, number, entry.stream).of(SUBJECT), number)
    return CaseDescription(
        subject_name(anatomy, number),
        tissues=entry.tissues,
        kinds=load_manifest().datasets[dataset_name(anatomy)].label_kinds,
        anatomy=entry.title,
        dataset=dataset_name(anatomy),
        reference_provenance="synthetic",
        site=site_of(number),
        side=getattr(person, "side", ""),  # a spine has none
        severity=entry.severity(number),
    )


def case_of(about: CaseDescription, sequence: str, image: Volume, reference: LabelMap) -> Case:
    """Make the `Case` of an image and its reference, made or read again."""
    return Case(image=image, reference=reference, **vars(replace(about, sequence=sequence)))


def split_of(anatomy: str) -> Mapping[Part, tuple[int, ...]]:
    """Give the subjects of an anatomy's set by part: `SPLIT`, and more to test where there are."""
    more = find_anatomy(anatomy).more_to_test
    return {**SPLIT, "test": SPLIT["test"] + more}


def dataset_name(anatomy: str) -> str:
    """Id in the manifest of an anatomy's set."""
    return f"phantom_{anatomy}"


def subject_name(anatomy: str, number: int) -> str:
    """Name of a subject in tables, of its number: ``knee-01``."""
    return f"{anatomy}-{number:02d}"


def site_of(number: int) -> str:
    """Name of the site where a subject was scanned."""
    return _SITE_B if number in SPLIT["inference"] else _SITE_A
