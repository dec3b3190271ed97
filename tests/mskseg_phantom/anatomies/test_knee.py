from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from mskseg.volume import LabelMap
from mskseg_phantom.anatomies import knee
from mskseg_phantom.anatomies.knee import CARTILAGE_RANGE_MM, EXTENT_MM, TISSUES, sample_subject
from mskseg_phantom.anatomies.knee_body import KneeBody
from mskseg_phantom.drawing import rasterise

CHEAP = (96, 96, 24)
BONE_OF = {
    knee.FEMORAL: knee.FEMUR,
    knee.MEDIAL_TIBIAL: knee.TIBIA,
    knee.LATERAL_TIBIAL: knee.TIBIA,
    knee.PATELLAR: knee.PATELLA,
}


def person(subject: int) -> knee.KneeSubject:
    return sample_subject(np.random.default_rng((0, subject)))


def body_of(who: knee.KneeSubject) -> KneeBody:
    return KneeBody(who, np.random.default_rng(7))


@lru_cache
def labels_of(subject: int, shape: tuple[int, int, int] = CHEAP) -> np.ndarray:
    return rasterise(body_of(person(subject)), shape=shape).labels


def middle(labels: np.ndarray, label: int, affine: np.ndarray) -> np.ndarray:
    index = np.argwhere(labels == label).mean(axis=0)
    return (affine @ [*index, 1])[:3]


def test_the_same_seed_gives_the_same_knee_and_another_a_different_one() -> None:
    again = rasterise(body_of(person(3)), shape=CHEAP).labels
    np.testing.assert_array_equal(again, labels_of(3))
    assert (labels_of(4) != labels_of(3)).mean() > 0.02


@pytest.mark.parametrize("subject", range(1, 25))
def test_every_subject_has_every_tissue(subject) -> None:
    counts = np.bincount(labels_of(subject).ravel(), minlength=11)
    assert counts.size == 11
    assert (counts[1:] > 15).all(), {TISSUES[i]: n for i, n in enumerate(counts) if i and n <= 15}


@pytest.mark.parametrize("subject", [1, 2, 9])
def test_bones_are_in_one_piece(subject) -> None:
    labels = labels_of(subject)
    for bone in (knee.FEMUR, knee.TIBIA, knee.PATELLA, knee.FIBULA):
        pieces, _ = ndimage.label(labels == bone, np.ones((3, 3, 3)))
        assert np.bincount(pieces.ravel())[1:].max() > 0.99 * (labels == bone).sum()


def measured_mm(who: knee.KneeSubject, label: int) -> float:
    """Thickness of cartilage across its face, where it is full, from the labels."""
    fine, axis = ((80, 480, 24), 1) if label != knee.PATELLAR else ((480, 80, 24), 0)
    labels = rasterise(body_of(who), shape=fine).labels
    across = (labels == label).sum(axis=axis) * EXTENT_MM[axis] / fine[axis]
    return float(np.median(across[across > 0.6 * np.percentile(across[across > 0], 80)]))


@pytest.mark.parametrize(
    ("label", "surface"),
    [
        (knee.MEDIAL_TIBIAL, "medial tibial"),
        (knee.LATERAL_TIBIAL, "lateral tibial"),
        (knee.PATELLAR, "patellar"),
    ],
)
@pytest.mark.parametrize("subject", [2, 5])
def test_cartilage_is_as_thick_as_drawn(subject, label, surface) -> None:
    who = replace(person(subject), thinnings=(), size=1.0)
    drawn = who.cartilage_mm[surface]
    low, high = CARTILAGE_RANGE_MM[surface]
    assert low <= drawn <= high
    assert measured_mm(who, label) == pytest.approx(drawn, abs=0.4)


def test_thicker_cartilage_is_drawn_thicker() -> None:
    thick, thin = (
        replace(person(2), thinnings=(), cartilage_mm=dict.fromkeys(CARTILAGE_RANGE_MM, mm))
        for mm in (2.6, 1.6)
    )
    assert measured_mm(thick, knee.MEDIAL_TIBIAL) - measured_mm(thin, knee.MEDIAL_TIBIAL) > 0.7


