"""A scan to race on, and a clock that a test sets."""

from __future__ import annotations

import numpy as np

from mskseg.case import Case
from mskseg.volume import LabelMap, Volume


def race_case(subject: str = "a", *, row_mm: float = 1.0) -> Case:
    labels = np.zeros((50, 30, 3), np.int16)
    labels[10:30, 5:20, 1:] = 3
    labels[40:48, 20:28, 2] = 7
    affine = np.diag([1.0, row_mm, 6.0, 1.0])
    image = Volume(100.0 * (labels > 0) + 10, affine)
    tissues = {3: "femur", 7: "patella"}
    return Case(subject=subject, image=image, reference=LabelMap(labels, affine), tissues=tissues)


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
