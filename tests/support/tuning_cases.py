"""Drawn shapes as cases, and models small enough to train in a moment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.small_sams import build_small_sam

import mskseg
from mskseg.case import Case, CaseSet
from mskseg.finetuning.config import FineTuneConfig
from mskseg.models.preprocessing import MedSamPreprocessing, SamPreprocessing
from mskseg.models.segmenter import Segmenter
from mskseg.volume import LabelMap, Volume

AFFINE = np.diag([1.0, 1.0, 6.0, 1.0])

# Two steps of two slices with two objects each: whatever is to be seen is seen then.
TINY = FineTuneConfig(
    epochs=1, steps_per_epoch=2, slices_per_step=2, prompts_per_slice=2, learning_rate=1e-3,
    warm_up=1,
)  # fmt: skip


def draw_case(
    subject: str, *, seed: int, n_slices: int = 2, shape=(48, 40), labels=(1, 2), **known: str
) -> Case:
    """A muscle (1) and a bone (2) beside each other, dim in noise."""
    rng = np.random.default_rng(seed)
    x, y = np.mgrid[: shape[0], : shape[1]]
    array = np.zeros((*shape, n_slices), np.uint8)
    for k in range(n_slices):
        for label, centre in ((1, 0.3), (2, 0.72)):
            if label in labels:
                cx, cy = centre * shape[0] + rng.normal(), shape[1] / 2 + rng.normal()
                array[..., k][((x - cx) / 8) ** 2 + ((y - cy) / 11) ** 2 < 1] = label
    image = 40 + 9.0 * (array == 1) - 9.0 * (array == 2) + rng.normal(0, 9, array.shape)
    return Case(
        subject=subject,
        image=Volume(image.astype(np.float32), AFFINE),
        reference=LabelMap(array, AFFINE),
        tissues={1: "muscle", 2: "bone"},
        **known,
    )


def draw_set(name: str, *, n: int = 2, first: int = 0, **how) -> CaseSet:
    cases = [draw_case(f"{name} {i}", seed=first + i, **how) for i in range(n)]
    return CaseSet(name, cases)


def draw_uneven_set() -> CaseSet:
    """Slices of one object and of two: processes that share a step have unequal shares of it."""
    return CaseSet("uneven", [draw_case("a", seed=0, labels=(1,)), draw_case("b", seed=1)])


def _small_sam(seed: int = 0):
    return build_small_sam(seed).requires_grad_(False)


@pytest.fixture(scope="session")
def tiny() -> FineTuneConfig:
    return TINY


@pytest.fixture(scope="session")
def cases() -> Callable[..., CaseSet]:
    return draw_set


@pytest.fixture(scope="session")
def train() -> CaseSet:
    return draw_set("train")


@pytest.fixture(scope="session")
def uneven() -> CaseSet:
    return draw_uneven_set()


@pytest.fixture(scope="session")
def validation() -> CaseSet:
    return draw_set("validation", n=1, first=10)


@pytest.fixture
def mini() -> Segmenter:
    return mskseg.load_segmenter("sam_vit_mini")


@pytest.fixture
def small() -> Segmenter:
    """SAM's own classes, a ViT of two blocks, 128 px, random weights."""
    return Segmenter(_small_sam(), SamPreprocessing(128), name="small")


@pytest.fixture
def small_medsam() -> Segmenter:
    return Segmenter(_small_sam(), MedSamPreprocessing(128), name="small medsam", learned_iou=False)
