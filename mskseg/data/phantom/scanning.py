"""Scanning: any sequence of a rasterised body, from tissue shares to the voxels stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mskseg.data.phantom.acquisition import (
    Site,
    acquire,
    measure_magnitude,
    receive_field,
    stored,
)
from mskseg.data.phantom.relaxometry import as_stored, fit_t2, noise_level
from mskseg.data.phantom.sequences import ECHOES_MS, SEQUENCE, UNDERSAMPLED, SequenceName
from mskseg.data.phantom.shapes import FloatArray
from mskseg.data.phantom.signal import voxel_signal


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