def test_a_thinning_takes_cartilage_away_where_it_lies() -> None:
    whole = replace(person(2), thinnings=())
    worn = replace(whole, thinnings=(knee.Thinning("medial tibial", (-19.0, 2.0), 7.0, 0.7),))
    before, after = (rasterise(body_of(who), shape=(96, 192, 20)).labels for who in (whole, worn))
    lost = (before == knee.MEDIAL_TIBIAL).sum() / (after == knee.MEDIAL_TIBIAL).sum()
    assert lost > 1.08
    same = (before == knee.FEMORAL) == (after == knee.FEMORAL)
    assert same.mean() > 0.999


@pytest.mark.parametrize("subject", [1, 6])
def test_cartilage_lies_on_its_bone(subject) -> None:
    labels = labels_of(subject, (160, 160, 28))
    step = EXTENT_MM[0] / 160
    for cartilage, bone in BONE_OF.items():
        reach = round(CARTILAGE_RANGE_MM["patellar"][1] / step) + 1
        near = ndimage.binary_dilation(labels == bone, np.ones((3, 3, 3)), iterations=reach)
        assert (near | (labels != cartilage)).all()
        pieces, n = ndimage.label((labels == cartilage) | (labels == bone), np.ones((3, 3, 3)))
        largest = np.bincount(pieces.ravel())[1:].max()
        assert largest > 0.998 * (pieces > 0).sum(), (TISSUES[cartilage], n)


@pytest.mark.parametrize("subject", [1, 6, 11])
def test_menisci_lie_between_femur_and_tibia(subject) -> None:
    labels = labels_of(subject)
    femur, tibia = labels == knee.FEMUR, labels == knee.TIBIA
    height = np.arange(labels.shape[1])[None, :, None]
    for meniscus in (knee.MEDIAL_MENISCUS, knee.LATERAL_MENISCUS):
        here = labels == meniscus
        columns = here.any(axis=1) & femur.any(axis=1) & tibia.any(axis=1)
        assert columns.sum() > 10
        middle_of = np.where(here, height, 0).sum(axis=1)[columns] / here.sum(axis=1)[columns]
        lowest_femur = np.where(femur, height, 10**6).min(axis=1)[columns]
        highest_tibia = np.where(tibia, height, -1).max(axis=1)[columns]
        assert (middle_of < lowest_femur).mean() > 0.97
        assert (middle_of > highest_tibia).mean() > 0.97


def test_a_meniscus_is_a_bow_tie_at_the_rim_and_two_wedges_inside() -> None:
    labels = labels_of(2, (128, 128, 64))
    pieces = [
        ndimage.label(ndimage.binary_opening(labels[:, :, k] == knee.MEDIAL_MENISCUS))[1]
        for k in range(64)
    ]
    assert {1, 2} <= set(pieces)


@pytest.mark.parametrize("side", ["left", "right"])
def test_lateral_is_away_from_the_midline_on_either_side(side) -> None:
    body = body_of(replace(person(1), side=side))
    labels = rasterise(body, shape=CHEAP).labels
    affine = body.affine(CHEAP)
    sign = 1 if side == "right" else -1
    at = {label: middle(labels, label, affine) for label in TISSUES}
    assert sign * (at[knee.FIBULA][0] - at[knee.TIBIA][0]) > 15
    assert sign * (at[knee.LATERAL_MENISCUS][0] - at[knee.MEDIAL_MENISCUS][0]) > 20
    assert sign * at[knee.FEMUR][0] > 60
    assert at[knee.PATELLA][1] - at[knee.FEMUR][1] > 20
    assert at[knee.FEMUR][2] > at[knee.MEDIAL_TIBIAL][2] > at[knee.TIBIA][2]


def test_the_left_knee_is_the_mirror_image_of_the_right() -> None:
    right, left = (
        replace(person(1), side=side, centre_mm=(0.0, 0.0, 0.0)) for side in ("right", "left")
    )
    labels = [rasterise(body_of(w), shape=CHEAP).labels for w in (right, left)]
    assert (labels[0] == labels[1][:, :, ::-1]).mean() > 0.997


def test_the_stack_is_sagittal() -> None:
    body = body_of(person(1))
    labels = labels_of(1)
    stack = LabelMap(labels, body.affine(labels.shape))
    assert (stack.orientation, stack.default_plane) == ("ASR", "sagittal")
