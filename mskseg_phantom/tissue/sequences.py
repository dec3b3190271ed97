"""Sequences: from the tissues in a voxel to its MR signal, by the textbook equation of each.

Water and fat are kept apart until a voxel is filled, since the opposed-phase image is their
complex sum: a voxel that holds equal parts of both is dark, whatever surrounds it.

Spin echo
    M0 (1 - exp(-TR / T1)) exp(-TE / T2); an echo train is taken as one echo at its effective TE.
Spoiled gradient echo
    Ernst's equation, T2* from T2 and an assumed T2' where trabeculae dephase the spins.
DESS (double echo steady state)
    Root of the sum of squares of the two steady-state signals just after (S+) and just before (S-)
    the pulse, in closed form for ideal gradient spoiling. Simplified: diffusion, which darkens
    fluid in S-, is left out, both echoes decay by exp(-TE / T2), and water excitation is a constant
    residue of fat.
Dixon
    Water and fat, six peaks, add up as complex numbers at the in-phase and the opposed-phase echo
    time; water is half the sum of the two echoes, fat half the difference. The phase of the field
    is taken as known, so there are no swaps; the peaks beside the main one leave some fat in the
    water image, as in any two-point Dixon.

Left out everywhere: stimulated echoes, magnetisation transfer, slice profile, chemical shift
displacement, motion.
"""

from cmath import exp as complex_exp
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, exp, pi, radians, sin, sqrt, tan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg_phantom.tissue.tissues import FIELDS, TISSUE_SIGNAL, FieldStrength, FloatArray, Tissue

SignalArray = NDArray[np.float32] | NDArray[np.complex64]
Physics = Literal["spin echo", "spoiled", "dess"]

ECHOES_MS: tuple[float, ...] = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)
"""Echo times of ``mese`` and ``t2_map``."""


@dataclass(frozen=True)
class Sequence:
    """What a sequence does to signal and noise."""

    physics: Physics  # which equation of the module holds
    tr_ms: float
    te_ms: float | None = None  # None: the echo times of Dixon, which depend on the field
    flip_degrees: float = 90.0  # without meaning for a spin echo
    fat_residue: float = 1.0  # share of fat's signal that its suppression leaves; 1 is none
    part: Literal["echo", "in", "opposed", "water", "fat"] = "echo"  # all but the first: Dixon's
    reference: Tissue = Tissue.MUSCLE  # the tissue whose signal is 1 after scaling
    noise: float = 1.0  # in units of the site's, for other bandwidths and numbers of averages


_T1W = Sequence("spin echo", 600.0, 12.0)
# Saturation misses the olefinic peak, about 5 % of fat, and some of the rest: assumed.
_PDW_FS = Sequence("spin echo", 3500.0, 30.0, fat_residue=0.08)
_MESE = Sequence("spin echo", 2500.0, ECHOES_MS[0], noise=0.7)
_HALF = 1 / sqrt(2)  # half the sum or difference of two echoes with noise 1 has this noise

SEQUENCE: Mapping[str, Sequence] = {
    "t1w": _T1W,
    "dixon_opposed": Sequence("spoiled", 10.0, None, 3.0, part="opposed"),
    "pdw": Sequence("spin echo", 3000.0, 30.0, noise=0.8),
    "pdw_fs": _PDW_FS,
    "t2w": Sequence("spin echo", 4000.0, 90.0, reference=Tissue.FAT, noise=0.5),
    "gre": Sequence("spoiled", 25.0, None, 25.0, part="in"),
    "dess": Sequence("dess", 16.3, 4.7, 25.0, 0.08, reference=Tissue.CARTILAGE),
    "dixon_water": Sequence("spoiled", 10.0, None, 3.0, part="water", noise=_HALF),
    "dixon_fat": Sequence(
        "spoiled", 10.0, None, 3.0, part="fat", reference=Tissue.FAT, noise=_HALF
    ),
    "dixon_in": Sequence("spoiled", 10.0, None, 3.0, part="in"),
    "mese": _MESE,
    "t2_map": _MESE,
    "t1w_8x": _T1W,
    "pdw_fs_8x": _PDW_FS,
}
SEQUENCES: tuple[str, ...] = tuple(SEQUENCE)
"""Every sequence that the phantom can make; new ones go last: the place seeds the noise."""

ECHO_IMAGES: Mapping[str, int] = {
    f"mese_te{echo_ms:g}": place for place, echo_ms in enumerate(ECHOES_MS)
}
"""Images of ``mese``, named after their echo times in milliseconds, and the place of each echo."""

UNDERSAMPLED: frozenset[str] = frozenset({"t1w_8x", "pdw_fs_8x"})
"""Sequences of which an eighth of k-space is acquired."""

# Larmor frequency in MHz; echo times at which the main fat peak and water are opposed, in phase.
_LARMOR_MHZ: Mapping[FieldStrength, float] = {"1.5T": 63.87, "3T": 127.74}
_OPPOSED_TE_MS: Mapping[FieldStrength, float] = {"1.5T": 2.3, "3T": 1.15}
# Hamilton 2011, doi 10.1002/nbm.1622: shift from water in ppm, share of the signal.
_PEAK_PPM = (-3.80, -3.40, -2.60, -1.94, -0.39, 0.60)
_PEAK_SHARE = (0.087, 0.693, 0.128, 0.004, 0.039, 0.048)
# Dephasing by trabeculae in a gradient echo: assumed. Other tissues: none.
_T2_PRIME_MS: Mapping[Tissue, float] = {Tissue.CANCELLOUS: 15.0}
# Blood that enters the slice between two pulses: lost to a spin echo, fresh for a gradient echo.
_FLOW: Mapping[Physics, Mapping[Tissue, float]] = {
    "spin echo": {Tissue.ARTERY: 0.15, Tissue.VEIN: 0.4},
    "spoiled": {Tissue.ARTERY: 1.5, Tissue.VEIN: 1.15},
    "dess": {Tissue.ARTERY: 0.6, Tissue.VEIN: 0.6},
}


