from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg_phantom.anatomies import ANATOMIES
from mskseg_phantom.anatomies.thigh import TISSUES
from mskseg_phantom.scans import (
    PHANTOM_VERSION,
    SPLIT,
    make_phantom,
    scan_phantom,
)
from mskseg_phantom.tissue.sequences import ECHO_IMAGES, ECHOES_MS, SEQUENCES

SMALL = (96, 96, 10)
LABELS = {name: label for label, name in TISSUES.items()}
MUSCLES = list(TISSUES.values())[:12]


@lru_cache
def thigh(subject: int, sequence: str = "t1w") -> Case:
    return make_phantom("thigh", subject, sequence=sequence, shape=SMALL)


def of_side(side: str) -> Case:
    return next(thigh(n) for n in range(1, 25) if thigh(n).side == side)


def centre_mm(case: Case, tissue: str) -> np.ndarray:
    """World position of a tissue's middle."""
    assert case.reference is not None
    index = np.argwhere(case.reference.mask(LABELS[tissue])).mean(axis=0)
    return (case.reference.affine @ [*index, 1])[:3]


def mean_of(case: Case, tissue: str) -> float:
    assert case.reference is not None
    inside = ndimage.binary_erosion(case.reference.mask(LABELS[tissue]), np.ones((3, 3, 1)))
    return float(case.image.array[inside].mean())


def test_the_same_arguments_give_the_same_bits() -> None:
    again = make_phantom("thigh", 3, shape=SMALL)
    np.testing.assert_array_equal(again.image.array, thigh(3).image.array)
    np.testing.assert_array_equal(again.reference.array, thigh(3).reference.array)
    assert again.fingerprint == thigh(3).fingerprint


def test_another_subject_and_another_seed_are_other_people() -> None:
    other_seed = make_phantom("thigh", 3, seed=1, shape=SMALL)
    for other in (thigh(4), other_seed):
        assert (other.reference.array != thigh(3).reference.array).mean() > 0.05


def test_sequences_of_a_subject_share_grid_and_reference() -> None:
    first, second = scan_phantom("thigh", 5, sequences=("t1w", "dixon_opposed"), shape=SMALL)
    assert (first.sequence, second.sequence) == ("t1w", "dixon_opposed")
    np.testing.assert_array_equal(first.reference.array, second.reference.array)
    np.testing.assert_array_equal(first.image.array, thigh(5).image.array)
    assert (first.image.array != second.image.array).mean() > 0.5


@pytest.mark.parametrize("subject", [1, 12, 24])
def test_every_tissue_is_there_in_one_piece(subject) -> None:
    reference = make_phantom("thigh", subject, shape=(128, 128, 12)).reference
    assert reference.labels == tuple(TISSUES)
    for label, tissue in TISSUES.items():
        pieces, _ = ndimage.label(reference.mask(label), np.ones((3, 3, 3)))
        largest = np.bincount(pieces.ravel())[1:].max() / reference.mask(label).sum()
        assert largest > 0.8, tissue


@pytest.mark.parametrize(("side", "sign"), [("right", 1), ("left", -1)])
def test_world_positions_are_those_of_its_side(side, sign) -> None:
    case = of_side(side)
    assert case.image.orientation == "RAS"
    assert sign * centre_mm(case, "femur marrow")[0] > 50  # x grows to the patient's right
    lateral, medial = centre_mm(case, "vastus lateralis"), centre_mm(case, "gracilis")
    assert sign * (lateral[0] - medial[0]) > 60
    front, back = centre_mm(case, "rectus femoris"), centre_mm(case, "semitendinosus")
    assert front[1] - back[1] > 80
    assert centre_mm(case, "adductor longus")[2] > centre_mm(case, "biceps femoris short head")[2]


@pytest.mark.parametrize(("side", "columns"), [("right", "left"), ("left", "right")])
def test_slices_show_the_patients_right_on_the_left(side, columns) -> None:
    case = of_side(side)
    label_map = case.slice(5).label_map
    lateral = np.argwhere(label_map == LABELS["vastus lateralis"]).mean(axis=0)
    medial = np.argwhere(label_map == LABELS["gracilis"]).mean(axis=0)
    assert (lateral[1] < medial[1]) == (columns == "left")
    assert case.plane == "axial"


