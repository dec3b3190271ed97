from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mskseg_phantom.acquisition import scan as scan_body
from mskseg_phantom.acquisition.kspace import coil_maps, eighth_of_steps
from mskseg_phantom.acquisition.scanner import (
    SITES,
    acquire,
    receive_field,
    stored,
)
from mskseg_phantom.tissue import Tissue
from mskseg_phantom.tissue.relaxometry import LONGEST_MS, fit_t2, noise_level
from mskseg_phantom.tissue.sequences import ECHOES_MS, SEQUENCES

EXTENT = (256.0, 256.0, 144.0)
SITE = SITES["site A (3 T)"]
QUIET = replace(SITE, noise=0.0, scale=2000.0)


def scan(signal: np.ndarray, site=SITE, noise_seed=5, n_coils=4, **options) -> np.ndarray:
    field = receive_field(signal.shape, site=site, extent_mm=EXTENT, rng=np.random.default_rng(4))
    rng = np.random.default_rng(noise_seed)
    maps = coil_maps((signal.shape[2], *signal.shape[:2]), n_coils)
    return stored(acquire(signal, field, maps, site=site, rng=rng, **options), site)


def air() -> np.ndarray:
    return np.zeros((64, 64, 8), dtype=np.float32)


def box() -> np.ndarray:
    signal = air()
    signal[16:48, 20:44, :4] = 1
    signal[16:48, 20:44, 4:] = 0.5
    return signal


def limb(**shares: float) -> np.ndarray:
    """Tissue shares of a cylinder in air, (n_tissues, 48, 48, 4)."""
    u = np.linspace(-1, 1, 48)
    inside = np.repeat((np.hypot(u[:, None], u) < 0.6)[..., None], 4, axis=2)
    fractions = np.zeros((len(Tissue), *inside.shape), dtype=np.float32)
    for name, share in shares.items():
        fractions[Tissue[name.upper()]] = share * inside
    fractions[Tissue.AIR] = ~inside
    return fractions


def scan_limb(sequence, site=SITE, **shares: float) -> np.ndarray:
    fractions, rng = limb(**shares), np.random.default_rng(1)
    field = receive_field(fractions.shape[1:], site=site, extent_mm=EXTENT, rng=rng)
    rng, maps = np.random.default_rng(2), coil_maps((4, 48, 48))
    return scan_body(fractions, field, maps, sequence=sequence, site=site, rng=rng)


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("n_coils", [1, 4])
def test_noise_in_air_is_rayleigh_distributed(name, n_coils) -> None:
    site = replace(SITES[name], scale=1e4)  # a fine scale, to see the distribution unrounded
    noise = scan(air(), site=site, n_coils=n_coils).astype(float)
    assert noise.mean() / noise.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
    assert noise.mean() == pytest.approx(site.noise * np.sqrt(np.pi / 2) * 1e4, rel=0.03)


def test_noise_of_a_strong_signal_is_that_of_the_site() -> None:
    two = [scan(air() + 5, replace(SITE, scale=2000.0), seed) / 2000.0 for seed in (1, 2)]
    assert (two[0] - two[1]).std() / np.sqrt(2) == pytest.approx(SITE.noise, rel=0.05)


def test_without_noise_a_uniform_body_shows_the_sensitivity() -> None:
    image = scan(air() + 1, site=QUIET)
    rng = np.random.default_rng(4)
    expected = np.abs(receive_field(image.shape, site=QUIET, extent_mm=EXTENT, rng=rng))
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(image[inner] / QUIET.scale, expected[inner], rtol=0.03)
    assert expected.std() > 0.05


def test_the_receive_field_turns_its_phase_smoothly() -> None:
    field = receive_field((64, 64, 8), site=SITE, extent_mm=EXTENT, rng=np.random.default_rng(4))
    step = np.angle(field[1:] * field[:-1].conj())
    assert 0.002 < np.abs(step).mean() < 0.2
    assert np.abs(step).max() < 0.5