def images_of(sequences: Iterable[str]) -> tuple[str, ...]:
    """Names of the images of sequences, each once: their own, or `ECHO_IMAGES`; else InputError."""
    names = [name for s in sequences for name in (ECHO_IMAGES if s == "mese" else (s,))]
    if unknown := [name for name in names if name not in SEQUENCE and name not in ECHO_IMAGES]:
        known = ", ".join(SEQUENCE)
        raise InputError(f"unknown phantom sequence {unknown[0]!r}; expected one of {known}")
    return tuple(dict.fromkeys(names))


def fat_phase(te_ms: float, field: FieldStrength) -> complex:
    """Sum of fat's peaks at an echo time, relative to water; 1 at echo time 0."""
    turn = 1e-3 * _LARMOR_MHZ[field] * te_ms  # of a peak at 1 ppm
    peaks = zip(_PEAK_PPM, _PEAK_SHARE, strict=True)
    return sum(share * complex_exp(2j * pi * turn * ppm) for ppm, share in peaks) / sum(_PEAK_SHARE)


def tissue_signal(tissue: Tissue, *, sequence: str, field: FieldStrength, echo: int = 0) -> complex:
    """Signal of a voxel full of one tissue, relative to a fully relaxed voxel of water.

    Complex only where water and fat add up with different phases. `echo` is the place in
    `ECHOES_MS`, for ``mese`` and ``t2_map``, which stands for the echoes it is fitted to.
    """
    recipe, row, at = SEQUENCE[sequence], TISSUE_SIGNAL[tissue], FIELDS.index(field)
    t1, t2, fat = row.t1_ms[at], row.t2_ms[at], row.fat_fraction
    flow = row.proton_density * _FLOW[recipe.physics].get(tissue, 1.0)
    if recipe.te_ms is None:
        t2_star = 1 / (1 / t2 + 1 / _T2_PRIME_MS.get(tissue, float("inf")))
        ernst = _spoiled(t1, recipe.tr_ms, recipe.flip_degrees)
        return flow * ernst * _dixon(recipe.part, t2_star, fat, field)
    suppressed = (1 - fat) + recipe.fat_residue * fat
    if recipe.physics == "dess":
        at_pulse = dess_strength(t1, t2, recipe.tr_ms, recipe.flip_degrees)
        strength = at_pulse * exp(-recipe.te_ms / t2)
    else:
        te_ms = ECHOES_MS[echo] if recipe is _MESE else recipe.te_ms
        strength = (1 - exp(-recipe.tr_ms / t1)) * exp(-te_ms / t2)
    return flow * suppressed * strength


def voxel_signal(
    fractions: FloatArray, *, sequence: str, field: FieldStrength, echo: int = 0
) -> SignalArray:
    """Signal of voxels that hold several tissues, before coil, noise and magnitude.

    `fractions` is the share of each `Tissue` in every voxel, (n_tissues, ...), and the result
    (...) float32, or complex64 where water and fat have different phases (Dixon, ``gre``). A voxel
    full of the sequence's reference tissue (muscle in most) has magnitude 1, for ``mese`` in its
    first echo. The ``_8x`` sequences differ in their acquisition only; `echo` is that of
    `tissue_signal`.
    """
    reference = tissue_signal(SEQUENCE[sequence].reference, sequence=sequence, field=field)
    weights = [
        complex(tissue_signal(t, sequence=sequence, field=field, echo=echo) / abs(reference))
        for t in Tissue
    ]
    real = _weighted_sum([w.real for w in weights], fractions)
    imaginary = [w.imag for w in weights]
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


def _dixon(part: str, t2_star_ms: float, fat: float, field: FieldStrength) -> complex:
    opposed, in_phase = (
        (1 - fat + fat * fat_phase(te, field)) * exp(-te / t2_star_ms)
        for te in (_OPPOSED_TE_MS[field], 2 * _OPPOSED_TE_MS[field])
    )
    water, fat_image = (in_phase + opposed) / 2, (in_phase - opposed) / 2
    return {"opposed": opposed, "in": in_phase, "water": water, "fat": fat_image}[part]


def _spoiled(t1_ms: float, tr_ms: float, flip_degrees: float) -> float:
    recovered, flip = 1 - exp(-tr_ms / t1_ms), radians(flip_degrees)
    return sin(flip) * recovered / (1 - cos(flip) * (1 - recovered))


def dess_strength(t1_ms: float, t2_ms: float, tr_ms: float, flip_degrees: float) -> float:
    """Root of the sum of squares of both steady-state signals, S+ and S-, at the pulse."""
    e1, e2, c = exp(-tr_ms / t1_ms), exp(-tr_ms / t2_ms), cos(radians(flip_degrees))
    p = 1 - e1 * c - e2**2 * (e1 - c)
    q = e2 * (1 - e1) * (1 + c)
    root = (1 - e2**2) / sqrt(p**2 - q**2)
    half = tan(radians(flip_degrees) / 2)
    return half * sqrt((1 - (e1 - c) * root) ** 2 + (1 - (1 - e1 * c) * root) ** 2)
