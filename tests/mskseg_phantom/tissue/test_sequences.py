from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mskseg.errors import InputError
from mskseg_phantom.tissue import TISSUE_SIGNAL, Tissue
from mskseg_phantom.tissue.sequences import (
    SEQUENCE,
    SEQUENCES,
    dess_strength,
    fat_phase,
    images_of,
    tissue_signal,
    voxel_signal,
)

FIELDS = ["1.5T", "3T"]

# What textbooks show, brightest first.
ORDERS = {
    "t1w": ["FAT", "CANCELLOUS", "MUSCLE", "CSF", "CORTEX"],
    "t1w, knee": ["MARROW", "CARTILAGE", "SYNOVIAL", "CORTEX"],
    "pdw": ["FAT", "CARTILAGE", "MENISCUS", "LIGAMENT", "CORTEX"],
    "pdw_fs": ["SYNOVIAL", "CARTILAGE", "MENISCUS", "LIGAMENT"],
    "pdw_fs, bone": ["SYNOVIAL", "MUSCLE", "FAT", "CORTEX"],
    "t2w": ["CSF", "DISC_NUCLEUS", "CANCELLOUS", "DISC_ANNULUS", "LIGAMENT"],
    "t2w, canal": ["CSF", "CORD", "MUSCLE", "CORTEX"],
    "gre": ["FAT", "CARTILAGE", "SYNOVIAL", "CORTEX"],
    "dess": ["SYNOVIAL", "CARTILAGE", "MUSCLE", "MENISCUS", "CORTEX"],
    "dess, bone": ["CARTILAGE", "FAT", "CORTEX"],
    "dixon_water": ["MUSCLE", "FAT", "CORTEX"],
    "dixon_fat": ["FAT", "CANCELLOUS", "MUSCLE"],
    "dixon_in": ["FAT", "MUSCLE", "CORTEX"],
    "mese": ["FAT", "MUSCLE", "CORTEX"],
}


def mixture(**shares: float) -> np.ndarray:
    fractions = np.zeros((len(Tissue), 1), dtype=np.float32)
    for name, share in shares.items():
        fractions[Tissue[name.upper()]] = share
    return fractions


def test_every_tissue_has_parameters_with_a_source() -> None:
    assert set(TISSUE_SIGNAL) == set(Tissue)
    cited = [row.source for row in TISSUE_SIGNAL.values()]
    known = ("doi", "PMC", "assumed", "no protons")
    assert all(any(word in source for word in known) for source in cited)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("what", ORDERS)
def test_tissues_are_as_bright_as_textbooks_show(what, field) -> None:
    sequence = what.split(",")[0]
    strength = [
        abs(tissue_signal(Tissue[name], sequence=sequence, field=field)) for name in ORDERS[what]
    ]
    ratios = [later / earlier for earlier, later in pairwise(strength)]
    assert max(ratios) < 0.93, dict(zip(ORDERS[what], strength, strict=True))


@pytest.mark.parametrize("field", FIELDS)
def test_dess_shows_the_meniscus_darker_than_half_of_muscle(field) -> None:
    meniscus, muscle = (
        abs(tissue_signal(t, sequence="dess", field=field))
        for t in (Tissue.MENISCUS, Tissue.MUSCLE)
    )
    assert meniscus < 0.5 * muscle


@pytest.mark.parametrize("field", FIELDS)
def test_opposed_phase_sets_fat_against_water(field) -> None:
    muscle, fat, cortex = (
        complex(tissue_signal(t, sequence="dixon_opposed", field=field))
        for t in (Tissue.MUSCLE, Tissue.FAT, Tissue.CORTEX)
    )
    assert muscle.real > 0 > fat.real
    assert 0.6 < abs(fat) / abs(muscle) < 1.1
    assert abs(cortex) < 0.1 * abs(muscle)


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("field", FIELDS)
def test_a_voxel_of_the_reference_tissue_has_signal_one(sequence, field) -> None:
    full = mixture(**{SEQUENCE[sequence].reference.name.lower(): 1})
    assert abs(voxel_signal(full, sequence=sequence, field=field)[0]) == pytest.approx(1)


def test_half_fat_half_muscle_is_dark_in_opposed_phase_only() -> None:
    half = mixture(muscle=0.5, fat=0.5)
    assert abs(voxel_signal(half, sequence="dixon_opposed", field="3T")[0]) < 0.15
    assert abs(voxel_signal(half, sequence="dixon_in", field="3T")[0]) > 0.8
    assert voxel_signal(half, sequence="t1w", field="3T")[0] > 1


def test_dixons_water_and_fat_add_up_to_the_in_phase_image() -> None:
    half = mixture(muscle=0.6, fat=0.4)
    water, fat, both = (tissue_sum(half, part) for part in ("dixon_water", "dixon_fat", "dixon_in"))
    assert water + fat == pytest.approx(both, rel=1e-5)
    assert abs(fat) / abs(water + fat) == pytest.approx(0.4, abs=0.1)


def tissue_sum(fractions: np.ndarray, sequence) -> complex:
    return sum(
        complex(fractions[t, 0] * tissue_signal(t, sequence=sequence, field="3T")) for t in Tissue
    )


@pytest.mark.parametrize("field", FIELDS)
def test_fat_is_opposed_and_in_phase_at_dixons_echo_times(field) -> None:
    first = {"1.5T": 2.3, "3T": 1.15}[field]
    assert fat_phase(0, field) == pytest.approx(1)
    assert fat_phase(first, field).real < -0.7
    assert fat_phase(2 * first, field).real > 0.7


def test_echoes_decay_with_t2() -> None:
    signal = [
        voxel_signal(mixture(muscle=1), sequence="mese", field="3T", echo=echo)[0]
        for echo in (0, 7)
    ]
    assert signal[1] / signal[0] == pytest.approx(np.exp(-70 / 32), rel=1e-4)


@pytest.mark.parametrize(("t1", "t2"), [(1240, 37), (3620, 767), (371, 133)])
def test_dess_agrees_with_a_simulation_of_coherence_pathways(t1, t2) -> None:
    tr, flip = 16.3, np.radians(25)
    c2, s2, s, c = np.cos(flip / 2) ** 2, np.sin(flip / 2) ** 2, np.sin(flip), np.cos(flip)
    # Rotation about x by the flip angle of the states (F+, F-, Z).
    pulse = np.array([[c2, s2, -1j * s], [s2, c2, 1j * s], [-0.5j * s, 0.5j * s, c]])
    e1, e2 = np.exp(-tr / t1), np.exp(-tr / t2)
    states = np.zeros((3, 400), dtype=complex)
    states[2, 0] = 1
    for _ in range(3000):
        before = states[1, 0]
        states = pulse @ states
        after = states[0, 0]
        states *= np.array([e2, e2, e1])[:, None]
        states[2, 0] += 1 - e1
        states[0, 1:], states[1, :-1] = states[0, :-1].copy(), states[1, 1:].copy()
        states[1, -1], states[0, 0] = 0, np.conj(states[1, 0])
    expected = np.hypot(abs(after), abs(before))
    assert dess_strength(t1, t2, tr, 25.0) == pytest.approx(expected, rel=0.01)


def test_an_unknown_sequence_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown phantom sequence 'flair'.*t1w, dixon_opposed"):
        images_of(["flair"])
