"""Signal: from the tissues in a voxel to its MR signal in a sequence.

Water and fat are kept apart until a voxel is filled, since the opposed-phase image is their
complex sum: a voxel that holds equal parts of both is dark, whatever surrounds it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mskseg_phantom.sequences import (
    SEQUENCE,
    SEQUENCES,
    SequenceName,
    check_sequence,
    tissue_signal,
)
from mskseg_phantom.shapes import FloatArray
from mskseg_phantom.tissues import TISSUE_SIGNAL, FieldStrength, Tissue, TissueSignal

SignalArray = NDArray[np.float32] | NDArray[np.complex64]

__all__ = [
    "SEQUENCES",
    "TISSUE_SIGNAL",
    "FieldStrength",
    "SequenceName",
    "SignalArray",
    "Tissue",
    "TissueSignal",
    "check_sequence",
    "tissue_signal",
    "voxel_signal",
]


def voxel_signal(
    fractions: FloatArray, *, sequence: SequenceName, field: FieldStrength, echo: int = 0
) -> SignalArray:
    """Signal of voxels that hold several tissues, before coil, noise and magnitude.

    Parameters
    ----------
    fractions : (n_tissues, ...) float32
        Share of each `Tissue` in every voxel; they sum to 1.
    sequence : str
        One of `SEQUENCES`. The ``_8x`` sequences differ in their acquisition only, and ``t2_map``
        gives the echoes it is fitted to.
    field : str
        ``1.5T`` or ``3T``.
    echo : int
        Which echo, 0 to 7, of ``mese`` and ``t2_map``; the others have one.

    Returns
    -------
    (...) float32, or complex64 where water and fat have different phases (Dixon, ``gre``)
        Scaled so that a voxel full of the sequence's reference tissue (muscle in most; see
        `sequences.SEQUENCE`) has magnitude 1, for ``mese`` in its first echo. In the memory order
        of `fractions`.
    """
    reference = tissue_signal(SEQUENCE[sequence].reference, sequence=sequence, field=field)
    weights = [
        tissue_signal(t, sequence=sequence, field=field, echo=echo) / abs(reference) for t in Tissue
    ]
    real = _weighted_sum([complex(w).real for w in weights], fractions)
    imaginary = [complex(w).imag for w in weights]
    if not any(imaginary):
        return real
    signal = real.astype(np.complex64)
    signal.imag = _weighted_sum(imaginary, fractions)
    return signal


def _weighted_sum(weights: list[float], fractions: FloatArray) -> FloatArray:
    total: FloatArray = np.zeros_like(fractions[0])
    for weight, fraction in zip(weights, fractions, strict=True):
        if weight != 0 and fraction.any():
            total += np.float32(weight) * fraction
    return total
