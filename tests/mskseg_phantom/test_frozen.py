"""What is frozen before a model is scored on the phantoms: version, contrast to noise, air.

If one of these has to change, raise `PHANTOM_VERSION`, measure anew, and score every model again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from mskseg_phantom.scans import PHANTOM_VERSION, make_phantom
from mskseg_phantom.tissue.relaxometry import noise_level

# Median signal of the first less the second, in standard deviations of the noise.
# anatomy, sequence, first, second, range at site A, range at site B
CONTRAST_TO_NOISE = [
    ("knee", "pdw_fs", "femoral cartilage", "femur", (14, 26), (8, 16)),
    ("knee", "pdw_fs", "femur", "lateral meniscus", (4, 11), (2, 6)),
    ("spine", "t2w", "spinal canal", "L3", (20, 55), (9, 24)),
    ("spine", "t2w", "L3", "disc L3/4", (18, 50), (8, 22)),
    ("hip", "t1w", "proximal femur", "femoral cartilage", (22, 60), (15, 45)),
    ("thigh", "t1w", "subcutaneous fat", "vastus medialis", (60, 140), (22, 55)),
    ("thigh", "t1w", "vastus medialis", "femur cortex", (28, 60), (11, 28)),
]
OF_SITE = {"site A (3 T)": (17, 18), "site B (1.5 T)": (23,)}


@lru_cache
def scan(anatomy: str, number: int, sequence: str):
    return make_phantom(anatomy, number, sequence=sequence)


def test_the_version_is_the_one_that_was_scored():
    assert PHANTOM_VERSION == 3


@pytest.mark.parametrize(
    ("anatomy", "sequence", "first", "second", "at_a", "at_b"), CONTRAST_TO_NOISE
)
def test_contrast_to_noise_lies_in_its_range(anatomy, sequence, first, second, at_a, at_b):
    for (site, numbers), (low, high) in zip(OF_SITE.items(), (at_a, at_b), strict=True):
        for number in numbers:
            case = scan(anatomy, number, sequence)
            assert case.site == site
            voxels = case.image.array.astype(np.float32)
            label = {name: k for k, name in case.tissues.items()}
            signal = [np.median(voxels[case.reference.mask(label[n])]) for n in (first, second)]
            assert low <= (signal[0] - signal[1]) / noise_level(voxels) <= high


@pytest.mark.parametrize(
    ("anatomy", "sequence"),
    [("knee", "pdw_fs"), ("spine", "t2w"), ("hip", "t1w"), ("thigh", "t1w")],
)
@pytest.mark.parametrize("number", [17, 23])
def test_air_is_rayleigh_noise_at_both_sites(anatomy, sequence, number):
    voxels = scan(anatomy, number, sequence).image.array.astype(np.float32)
    n = voxels.shape[0] // 32
    corners = [
        voxels[a, b] for a in (slice(n), slice(-n, None)) for b in (slice(n), slice(-n, None))
    ]
    air = min(corners, key=np.mean)
    assert air.std() / air.mean() == pytest.approx(np.sqrt(4 / np.pi - 1), rel=0.05)
