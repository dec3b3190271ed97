from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from mskseg.volume import LabelMap
from mskseg_phantom.anatomies import spine
from mskseg_phantom.anatomies.spine import TISSUES
from mskseg_phantom.anatomies.spine_body import EXTENT_MM, SHAPE, SpineBody
from mskseg_phantom.drawing import PlaneGrid, rasterise
from mskseg_phantom.drawing.canvas import VoxelContent
from mskseg_phantom.tissue import Tissue

SMALL = (96, 96, 7)  # an odd number: one slice lies in the middle of the canal
LABELS = {name: label for label, name in TISSUES.items()}
BODIES = ("L1", "L2", "L3", "L4", "L5")
DISCS = ("disc L1/2", "disc L2/3", "disc L3/4", "disc L4/5", "disc L5/S1")


def person(subject: int) -> spine.SpineSubject:
    return spine.sample_subject(np.random.default_rng((0, subject)))


def body(subject: int) -> SpineBody:
    return SpineBody(person(subject), np.random.default_rng((1, subject)))


@lru_cache
def drawn(subject: int, shape: tuple[int, int, int] = SMALL) -> VoxelContent:
    return rasterise(body(subject), shape=shape)


def centre_mm(subject: int, name: str) -> np.ndarray:
    index = np.argwhere(drawn(subject).labels == LABELS[name]).mean(axis=0)
    return (body(subject).affine(SMALL) @ [*index, 1])[:3]


def test_the_same_seeds_give_the_same_voxels_and_others_another_person() -> None:
    again = rasterise(body(3), shape=SMALL)
    np.testing.assert_array_equal(again.labels, drawn(3).labels)
    np.testing.assert_array_equal(again.fractions, drawn(3).fractions)
    first, second = drawn(3).labels, drawn(4).labels
    assert (first != second)[(first > 0) | (second > 0)].mean() > 0.2


@pytest.mark.parametrize("subject", range(1, 25))
def test_everybody_has_all_bodies_discs_and_a_canal(subject) -> None:
    labels = drawn(subject, (72, 72, 5)).labels
    assert set(np.unique(labels)) == {0, *TISSUES}
    assert min((labels == label).sum() for label in TISSUES) >= 12
    inner = labels[1:-1, 1:-1]
    for name in (*BODIES, *DISCS):  # nothing that is scored is cut off by the stack's edge
        assert (inner == LABELS[name]).sum() == (labels == LABELS[name]).sum(), name


@pytest.mark.parametrize("subject", [1, 9, 17, 23])
def test_bodies_and_discs_alternate_from_head_to_foot(subject) -> None:
    order = [name for pair in zip(BODIES, DISCS, strict=True) for name in pair]
    heights = [centre_mm(subject, name)[2] for name in order]
    assert heights == sorted(heights, reverse=True)
    steps = -np.diff(heights)
    assert 8 < steps.min() < steps.max() < 28


@pytest.mark.parametrize("subject", [2, 11, 20])
def test_the_canal_runs_behind_bodies_and_discs(subject) -> None:
    labels = drawn(subject).labels
    middle = labels[..., 3]
    for name in (*BODIES[:4], *DISCS[:3]):
        rows = np.unique(np.nonzero(middle == LABELS[name])[1])
        in_front = np.nonzero(middle[:, rows] == LABELS[name])[0].mean()
        behind = np.nonzero(middle[:, rows] == LABELS["spinal canal"])[0].mean()
        assert in_front - behind > 4, name


def test_a_worn_disc_is_lower_and_holds_less_nucleus() -> None:
    discs = [disc for n in range(1, 25) for disc in person(n).discs if disc.label == 9]
    worn = np.array([disc.degeneration for disc in discs])
    height = np.array([disc.height_mm for disc in discs])
    assert np.corrcoef(worn, height)[0, 1] < -0.8
    assert worn.min() < 0.3
    assert worn.max() > 0.6
    numbers = sorted(range(1, 25), key=lambda n: person(n).discs[7].degeneration)
    axis = np.linspace(-120, 120, 240, dtype=np.float32)
    share = []
    for number in (numbers[0], numbers[-1]):
        plane = body(number).plane(PlaneGrid(axis, axis), 0.0)
        inside = plane.label == LABELS["disc L4/5"]
        nucleus = (plane.tissue == Tissue.DISC_NUCLEUS) * (1 - plane.admixture)
        share.append(nucleus[inside].mean())
    assert share[0] > 1.5 * share[1]


@pytest.mark.parametrize("subject", [1, 6, 14])
def test_sizes_are_those_of_adults(subject) -> None:
    bones = [bone for bone in person(subject).vertebrae if bone.label]
    for bone in bones:
        assert 22 < 2 * bone.half_height_mm < 33
        assert 26 < 2 * bone.half_depth_mm < 42
        assert 34 < 2 * bone.half_width_mm < 62
    voxel_ml = np.prod(np.array(EXTENT_MM) / SMALL) / 1000
    for name in BODIES:
        volume = (drawn(subject).labels == LABELS[name]).sum() * voxel_ml
        assert 12 < volume < 65, name


def test_the_grid_is_a_sagittal_stack_in_world_axes() -> None:
    labels = drawn(1).labels
    volume = LabelMap(labels, body(1).affine(SMALL))
    assert volume.orientation == "ASR"
    assert np.linalg.det(volume.affine) > 0
    fine = LabelMap(np.zeros(SHAPE, np.uint8), body(1).affine(SHAPE))
    assert fine.default_plane == "sagittal"
    front, back = centre_mm(1, "L3"), centre_mm(1, "spinal canal")
    assert front[1] > back[1]


def test_cord_lies_above_and_fat_fluid_and_bone_are_where_they_belong() -> None:
    content = drawn(5)
    canal = content.labels == LABELS["spinal canal"]
    wet = content.fractions[[Tissue.CSF, Tissue.CORD, Tissue.NERVE, Tissue.LIGAMENT]].sum(axis=0)
    assert wet[canal].mean() > 0.85
    rows = np.nonzero(content.fractions[Tissue.CORD] > 0.3)[1]
    l3 = np.nonzero(content.labels == LABELS["L3"])[1]
    assert rows.min() > l3.mean()
    l4 = content.labels == LABELS["L4"]
    bone = content.fractions[[Tissue.CANCELLOUS, Tissue.MARROW, Tissue.CORTEX, Tissue.VEIN]]
    assert bone.sum(axis=0)[l4].mean() > 0.9
