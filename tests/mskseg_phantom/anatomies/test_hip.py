from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from mskseg.volume import LabelMap
from mskseg_phantom.anatomies import hip
from mskseg_phantom.anatomies.hip import TISSUES
from mskseg_phantom.anatomies.hip_body import SHAPE, HipBody
from mskseg_phantom.drawing import PlaneGrid, rasterise
from mskseg_phantom.drawing.canvas import VoxelContent

SMALL = (96, 96, 8)
LABELS = {name: label for label, name in TISSUES.items()}
CARTILAGES = ("femoral cartilage", "acetabular cartilage")


def person(subject: int) -> hip.HipSubject:
    return hip.sample_subject(np.random.default_rng((0, subject)))


def body(subject: int, **changes: object) -> HipBody:
    return HipBody(replace(person(subject), **changes), np.random.default_rng((1, subject)))


@lru_cache
def drawn(subject: int, shape: tuple[int, int, int] = SMALL) -> VoxelContent:
    return rasterise(body(subject), shape=shape)


def centre_mm(subject: int, name: str) -> np.ndarray:
    index = np.argwhere(drawn(subject).labels == LABELS[name]).mean(axis=0)
    return (body(subject).affine(SMALL) @ [*index, 1])[:3]


def thickness_mm(subject: int, name: str, degrees: float) -> float:
    """Thickness along a ray from the joint, upwards, turned medially, in its middle plane."""
    own = person(subject)
    step = 0.04
    along = np.arange(15, 40, step, dtype=np.float32)
    angle = np.deg2rad(degrees)
    sign = 1 if own.side == "right" else -1
    total = 0
    for start in range(0, along.size, 50):  # a plane is a grid: the ray is its diagonal
        part = along[start : start + 50]
        u = sign * (own.centre_mm[0] - np.float32(np.sin(angle)) * part)
        v = own.centre_mm[1] + np.float32(np.cos(angle)) * part
        order = np.argsort(u)
        grid = PlaneGrid(u[order].astype(np.float32), v.astype(np.float32))
        label = body(subject).plane(grid, own.centre_mm[2]).label[np.argsort(order)]
        total += int((np.diagonal(label) == LABELS[name]).sum())
    return total * step


def test_the_same_seeds_give_the_same_voxels_and_others_another_person() -> None:
    again = rasterise(body(3), shape=SMALL)
    np.testing.assert_array_equal(again.labels, drawn(3).labels)
    np.testing.assert_array_equal(again.fractions, drawn(3).fractions)
    assert (drawn(4).labels != drawn(3).labels).mean() > 0.02


@pytest.mark.parametrize("subject", range(1, 25))
def test_everybody_has_both_bones_and_both_cartilages(subject) -> None:
    labels = drawn(subject, (176, 176, 3)).labels
    assert set(np.unique(labels)) == {0, *TISSUES}
    assert min((labels == label).sum() for label in TISSUES) > 15


@pytest.mark.parametrize("subject", [1, 8, 15, 22])
@pytest.mark.parametrize("name", CARTILAGES)
def test_cartilage_is_one_to_two_and_a_half_millimetres_thick(subject, name) -> None:
    for degrees in (-10.0, 15.0):
        assert 1.0 < thickness_mm(subject, name, degrees) < 2.6


def test_cartilage_is_as_thick_as_the_subject_says() -> None:
    measured = [thickness_mm(n, "femoral cartilage", 10.0) for n in range(1, 7)]
    said = [person(n).femoral_cartilage_mm for n in range(1, 7)]
    np.testing.assert_allclose(measured, said, rtol=0.1)


@pytest.mark.parametrize("subject", [2, 13])
def test_the_cartilages_touch_and_lie_between_the_bones(subject) -> None:
    """From the head upwards: femur, its cartilage, the socket's, the pelvis."""
    own = person(subject)
    v = own.centre_mm[1] + np.arange(10, 45, 0.05, dtype=np.float32)
    u = np.float32([own.centre_mm[0] * (1 if own.side == "right" else -1)])
    column = body(subject).plane(PlaneGrid(u, v), own.centre_mm[2]).label[0]
    seen = [int(a) for a, b in zip(column, [-1, *column[:-1]], strict=True) if a != b and a]
    assert seen[:4] == [1, 3, 4, 2]
    gap = np.flatnonzero(column == 4)[0] - np.flatnonzero(column == 3)[-1]
    assert gap * 0.05 < 0.4


@pytest.mark.parametrize("name", ["proximal femur", "pelvis"])
def test_world_positions_are_those_of_its_side(name) -> None:
    sides = {person(n).side: n for n in range(1, 25)}
    assert set(sides) == {"left", "right"}
    assert centre_mm(sides["right"], name)[0] > 40  # x grows to the patient's right
    assert centre_mm(sides["left"], name)[0] < -40
    for number in sides.values():
        femur, pelvis = centre_mm(number, "proximal femur"), centre_mm(number, "pelvis")
        assert abs(femur[0]) > abs(pelvis[0]) + 15
        assert femur[2] < pelvis[2] - 15


def test_a_left_hip_is_the_mirror_image_of_a_right_one() -> None:
    """The texture differs: it belongs to the stack, not to the joint."""
    right, left = (rasterise(body(6, side=side), shape=SMALL).labels for side in ("right", "left"))
    mirrored = left[::-1]
    bones = (right > 0) | (mirrored > 0)
    assert (right == mirrored)[bones].mean() > 0.86
    assert (right == left)[bones].mean() < 0.6
    grids = [body(6, side=side).affine(SMALL) for side in ("right", "left")]
    ends = [grid[0, 3] + np.array([0, 95]) * grid[0, 0] for grid in grids]
    np.testing.assert_allclose(ends[0], -ends[1][::-1])


def test_the_grid_is_a_coronal_stack_in_world_axes() -> None:
    volume = LabelMap(np.zeros(SHAPE, np.uint8), body(1).affine(SHAPE))
    assert volume.orientation == "RSA"
    assert volume.default_plane == "coronal"
    assert volume.spacing_mm == pytest.approx((0.8125, 0.8125, 3.0))


def test_a_finer_rendering_shows_the_same_hip() -> None:
    """Every other muscle distance is interpolated on fine grids; bones never are."""
    coarse, fine = drawn(6).labels, drawn(6, (192, 192, 8)).labels[::2, ::2]
    either = (coarse > 0) | (fine > 0)
    assert (coarse == fine)[either].mean() > 0.85
    dry, wet = (drawn(6, shape).fractions[1].mean() for shape in (SMALL, (192, 192, 8)))
    assert dry == pytest.approx(wet, rel=0.02)
