"""Scans of phantom subjects: one, several sequences of one, or the set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mskseg.data.cases import Case, CaseSet
from mskseg.data.phantom.acquisition import acquire, check_site
from mskseg.data.phantom.anatomy import check_shape, rasterise
from mskseg.data.phantom.signal import SEQUENCES, check_sequence, voxel_signal
from mskseg.data.phantom.thigh import TISSUES, ThighSubject, draw_subject
from mskseg.data.phantom.thigh_body import EXTENT_MM, ThighBody
from mskseg.data.volume import LabelMap, Volume
from mskseg.errors import InputError

PHANTOM_VERSION = 2
"""Raised whenever a phantom's voxels change; part of the cache's key."""

SHAPE = (256, 256, 24)
"""Voxels of the default rendering: 1 x 1 x 6 mm."""

SPLIT: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "train": tuple(range(1, 13)),
        "validation": tuple(range(13, 17)),
        "test": tuple(range(17, 23)),
        "inference": (23, 24),
    }
)
"""Subjects of the set; those for inference were scanned at a site of their own."""

DATASET = "phantom_thigh"
_LAST_SUBJECT = 9999
_LEG_OFFSET_MM = 95.0  # the middle of a thigh lies this far from the body's midline
# Streams of randomness: one per purpose, so that a new one never changes the others.
_SUBJECT, _TEXTURE, _SHADING, _NOISE = range(4)


def make_thigh(
    subject: int,
    *,
    sequence: str = "t1w",
    seed: int = 0,
    shape: tuple[int, int, int] = SHAPE,
    site: str | None = None,
) -> Case:
    """Make one synthetic scan of a thigh.

    Parameters
    ----------
    subject : int
        From 1; 1 to 24 are the subjects of the set, see `SPLIT`.
    sequence : str
        ``t1w`` or ``dixon_opposed``.
    seed : int
        Another seed makes another person of the same number.
    shape : (int, int, int)
        Voxels; the field of view stays 256 x 256 x 144 mm, so this chooses the resolution.
    site : str or None
        See `acquisition.SITES`; None takes the subject's own (site B for 23 and 24, else site A).

    Returns
    -------
    Case
        Image (ni, nj, nk) int16 and reference uint8 on one RAS grid. The same arguments give the
        same bits.

    Raises
    ------
    InputError
        If the subject, sequence, site or shape is not possible.
    """
    (case,) = scan_thigh(subject, sequences=(sequence,), seed=seed, shape=shape, site=site)
    return case


def scan_thigh(
    subject: int,
    *,
    sequences: Iterable[str] = SEQUENCES,
    seed: int = 0,
    shape: tuple[int, int, int] = SHAPE,
    site: str | None = None,
) -> Iterator[Case]:
    """Make several scans of one thigh; its anatomy is drawn once.

    Parameters and errors as in `make_thigh`; yields one `Case` per sequence, on the same grid.
    """
    number, shape = _check_subject(subject), check_shape(shape)
    names = [check_sequence(name) for name in sequences]
    scanner = check_site(site or _site_of(number))
    person = draw_subject(_rng(seed, number, _SUBJECT))
    body = ThighBody(person, _rng(seed, number, _TEXTURE))
    content = rasterise(body, shape=shape, extent_mm=EXTENT_MM)
    affine = _affine(shape, person)
    reference = LabelMap(content.labels, affine)
    for name in names:
        signal = voxel_signal(content.fractions, sequence=name, field=scanner.field)
        voxels = acquire(
            signal,
            site=scanner,
            extent_mm=EXTENT_MM,
            body_rng=_rng(seed, number, _SHADING),
            noise_rng=_rng(seed, number, _NOISE, SEQUENCES.index(name)),
        )
        image = Volume(voxels, affine)
        yield thigh_case(number, image, reference, sequence=name, seed=seed, site=site)


def thigh_case(
    number: int,
    image: Volume,
    reference: LabelMap,
    *,
    sequence: str,
    seed: int = 0,
    site: str | None = None,
) -> Case:
    """Say of an image and its reference, made or read again, which phantom scan they are."""
    return Case(
        subject=subject_name(number),
        image=image,
        reference=reference,
        tissues=TISSUES,
        anatomy="thigh",
        sequence=sequence,
        dataset=DATASET,
        reference_provenance="synthetic",
        site=site or _site_of(number),
        side=draw_subject(_rng(seed, number, _SUBJECT)).side,
    )


def make_phantom_set(
    *,
    subjects: Iterable[int] | None = None,
    sequences: Iterable[str] = SEQUENCES,
    seed: int = 0,
    shape: tuple[int, int, int] = SHAPE,
) -> CaseSet:
    """Make the set `phantom_thigh`, or some of its subjects; parameters as in `scan_thigh`."""
    numbers = [n for part in SPLIT.values() for n in part] if subjects is None else subjects
    names = tuple(sequences)
    cases = [c for n in numbers for c in scan_thigh(n, sequences=names, seed=seed, shape=shape)]
    return CaseSet(DATASET, cases)


def subject_name(number: int) -> str:
    """Name of a subject in tables, of its number."""
    return f"thigh-{number:02d}"


def _check_subject(subject: int) -> int:
    if not 1 <= subject <= _LAST_SUBJECT:
        raise InputError(
            f"unknown phantom subject {subject!r}; expected a number from 1 to {_LAST_SUBJECT}"
        )
    return int(subject)


def _site_of(number: int) -> str:
    return "site B (1.5 T)" if number in SPLIT["inference"] else "site A (3 T)"


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def _affine(shape: tuple[int, int, int], person: ThighSubject) -> NDArray[np.float64]:
    """RAS grid whose middle lies in the middle of the thigh, on its side of the body."""
    spacing = np.array(EXTENT_MM) / shape
    affine = np.diag((*spacing, 1.0))
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
    affine[0, 3] += _LEG_OFFSET_MM if person.side == "right" else -_LEG_OFFSET_MM
    return affine