def test_muscles_change_along_the_limb() -> None:
    areas = {
        name: (thigh(2).reference.array == LABELS[name]).sum(axis=(0, 1)).astype(float)
        for name in MUSCLES
    }
    assert areas["adductor longus"][0] < 0.1 * areas["adductor longus"][-2]
    assert areas["biceps femoris short head"][-1] < 0.1 * areas["biceps femoris short head"][1]
    assert areas["vastus medialis"][0] > 1.5 * areas["vastus medialis"][-1]


def test_t1_weighted_fat_is_brightest_and_cortex_darkest() -> None:
    fat, muscle, cortex = (
        mean_of(make_phantom("thigh", 2, shape=(192, 192, 6)), name)
        for name in ("subcutaneous fat", "vastus lateralis", "femur cortex")
    )
    assert fat > 2 * muscle > 4 * cortex


def test_opposed_phase_shows_muscle_bright_and_borders_dark() -> None:
    case = make_phantom("thigh", 4, sequence="dixon_opposed", shape=(192, 192, 6))
    muscle = np.isin(case.reference.array, [LABELS[name] for name in MUSCLES])
    edge = ndimage.binary_dilation(muscle, np.ones((3, 3, 1))) & ~muscle
    deep = ndimage.binary_erosion(muscle, np.ones((5, 5, 1)))
    assert case.image.array[edge].mean() < 0.6 * case.image.array[deep].mean()
    assert mean_of(case, "subcutaneous fat") > 0.6 * case.image.array[deep].mean()


def test_air_around_the_thigh_is_rayleigh_noise() -> None:
    corner = thigh(24, "dixon_opposed").image.array[:10, :10].astype(float)
    assert corner.mean() / corner.std() == pytest.approx(1.91, abs=0.12)


def test_muscles_fill_their_boxes_about_as_real_ones_do() -> None:
    scores = []
    for case in (thigh(1), thigh(9)):
        for name in MUSCLES:
            for mask in case.reference.stack("axial") == LABELS[name]:
                if mask.sum() >= 10:
                    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
                    scores.append(2 * mask.sum() / (box + mask.sum()))
    assert 0.68 < np.mean(scores) < 0.80  # the real thigh: 0.73


def test_a_finer_rendering_shows_the_same_person() -> None:
    coarse, fine = (
        thigh(6).reference.array,
        make_phantom("thigh", 6, shape=(192, 192, 10)).reference.array,
    )
    sampled = fine[::2, ::2]
    agree = (coarse == sampled)[(coarse > 0) | (sampled > 0)].mean()
    assert agree > 0.85


def test_a_case_says_what_it_is() -> None:
    case = thigh(23)
    assert case.name.startswith("phantom_thigh/thigh-23/t1w/")
    assert (case.anatomy, case.reference_provenance) == ("thigh", "synthetic")
    assert "1.5 T" in case.site
    assert "3 T" in thigh(1).site
    assert case.tissues == TISSUES


def test_subjects_for_inference_come_from_a_site_of_their_own() -> None:
    everyone = [n for part in SPLIT.values() for n in part]
    assert sorted(everyone) == list(range(1, 25))
    sites = {part: {thigh(n).site for n in SPLIT[part][-2:]} for part in SPLIT}
    assert sites["train"] == sites["validation"] == sites["test"]
    assert not sites["inference"] & sites["train"]


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_every_anatomy_can_be_scanned_and_says_what_it_is(anatomy) -> None:
    case = make_phantom(anatomy, 3, shape=(64, 64, 9))
    assert case.name.startswith(f"phantom_{anatomy}/{anatomy}-03/")
    assert set(case.reference.labels) <= set(case.tissues)
    assert len(case.reference.labels) > 2
    assert case.image.array.std() > 0


def test_the_echoes_of_a_multi_echo_scan_are_cases_that_fade() -> None:
    echoes = list(scan_phantom("knee", 2, sequences=("mese",), shape=(64, 64, 8)))
    assert len(echoes) == 8
    assert echoes[0].image.array.mean() > 1.5 * echoes[-1].image.array.mean()
    with pytest.raises(InputError, match="gives 8 images"):
        make_phantom("knee", 2, sequence="mese")


def test_an_unknown_anatomy_says_which_exist() -> None:
    with pytest.raises(InputError, match=r"unknown phantom anatomy 'elbow'.*knee"):
        make_phantom("elbow", 1)


