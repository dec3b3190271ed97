from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mskseg.data.phantom.acquisition import SITES, acquire, check_site, sensitivity
from mskseg.errors import InputError

EXTENT = (256.0, 256.0, 144.0)
SITE = SITES["site A (3 T)"]


def scan(signal: np.ndarray, site=SITE, noise_seed: int = 5) -> np.ndarray:
    return acquire(
        signal,
        site=site,
        extent_mm=EXTENT,
        body_rng=np.random.default_rng(4),
        noise_rng=np.random.default_rng(noise_seed),
    )


def air() -> np.ndarray:
    return np.zeros((64, 64, 8), dtype=np.float32)


@pytest.mark.parametrize("name", SITES)
def test_noise_in_air_is_rayleigh_distributed(name) -> None:
    site = replace(SITES[name], scale=1e4)  # a fine scale, to see the distribution unrounded
    noise = scan(air(), site=site).astype(float)
    assert noise.mean() / noise.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
    assert noise.mean() == pytest.approx(site.noise * np.sqrt(np.pi / 2) * 1e4, rel=0.03)


def test_without_noise_a_uniform_body_shows_the_sensitivity() -> None:
    site = replace(SITE, noise=0.0)
    image = scan(air() + 1, site=site)
    expected = sensitivity(image.shape, site=site, extent_mm=EXTENT, rng=np.random.default_rng(4))
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(image[inner] / site.scale, expected[inner], rtol=0.03)
    assert expected.std() > 0.05


def test_magnitude_forgets_the_sign() -> None:
    site = replace(SITE, noise=0.0)
    np.testing.assert_array_equal(scan(air() - 1, site=site), scan(air() + 1, site=site))


def test_every_scan_has_its_own_noise_and_a_seed_repeats_it() -> None:
    np.testing.assert_array_equal(scan(air()), scan(air()))
    assert (scan(air()) != scan(air(), noise_seed=6)).mean() > 0.5


def test_an_unknown_site_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown phantom site 'moon'.*site A"):
        check_site("moon")
