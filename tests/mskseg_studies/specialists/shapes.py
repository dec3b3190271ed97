"""Cases of drawn shapes: a bright disc and a bright triangle on a dark ground."""

from __future__ import annotations

import numpy as np

from mskseg.case import Case
from mskseg.volume import LabelMap, Volume

DISC, TRIANGLE = 3, 7


def drawn_case(subject: str, *, seed: int, size: int = 48, n_slices: int = 4, **more) -> Case:
    """Label 3 is a disc, label 7 a triangle, elsewhere on each slice; slices are sagittal."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    labels = np.zeros((n_slices, size, size), np.uint8)
    for at in labels[: n_slices - 1]:  # the last one shows nothing
        y, x = rng.integers(12, 20, 2)
        at[(rows - y) ** 2 + (columns - x) ** 2 < 64] = DISC
        y, x = rng.integers(24, 28, 2)
        at[(rows >= y) & (columns >= x) & (rows - y + columns - x < 16)] = TRIANGLE
    grey = np.array([60, 0, 0, 200, 0, 0, 0, 130])[labels] + rng.normal(0, 10, labels.shape)
    affine = np.array([[6.0, 0.3, 0, 5], [0, 0, -1.2, 0], [0, 1.0, 0, -9], [0, 0, 0, 1]])
    image = Volume(grey.clip(1).astype(np.int16), affine)
    tissues = {DISC: "disc", TRIANGLE: "triangle"}
    reference = LabelMap(labels, affine)
    return Case(subject=subject, image=image, reference=reference, tissues=tissues, **more)