@pytest.mark.parametrize(
    ("anatomy", "expected"),
    {
        "thigh": (32859, 162.87),
        "knee": (8122, 46.78),
        "spine": (3523, 347.63),
        "hip": (8552, 394.04),
    }.items(),
)
def test_a_changed_phantom_needs_a_new_version(anatomy, expected) -> None:
    """Change the voxels: raise PHANTOM_VERSION, then these numbers."""
    assert PHANTOM_VERSION == 3
    case = small(anatomy)
    voxels = int((case.reference.array > 0).sum())
    assert voxels == pytest.approx(expected[0], rel=2e-3)
    assert case.image.array.mean() == pytest.approx(expected[1], rel=2e-3)


# --- all anatomies -------------------------------------------------------------------------------

SMALL_OF = {
    "thigh": SMALL,
    "knee": (96, 96, 12),
    "spine": (96, 96, 8),
    "hip": (96, 96, 8),
    "infiltrated_thigh": SMALL,
}
PLANES = {
    "thigh": "axial",
    "knee": "sagittal",
    "spine": "sagittal",
    "hip": "coronal",
    "infiltrated_thigh": "axial",
}


@lru_cache
def small(anatomy: str, subject: int = 1) -> Case:
    return make_phantom(anatomy, subject, shape=SMALL_OF[anatomy])


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_every_anatomy_says_what_it_is(anatomy) -> None:
    case = small(anatomy)
    assert case.name.startswith(f"phantom_{anatomy}/{anatomy}-01/{ANATOMIES[anatomy].sequences[0]}")
    titles = {"spine": "lumbar spine", "infiltrated_thigh": "thigh"}
    assert case.anatomy == titles.get(anatomy, anatomy)
    assert case.side == "" if anatomy == "spine" else case.side in ("left", "right")
    assert case.plane == PLANES[anatomy]
    assert set(case.reference.labels) <= set(case.tissues)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_everybody_in_a_set_is_somebody_else(anatomy) -> None:
    shape = (40, 40, 4)
    subjects = [make_phantom(anatomy, n, shape=shape).reference.array.tobytes() for n in (1, 2, 23)]
    assert len(set(subjects)) == 3


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_all_sequences_can_be_asked_for_on_one_reference(anatomy) -> None:
    cases = list(scan_phantom(anatomy, 2, sequences=SEQUENCES, shape=(64, 64, 8)))
    names = [case.sequence for case in cases]
    assert names == [n for s in SEQUENCES for n in (ECHO_IMAGES if s == "mese" else (s,))]
    assert len({case.reference.array.tobytes() for case in cases}) == 1
    assert len({case.image.array.tobytes() for case in cases}) == len(cases)


def test_echoes_are_cases_of_one_scan() -> None:
    echoes = list(scan_phantom("thigh", 4, sequences=["mese"], shape=(64, 64, 4)))
    assert [case.sequence for case in echoes] == [f"mese_te{te:g}" for te in ECHOES_MS]
    muscle = [mean_of(case, "vastus lateralis") for case in echoes]
    assert muscle == sorted(muscle, reverse=True)
    alone = make_phantom("thigh", 4, sequence="mese_te30", shape=(64, 64, 4))
    np.testing.assert_array_equal(alone.image.array, echoes[2].image.array)
    with pytest.raises(InputError, match=r"mese gives 8 images; ask for one of mese_te10"):
        make_phantom("thigh", 4, sequence="mese")


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_all_tissues_are_in_the_reference_and_have_a_kind(anatomy) -> None:
    case = make_phantom(anatomy, 1, shape=(128, 128, 24))
    assert set(case.reference.labels) == set(case.tissues) == set(case.kinds)


def test_a_resolution_study_can_be_rendered_at_512_pixels() -> None:
    fine = make_phantom("knee", 1, shape=(512, 512, 8))
    assert fine.image.shape == (512, 512, 8)
    assert fine.image.spacing_mm[:2] == pytest.approx((0.3125, 0.3125))


@pytest.mark.parametrize("subject", [0, -1, 10000])
def test_an_unknown_subject_says_which_exist(subject) -> None:
    with pytest.raises(InputError, match=r"unknown phantom subject .* from 1 to"):
        make_phantom("thigh", subject, shape=SMALL)


def test_wrong_arguments_are_refused_before_anything_is_drawn() -> None:
    with pytest.raises(InputError, match="unknown phantom sequence 'pd'"):
        make_phantom("thigh", 1, sequence="pd")
    with pytest.raises(InputError, match="impossible phantom shape"):
        make_phantom("thigh", 1, shape=(8, 8, 8))
    with pytest.raises(InputError, match="unknown phantom anatomy 'toe'; choose one of thigh"):
        make_phantom("toe", 1)
