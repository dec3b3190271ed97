from __future__ import annotations

import numpy as np
import pytest

from mskseg.case import Case, CaseSet
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume

PIR = np.array([[0, 0, 3.0, -5], [-1, 0, 0, 7], [0, -1, 0, 2], [0, 0, 0, 1]])


def image(shape=(6, 7, 8), seed=0) -> Volume:
    return Volume(np.random.default_rng(seed).gamma(2.0, 90.0, shape).astype(np.float32), PIR)


def labels(shape=(6, 7, 8)) -> LabelMap:
    array = np.zeros(shape, dtype=np.uint8)
    array[2:4, 2:5, 3:6] = 4
    return LabelMap(array, PIR)


def case(subject="s1", sequence="t1w", **others) -> Case:
    return Case(
        subject, image(), labels(), tissues={4: "rectus femoris"}, sequence=sequence, **others
    )


def many(n=10, sequences=("t1w", "t2w")) -> CaseSet:
    return CaseSet("all", [case(f"s{i:02}", sequence) for i in range(n) for sequence in sequences])


def test_window_is_taken_of_the_non_zero_voxels_of_the_whole_volume():
    array = np.zeros((10, 10, 20))
    array[:, :, 0] = np.arange(1, 101).reshape(10, 10)  # one bright slice, the rest is air
    scan = Case("s", Volume(array, np.eye(4)))
    assert scan.window == pytest.approx(np.percentile(np.arange(1, 101), (0.5, 99.5)))
    assert scan.windowed.dtype == np.uint8
    assert (scan.windowed.min(), scan.windowed.max()) == (0, 255)
    assert scan.windowed[4, 9, 0] == round((50 - 1.495) / (99.505 - 1.495) * 255)


def test_window_does_not_depend_on_the_slice():
    array = np.full((4, 4, 3), 10, dtype=np.int16)
    array[:, :, 1], array[:, :, 2] = 50, 90
    scan = Case("s", Volume(array, np.eye(4)))
    assert [int(s.image[0, 0]) for s in scan.slices("axial")] == [0, 128, 255]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64, bool])
def test_binary_images_of_any_dtype_show_black_and_white(dtype):
    array = np.zeros((3, 3, 3), dtype=dtype)
    array[1] = 1
    assert np.unique(Case("s", Volume(array, np.eye(4))).windowed).tolist() == [0, 255]


def test_windowing_leaves_the_image_as_it_was():
    scan = case()
    before = scan.image.array.copy()
    _ = scan.windowed
    assert np.array_equal(scan.image.array, before)


def test_slice_shows_image_and_reference_in_one_view():
    scan = case()
    one = scan.slice(4)
    assert (one.plane, one.index) == ("sagittal", 4)  # 3 mm lie across the third, left-right axis
    assert one.spacing_mm == (1.0, 1.0)
    assert one.image.shape == one.label_map.shape == (7, 6)
    assert np.array_equal(one.label_map, scan.reference.slice("sagittal", 4))
    assert scan.slice(0, "axial").image.shape == (6, 8)


