"""Scans of phantom subjects: one, several sequences of one, or a set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from mskseg.case import Case, CaseSet
from mskseg.datasets.splits import Part
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume
from mskseg_phantom.acquisition import check_site
from mskseg_phantom.anatomies import find_anatomy
from mskseg_phantom.anatomy import check_shape
from mskseg_phantom.scanning import SUBJECT, TEXTURE, Randomness, scan_body
from mskseg_phantom.sequences import images_of

PHANTOM_VERSION = 3
"""Raised whenever a phantom's voxels change; part of the cache's key."""

SPLIT: Mapping[Part, tuple[int, ...]] = MappingProxyType(
    {
        "train": tuple(range(1, 13)),
        "validation": tuple(range(13, 17)),
        "test": tuple(range(17, 23)),
        "inference": (23, 24),
    }
)
"""Subjects that every set has; those for inference were scanned at a site of their own."""

_LAST_SUBJECT = 9999


def make_phantom(
    anatomy: str,
    subject: int,
    *,
    sequence: str | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
    site: str | None = None,
    granularity: str | None = None,
) -> Case:
    """Make one synthetic scan.

    Parameters
    ----------
    anatomy : str
        ``thigh``, ``knee``, ``spine``, ``hip`` or ``infiltrated_thigh``, see
        `anatomies.ANATOMIES`.
    subject : int
        From 1; 1 to 24 are in every set, see `split_of`.
    sequence : str or None
        One of `sequences.SEQUENCES`, or one echo of ``mese`` such as ``mese_te30``; None takes the
        anatomy's first.
    seed : int
        Another seed makes another person of the same number.
    shape : (int, int, int) or None
        Voxels along the axes of the stack; the field of view stays, so this chooses the
        resolution: (512, 512, n) is for the resolution study. None takes the anatomy's own.
    site : str or None
        See `acquisition.SITES`; None takes the subject's own (site B for 23 and 24, else site A).
    granularity : str or None
        How finely the knee is labelled, see `knee.tissues_at`; None for ``plates``.

    Returns
    -------
    Case
        Image (ni, nj, nk) int16 and reference uint8 on one grid. The same arguments give the same
        bits; the reference depends on neither sequence nor site.

    Raises
    ------
    InputError
        If an argument is not possible, or the sequence gives several images (``mese``).
    """
    names = images_of((sequence or find_anatomy(anatomy).sequences[0],))
    if len(names) > 1:
        raise InputError(
            f"{sequence} gives {len(names)} images; ask for one of {', '.join(names)}, "
            "or for all with scan_phantom"
        )
    (case,) = scan_phantom(
        anatomy,
        subject,
        sequences=names,
        seed=seed,
        shape=shape,
        site=site,
        granularity=granularity,
    )
    return case


def make_thigh(
    subject: int,
    *,
    sequence: str = "t1w",
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
    site: str | None = None,
) -> Case:
    """Make one synthetic scan of a thigh: `make_phantom` of that anatomy."""
    return make_phantom("thigh", subject, sequence=sequence, seed=seed, shape=shape, site=site)


def scan_phantom(
    anatomy: str,
    subject: int,
    *,
    sequences: Iterable[str] | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
    site: str | None = None,
    granularity: str | None = None,
) -> Iterator[Case]:
    """Make several scans of one subject; its anatomy is drawn once.

    Parameters and errors as in `make_phantom`, with `sequences` None for the anatomy's own. Yields
    one `Case` per image on the same grid: one for each sequence, for ``mese`` one for each echo.
    """
    plan, number = find_anatomy(anatomy), _check_subject(subject)
    names = images_of(plan.sequences if sequences is None else sequences)
    scanner, shape = check_site(site or site_of(number)), check_shape(shape or plan.shape)
    labelled = plan.check_granularity(granularity)
    randomness = Randomness(seed, number, plan.stream)
    person = plan.draw_subject(randomness.of(SUBJECT), number)
    body = plan.body(person, randomness.of(TEXTURE), labelled)
    for name, image, reference in scan_body(
        body, names, shape=shape, site=scanner, randomness=randomness
    ):
        yield phantom_case(
            anatomy,
            number,
            image,
            reference,
            sequence=name,
            seed=seed,
            site=site,
            granularity=granularity,
        )


def phantom_case(
    anatomy: str,
    number: int,
    image: Volume,
    reference: LabelMap,
    *,
    sequence: str,
    seed: int = 0,
    site: str | None = None,
    granularity: str | None = None,
) -> Case:
    """Say of an image and its reference, made or read again, which phantom scan they are."""
    plan = find_anatomy(anatomy)
    person = plan.draw_subject(Randomness(seed, number, plan.stream).of(SUBJECT), number)
    return Case(
        subject=subject_name(anatomy, number),
        image=image,
        reference=reference,
        tissues=plan.tissues(plan.check_granularity(granularity)),
        anatomy=plan.title,
        sequence=sequence,
        dataset=dataset_name(anatomy),
        reference_provenance="synthetic",
        site=site or site_of(number),
        side=getattr(person, "side", ""),  # a spine has none
        severity=plan.severity(number),
    )


def make_phantom_set(
    anatomy: str,
    *,
    subjects: Iterable[int] | None = None,
    sequences: Iterable[str] | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] | None = None,
    granularity: str | None = None,
) -> CaseSet:
    """Make the set of an anatomy, or some of its subjects; parameters as in `scan_phantom`."""
    numbers = chain.from_iterable(split_of(anatomy).values()) if subjects is None else subjects
    names = None if sequences is None else tuple(sequences)
    cases = [
        case
        for number in numbers
        for case in scan_phantom(
            anatomy, number, sequences=names, seed=seed, shape=shape, granularity=granularity
        )
    ]
    return CaseSet(dataset_name(anatomy), cases)


def split_of(anatomy: str) -> Mapping[Part, tuple[int, ...]]:
    """Give the subjects of an anatomy's set by part: `SPLIT`, and more to test where there are."""
    more = find_anatomy(anatomy).more_to_test
    return MappingProxyType({**SPLIT, "test": SPLIT["test"] + more})


def dataset_name(anatomy: str) -> str:
    """Id in the manifest of an anatomy's set."""
    return f"phantom_{anatomy}"


def subject_name(anatomy: str, number: int) -> str:
    """Name of a subject in tables, of its number: ``knee-01``."""
    return f"{anatomy}-{number:02d}"


def _check_subject(subject: int) -> int:
    if not 1 <= subject <= _LAST_SUBJECT:
        raise InputError(
            f"unknown phantom subject {subject!r}; expected a number from 1 to {_LAST_SUBJECT}"
        )
    return int(subject)


def site_of(number: int) -> str:
    """Name of the site where a subject was scanned."""
    return "site B (1.5 T)" if number in SPLIT["inference"] else "site A (3 T)"
