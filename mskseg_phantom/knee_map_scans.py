"""Scans of a knee whose anatomy is a real label map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mskseg.case import Case
from mskseg.volume import LabelMap, Volume
from mskseg_phantom.acquisition import check_site
from mskseg_phantom.anatomies import find_anatomy
from mskseg_phantom.anatomy import check_shape
from mskseg_phantom.knee import Side
from mskseg_phantom.knee_map import LabelMapBody
from mskseg_phantom.scanning import TEXTURE, Randomness, scan_body
from mskseg_phantom.sequences import images_of

DATASET = "phantom_knee_real_anatomy"
SUBJECT_NAME = "knee-real-anatomy"
SHAPE = (256, 256, 32)
"""Voxels of the default rendering: 0.55 x 0.55 x 3.5 mm of the map that the manifest has."""

_SITE = "site A (3 T)"
_STREAM = 4  # those before are the anatomies'


def scan_knee_map(
    label_map: LabelMap,
    tissues: Mapping[int, str],
    *,
    side: Side = "right",
    sequences: Iterable[str] | None = None,
    seed: int = 0,
    shape: tuple[int, int, int] = SHAPE,
) -> Iterator[Case]:
    """Scan a knee whose anatomy is a real label map, at site A; see `knee_map.LabelMapBody`.

    Other parameters and errors as in `scan_phantom`. Yields one `Case` per image.
    """
    names = images_of(find_anatomy("knee").sequences if sequences is None else sequences)
    randomness = Randomness(seed, 1, (_STREAM,))
    body = LabelMapBody(label_map, tissues, randomness.of(TEXTURE), side=side)
    scanner = check_site(_SITE)
    for name, image, reference in scan_body(
        body, names, shape=check_shape(shape), site=scanner, randomness=randomness
    ):
        yield knee_map_case(image, reference, tissues, sequence=name, side=side)


def knee_map_case(
    image: Volume,
    reference: LabelMap,
    tissues: Mapping[int, str],
    *,
    sequence: str,
    side: Side = "right",
) -> Case:
    """Say of an image and its reference that they were made from a real label map."""
    return Case(
        subject=SUBJECT_NAME,
        image=image,
        reference=reference,
        tissues=tissues,
        anatomy="knee",
        sequence=sequence,
        dataset=DATASET,
        reference_provenance="synthetic",
        site=_SITE,
        side=side,
    )