def test_labelled_slices_only_and_every_other():
    scan = case()
    assert scan.labelled_slices() == (3, 4, 5)
    assert [s.index for s in scan.slices(labelled_only=True)] == [3, 4, 5]
    assert [s.index for s in scan.slices(labelled_only=True, step=2)] == [3, 5]
    assert [s.index for s in scan.slices("axial", step=3)] == [0, 3, 6]
    n = scan.image.n_slices("axial")
    assert [s.index for s in scan.slices("axial", step=n + 1)] == [n // 2]


def test_a_case_without_reference_has_slices_without_label_map():
    scan = Case("s", image())
    assert next(scan.slices()).label_map is None
    with pytest.raises(InputError, match="has no reference"):
        scan.slices(labelled_only=True)


def test_bad_slices_are_refused_when_asked_for():
    with pytest.raises(InputError, match="slice 8 does not exist"):
        case().slice(8)
    with pytest.raises(InputError, match="unknown plane"):
        case().slices("oblique")
    with pytest.raises(InputError, match="a step of 1 slice or more, got 0"):
        case().slices(step=0)


def test_labels_without_name_are_called_by_their_number():
    assert case().tissue(4) == "rectus femoris"
    assert case().tissue(13) == "label 13"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_voxels_are_refused_and_counted(value):
    array = image().array.copy()
    array[0, 0, :3] = value
    with pytest.raises(InputError, match=r"image of .*/s/t1w has 3 NaN or infinite voxels of 336"):
        Case("s", Volume(array, PIR), sequence="t1w")


def test_all_zero_image_is_refused():
    with pytest.raises(InputError, match="is zero in every voxel"):
        Case("s", Volume(np.zeros((3, 3, 3)), np.eye(4)))


def test_label_map_without_label_is_refused():
    with pytest.raises(InputError, match="holds no label, every voxel is 0"):
        Case("s", image(), LabelMap(np.zeros((6, 7, 8), dtype=np.uint8), PIR))


def test_reference_on_another_grid_is_refused():
    with pytest.raises(InputError, match=r"shape .* against"):
        Case("s", image(), LabelMap(labels((6, 7, 9)).array, PIR + np.eye(4, k=3)))
    shifted = PIR.copy()
    shifted[0, 3] += 1.5
    with pytest.raises(InputError, match=r"origin shifted by \(1.5, 0, 0\) mm"):
        Case("s", image(), LabelMap(labels().array, shifted))


def test_a_bare_array_is_refused_since_nobody_knows_where_it_lies():
    with pytest.raises(InputError, match="is a ndarray, expected a Volume"):
        Case("s1", np.ones((4, 4, 4)))


def test_name_tells_cases_apart():
    assert case(dataset="d").name == "d/s1/t1w"
    assert case(dataset="d", side="left").name == "d/s1/t1w/left"


def test_set_refuses_two_cases_of_one_name_and_none():
    with pytest.raises(InputError, match="holds own data/s1/t1w more than once"):
        CaseSet("x", [case(), case()])
    with pytest.raises(InputError, match="'x' holds no case"):
        CaseSet("x", [])
    assert len(CaseSet("x", [case(side="left"), case(side="right")])) == 2


def test_set_is_a_sequence_that_knows_subjects_and_tissues():
    cases = many(3)
    assert (len(cases), cases.subjects) == (6, ("s00", "s01", "s02"))
    assert cases.tissues == {4: "rectus femoris"}
    assert isinstance(cases[1:3], CaseSet)
    assert repr(cases) == "CaseSet('all': 6 cases, 3 subjects, 1 tissues)"
    assert [c.name for c in cases] == [cases[i].name for i in range(6)]


def test_where_keeps_the_cases_that_fit():
    assert len(many(3).where(sequence="t2w")) == 3
    assert many(3).where(subject="s01", sequence="t2w")[0].name == "own data/s01/t2w"
    with pytest.raises(InputError, match="no case of 'all'"):
        many(3).where(sequence="dess")
    with pytest.raises(InputError, match="a case has no 'sequnce'"):
        many(3).where(sequnce="t1w")


def test_split_keeps_a_subject_together_and_loses_none():
    cases = many(10)
    parts = cases.split({"train": 6, "validation": 2, "test": 2}, seed=3)
    assert {part: len(found.subjects) for part, found in parts.items()} == {
        "train": 6,
        "validation": 2,
        "test": 2,
    }
    everyone = [subject for found in parts.values() for subject in found.subjects]
    assert sorted(everyone) == list(cases.subjects)
    assert sum(len(found) for found in parts.values()) == len(cases)
    assert parts["train"].name == "all/train"


def test_split_is_decided_by_the_seed_and_not_by_the_order_of_cases():
    cases = many(10)
    shuffled = CaseSet("all", list(cases)[::-1])
    parts = {"train": 5, "test": 5}
    first, second = cases.split(parts, seed=1), shuffled.split(parts, seed=1)
    assert first["test"].subjects == second["test"].subjects
    others = {cases.split(parts, seed=seed)["test"].subjects for seed in range(8)}
    assert len(others) > 1


def test_subjects_beyond_the_counts_are_left_out():
    cases = many(7, ("t1w",))
    counted = cases.split({"train": 4, "test": 1}, seed=0)
    assert [len(part) for part in counted.values()] == [4, 1]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"train": 3, "test": 2}, "cannot split 4 subjects"),
        ({"train": 0.5, "test": 0.5}, "cannot split 4 subjects .* expected counts"),
        ({"train": 2, "holdout": 2}, "a part 'holdout'"),
        ({"train": 4, "test": 0}, "one or more in every part"),
        ({}, "cannot split"),
    ],
)
def test_impossible_splits_are_refused(parts, reason):
    with pytest.raises(InputError, match=reason):
        many(4).split(parts, seed=0)


def test_fingerprint_follows_voxels_labels_and_grid_and_not_memory_order():
    base = CaseSet("a", [case()])
    copied = Case(
        "s1",
        Volume(np.asfortranarray(image().array), PIR),
        labels(),
        tissues={4: "rectus femoris"},
        sequence="t1w",
    )
    assert CaseSet("b", [copied]).fingerprint() == base.fingerprint()
    changed = image().array.copy()
    changed[1, 2, 3] += 1
    moved = PIR.copy()
    moved[0, 3] += 0.1
    relabelled = labels().array.copy()
    relabelled[0, 0, 0] = 1
    others = [
        Case("s1", Volume(changed, PIR), labels(), tissues=copied.tissues, sequence="t1w"),
        Case("s1", image(), LabelMap(relabelled, PIR), tissues=copied.tissues, sequence="t1w"),
        Case(
            "s1",
            Volume(image().array, moved),
            LabelMap(labels().array, moved),
            tissues=copied.tissues,
        ),
        Case("s1", image(), labels(), tissues={4: "sartorius"}, sequence="t1w"),
    ]
    prints = {CaseSet("c", [other]).fingerprint() for other in others}
    assert len(prints | {base.fingerprint()}) == 5


def test_fingerprint_of_a_set_does_not_depend_on_the_order():
    cases = many(3)
    assert CaseSet("x", list(cases)[::-1]).fingerprint() == cases.fingerprint()