def test_coils_see_different_parts_and_add_up_to_one() -> None:
    maps = coil_maps((8, 64, 64))
    np.testing.assert_allclose((np.abs(maps) ** 2).sum(axis=0), 1, rtol=1e-5)
    brightest = {np.unravel_index(np.abs(m[4]).argmax(), m[4].shape) for m in maps}
    assert len(brightest) == len(maps)


def test_four_coils_show_what_the_virtual_coil_shows() -> None:
    four, one = (scan(box(), QUIET, n_coils=n) / QUIET.scale for n in (4, 1))
    assert np.abs(four - one).max() < 0.05


def test_magnitude_forgets_the_sign() -> None:
    np.testing.assert_array_equal(scan(air() - 1, site=QUIET), scan(air() + 1, site=QUIET))


def test_every_scan_has_its_own_noise_and_a_seed_repeats_it() -> None:
    np.testing.assert_array_equal(scan(air()), scan(air()))
    assert (scan(air()) != scan(air(), noise_seed=6)).mean() > 0.5


def test_an_eighth_of_the_steps_is_drawn_with_the_lowest_among_them() -> None:
    steps = eighth_of_steps(24, 256, np.random.default_rng(0))
    assert steps.shape == (24, 1, 256)
    assert steps.sum() == 24 * 256 // 8
    assert steps[0, 0, :4].all()
    assert steps[:, 0, :64].mean() > 2 * steps[:, 0, 64:128].mean()


def test_an_eighth_of_k_space_gives_a_blurred_image_of_the_same_thing() -> None:
    full, eighth = (scan(box(), QUIET, eighth=e) / QUIET.scale for e in (False, True))
    error = np.sqrt(np.mean((full - eighth) ** 2) / np.mean(full**2))
    assert 0.03 < error < 0.25
    edge = (slice(24, 40), slice(14, 26), 2)
    steepest = [np.abs(np.diff(image[edge].mean(axis=0))).max() for image in (full, eighth)]
    assert steepest[1] < steepest[0]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_every_sequence_shows_the_limb(sequence) -> None:
    image = scan_limb(sequence, muscle=0.4, fat=0.3, synovial=0.3)
    assert image.dtype == np.int16
    assert image.shape == ((8, 48, 48, 4) if sequence == "mese" else (48, 48, 4))
    last = image[0] if sequence == "mese" else image
    assert last[20:28, 20:28].mean() > 4 * last[:4, :4].mean()


@pytest.mark.parametrize(("tissue", "t2"), [("muscle", 32), ("cartilage", 37), ("fat", 133)])
def test_the_t2_map_shows_the_tissues_t2(tissue, t2) -> None:
    t2_map = scan_limb("t2_map", **{tissue: 1}) / 10
    assert np.median(t2_map[18:30, 18:30]) == pytest.approx(t2, rel=0.05)
    assert (t2_map[:6, :6] == 0).all()


def test_the_noise_floor_does_not_lengthen_a_short_t2() -> None:
    rng = np.random.default_rng(0)
    te, noise = np.array(ECHOES_MS), 0.03
    clean = np.exp(-te / 25)[:, None] * np.ones(20000)
    measured = np.abs(
        clean + noise * (rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape))
    )
    fitted = np.median(fit_t2(measured.astype(np.float32), ECHOES_MS, noise=noise))
    naive = np.median(-70 / np.log(measured[-1] / measured[0]))
    assert fitted == pytest.approx(25, rel=0.04)
    assert naive > 1.08 * 25


def test_noise_is_read_from_the_air() -> None:
    image = scan_limb("t1w", replace(SITE, scale=2000.0), muscle=1) / 2000.0
    assert noise_level(image.astype(np.float32)) == pytest.approx(SITE.noise, rel=0.25)


def test_a_t2_too_long_to_tell_is_stored_as_the_longest() -> None:
    flat = np.ones((8, 3), dtype=np.float32)
    np.testing.assert_allclose(fit_t2(flat, ECHOES_MS, noise=0.01), LONGEST_MS)
