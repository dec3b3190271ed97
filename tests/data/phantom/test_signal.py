from __future__ import annotations

import numpy as np
import pytest

from mskseg.data.phantom.signal import (
    SEQUENCES,
    TISSUE_SIGNAL,
    Tissue,
    check_sequence,
    tissue_signal,
    voxel_signal,
)
from mskseg.errors import InputError


def mixture(**shares: float) -> np.ndarray:
    fractions = np.zeros((len(Tissue), 1), dtype=np.float32)
    for name, share in shares.items():
        fractions[Tissue[name.upper()]] = share
    return fractions


def test_every_tissue_has_parameters_with_a_source() -> None:
    assert set(TISSUE_SIGNAL) == set(Tissue)
    cited = [row.source for row in TISSUE_SIGNAL.values()]
    assert all("doi" in source or "assumed" in source or "no prot" in source for source in cited)


@pytest.mark.parametrize("field", ["1.5T", "3T"])
def test_t1_weighting_shows_fat_above_muscle_above_cortex(field) -> None:
    order = (Tissue.FAT, Tissue.MARROW, Tissue.MUSCLE, Tissue.CORTEX, Tissue.AIR)
    strength = [tissue_signal(t, sequence="t1w", field=field) for t in order]
    assert strength == sorted(strength, reverse=True)
    assert strength[0] > 2 * strength[2] > 20 * strength[3]


@pytest.mark.parametrize("field", ["1.5T", "3T"])
def test_opposed_phase_sets_fat_against_water(field) -> None:
    muscle, fat, cortex = (
        tissue_signal(t, sequence="dixon_opposed", field=field)
        for t in (Tissue.MUSCLE, Tissue.FAT, Tissue.CORTEX)
    )
    assert muscle > 0 > fat
    assert 0.6 < -fat / muscle < 1.1
    assert abs(cortex) < 0.1 * muscle


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_voxel_of_muscle_has_signal_one(sequence) -> None:
    assert voxel_signal(mixture(muscle=1), sequence=sequence, field="3T") == pytest.approx(1)


def test_half_fat_half_muscle_is_dark_in_opposed_phase_only() -> None:
    half = mixture(muscle=0.5, fat=0.5)
    assert abs(voxel_signal(half, sequence="dixon_opposed", field="3T")[0]) < 0.15
    assert voxel_signal(half, sequence="t1w", field="3T")[0] > 1


def test_an_unknown_sequence_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown phantom sequence 'flair'.*t1w, dixon_opposed"):
        check_sequence("flair")
