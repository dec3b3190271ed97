"""One scan in three slabs: nobody's slices in two of them."""

from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import Case, CaseSet
from mskseg.errors import InputError
from mskseg.finetuning.dataset import GAP, split_by_slab
from mskseg.volume import LabelMap, Volume


def scan(n: int, *, empty: int = 0, oblique: bool = False) -> CaseSet:
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    if oblique:
        affine = affine[:, [2, 0, 1, 3]]  # slices along the first axis of the file
    labels = np.ones((6, 6, n + empty), np.uint8)
    labels[..., n:] = 0
    labels = np.moveaxis(labels, 2, 0) if oblique else labels
    image = Volume(np.full(labels.shape, 9.0, np.float32), affine)
    return CaseSet("one", [Case("S", image, LabelMap(labels, affine), tissues={1: "muscle"})])


@pytest.mark.parametrize("oblique", [False, True])
def test_slabs_are_apart_and_hold_all_slices_but_the_gaps(oblique):
    parts = split_by_slab(scan(20, empty=3, oblique=oblique))
    found = {part: cases[0].labelled_slices() for part, cases in parts.items()}
    assert {part: len(slices) for part, slices in found.items()} == {
        "test": 4, "train": 10, "validation": 4,
    }  # fmt: skip
    everything = sorted(k for slices in found.values() for k in slices)
    assert len(set(everything)) == len(everything) == 20 - 2 * GAP
    assert found["test"][-1] + GAP + 1 == found["validation"][0]
    assert found["validation"][-1] + GAP + 1 == found["train"][0]


def test_slabs_are_named_for_what_they_are_and_share_image_and_window():
    whole = scan(12)
    parts = split_by_slab(whole)
    assert parts["test"].subjects == ("S (test slab)",)
    assert parts["train"][0].window == whole[0].window
    assert parts["train"][0].tissues == {1: "muscle"}


def test_too_few_slices_are_refused():
    with pytest.raises(InputError, match="has 6 labelled slices, expected 7 or more"):
        split_by_slab(scan(6))
    assert len(split_by_slab(scan(7))["train"][0].labelled_slices()) == 3
