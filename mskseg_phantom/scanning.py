"""Scanning: any sequence of a body, from its tissues to the voxels stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskseg.volume import LabelMap, Volume
from mskseg_phantom.acquisition import Site, acquire, measure_magnitude, receive_field, stored
from mskseg_phantom.anatomy import Body, rasterise
from mskseg_phantom.relaxometry import as_stored, fit_t2, noise_level
from mskseg_phantom.sequences import (
    ECHO_IMAGES,
    ECHOES_MS,
    SEQUENCE,
    SEQUENCES,
    UNDERSAMPLED,
    SequenceName,
    check_sequence,
)
from mskseg_phantom.shapes import FloatArray
from mskseg_phantom.signal import voxel_signal

# Streams of randomness: one per purpose, so that a new one never changes the others.
SUBJECT, TEXTURE, SHADING, NOISE = range(4)


@dataclass(frozen=True)
class Randomness:
    """The random numbers of one subject.

    Attributes
    ----------
    seed, number : int
        Of the set, and of the subject in it.
    stream : tuple of int
        Of the anatomy.
    """

    seed: int
    number: int
    stream: tuple[int, ...] = ()

    def of(self, purpose: int, place: int = 0) -> np.random.Generator:
        """Start the generator of one purpose, for noise that of one sequence."""
        return np.random.default_rng((self.seed, self.number, purpose, place, *self.stream))


def scan_body(
    body: Body,
    images: Sequence[str],
    *,
    shape: tuple[int, int, int],
    site: Site,
    randomness: Randomness,
) -> Iterator[tuple[str, Volume, LabelMap]]:
    """Draw a body once and scan it.

    Parameters
    ----------
    body : Body
        The anatomy.
    images : sequence of str
        As `sequences.images_of` gives them.
    shape : (int, int, int)
        Voxels along the body's axes.
    site : Site
        The scanner.
    randomness : Randomness
        Of shading and noise.

    Yields
    ------
    (str, Volume, LabelMap)
        Each image under its name; the reference is the same every time. The echoes of ``mese`` are
        of one scan.
    """
    content = rasterise(body, shape=shape, extent_mm=body.extent_mm)
    affine = body.affine(shape)
    reference = LabelMap(content.labels, affine)

    def scanned(name: str) -> NDArray[np.int16]:
        sequence = check_sequence(name)
        return scan(
            content.fractions,
            sequence=sequence,
            site=site,
            extent_mm=body.extent_mm,
            body_rng=randomness.of(SHADING),
            noise_rng=randomness.of(NOISE, SEQUENCES.index(sequence)),
        )

    echoes = scanned("mese") if ECHO_IMAGES.keys() & set(images) else None
    for name in images:
        if echoes is not None and name in ECHO_IMAGES:
            voxels = echoes[ECHO_IMAGES[name]]
        else:
            voxels = scanned(name)
        yield name, Volume(voxels, affine), reference


def scan(
    fractions: FloatArray,
    *,
    sequence: SequenceName,
    site: Site,
    extent_mm: tuple[float, float, float],
    body_rng: np.random.Generator,
    noise_rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Scan a rasterised body.

    Parameters
    ----------
    fractions : (n_tissues, ni, nj, nk) float32
        Share of each `Tissue`, see `anatomy.VoxelContent`.
    sequence : str
        One of `sequences.SEQUENCES`.
    site, extent_mm, body_rng, noise_rng
        As in `acquisition.acquire`.

    Returns
    -------
    (ni, nj, nk) int16
        Magnitude; for ``t2_map`` T2 in tenths of a millisecond, 0 where there is too little signal;
        for ``mese`` (8, ni, nj, nk), the echoes of `sequences.ECHOES_MS`.
    """
    if sequence in ("mese", "t2_map"):
        echoes = _echoes(
            fractions, site=site, extent_mm=extent_mm, body_rng=body_rng, noise_rng=noise_rng
        )
        if sequence == "mese":
            return stored(echoes, site)
        return as_stored(fit_t2(echoes, ECHOES_MS, noise=noise_level(echoes[-1])))
    return acquire(
        voxel_signal(fractions, sequence=sequence, field=site.field),
        site=site,
        extent_mm=extent_mm,
        body_rng=body_rng,
        noise_rng=noise_rng,
        noise=SEQUENCE[sequence].noise,
        eighth=sequence in UNDERSAMPLED,
    )


def _echoes(
    fractions: FloatArray,
    *,
    site: Site,
    extent_mm: tuple[float, float, float],
    body_rng: np.random.Generator,
    noise_rng: np.random.Generator,
) -> FloatArray:
    """Magnitudes of all echoes, (8, ni, nj, nk); with the virtual coil, for speed."""
    field = receive_field(fractions.shape[1:], site=site, extent_mm=extent_mm, rng=body_rng)
    return np.stack(
        [
            measure_magnitude(
                voxel_signal(fractions, sequence="mese", field=site.field, echo=echo),
                field,
                site=site,
                rng=noise_rng,
                noise=SEQUENCE["mese"].noise,
                n_coils=1,
            )
            for echo in range(len(ECHOES_MS))
        ]
    )
