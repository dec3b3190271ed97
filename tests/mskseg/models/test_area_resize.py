"""Our area filter gives OpenCV's bits."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.models.area_resize import area_resized

cv2 = pytest.importorskip("cv2", reason="no OpenCV: install the extra mskseg[test]")

# Sizes of the scans at hand; whole numbers, of which two is rounded in its own way; thin ones.
SHAPES = [(381, 381), (224, 224), (320, 320), (381, 77), (68, 52), (512, 300), (768, 512),
          (1536, 1024), (257, 256), (255, 10), (1, 300), (2, 2)]  # fmt: skip


def size_at(shape: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = longest / max(shape)
    return int(shape[0] * scale + 0.5), int(shape[1] * scale + 0.5)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_the_scans_sizes_come_out_as_from_opencv(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    height, width = size_at(shape, 256)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(area_resized(image, (height, width)), expected)


def test_a_hundred_random_sizes_come_out_as_from_opencv():
    rng = np.random.default_rng(1)
    for _ in range(100):
        shape = tuple(map(int, rng.integers(20, 500, 2)))
        image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        height, width = size_at(shape, 128)
        expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(area_resized(image, (height, width)), expected, str(shape))
