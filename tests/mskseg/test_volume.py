from __future__ import annotations

import warnings
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes, axcodes2ornt, io_orientation, ornt_transform

from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume, check_same_grid

PLANES = ("axial", "coronal", "sagittal")
ALL_48 = [
    "".join(letters)
    for order in permutations(("RL", "AP", "SI"))
    for letters in product(*order)
]  # fmt: skip


def affine_of(orientation: str, spacing=(0.5, 0.75, 3.0), tilt_degrees: float = 0.0) -> np.ndarray:
    """An affine whose axes grow to the given directions, turned about an odd axis."""
    units = {
        "R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0),
        "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1),
    }  # fmt: skip
    affine = np.eye(4)
    affine[:3, :3] = np.array([units[letter] for letter in orientation]).T * spacing
    axis = np.array([1.0, 2.0, -1.5]) / np.linalg.norm([1.0, 2.0, -1.5])
    angle = np.radians(tilt_degrees)
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = (-31.0, 12.5, 77.25)
    return affine


def numbered(orientation: str = "RAS", tilt_degrees: float = 0.0, shape=(3, 4, 5)) -> Volume:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return Volume(array, affine_of(orientation, tilt_degrees=tilt_degrees))


GRIDS = [("RAS", 0), ("LAS", 0), ("PIR", 0), ("LPS", 17), ("AIR", -20), ("SLP", 12)]
each_grid = pytest.mark.parametrize(("orientation", "tilt"), GRIDS)
each_plane = pytest.mark.parametrize("plane", PLANES)


@pytest.mark.parametrize("orientation", ALL_48)
@pytest.mark.parametrize("tilt", [0, 15])
def test_orientation_and_reorientation_agree_with_nibabel(orientation, tilt):
    volume = numbered(orientation, tilt)
    theirs = nib.Nifti1Image(volume.array, volume.affine)
    to_ras = ornt_transform(io_orientation(volume.affine), axcodes2ornt("RAS"))
    theirs = theirs.as_reoriented(to_ras)
    ours = volume.reoriented("RAS")
    assert volume.orientation == "".join(aff2axcodes(volume.affine)) == orientation
    assert np.array_equal(ours.array, np.asarray(theirs.dataobj))
    assert np.allclose(ours.affine, theirs.affine, atol=1e-12)


@each_grid
def test_every_voxel_keeps_its_place_when_reoriented(orientation, tilt):
    volume = numbered(orientation, tilt)
    for wanted in ("RAS", "LPS", "PIR", "SPL"):
        turned = volume.reoriented(wanted)
        assert turned.orientation == wanted
        for value in (0, 7, 33, 59):
            here = np.append(np.argwhere(volume.array == value)[0], 1)
            there = np.append(np.argwhere(turned.array == value)[0], 1)
            assert np.allclose(volume.affine @ here, turned.affine @ there, atol=1e-12)


@each_grid
def test_reorienting_and_back_is_the_same_volume(orientation, tilt):
    volume = numbered(orientation, tilt)
    back = volume.reoriented("PIR").reoriented(orientation)
    assert np.array_equal(back.array, volume.array)
    assert np.allclose(back.affine, volume.affine, atol=1e-12)


def test_reorienting_copies_no_voxels():
    volume = numbered("LPS")
    assert np.shares_memory(volume.reoriented("RAS").array, volume.array)


@each_grid
@each_plane
def test_stack_and_back_is_exact(orientation, tilt, plane):
    volume = numbered(orientation, tilt)
    back = volume.from_stack(volume.stack(plane).astype(np.float32), plane)
    assert np.array_equal(back.array, volume.array)
    assert back.array.dtype == np.float32
    assert np.array_equal(back.affine, volume.affine)


@each_grid
@each_plane
def test_rows_and_columns_run_as_a_radiologist_sees_them(orientation, tilt, plane):
    """Rows, columns and k grow to the directions of the conventions page, in world coordinates."""
    volume = numbered(orientation, tilt)
    axis = {"R": 0, "A": 1, "S": 2}
    k_to, down_to, across_to = {
        "axial": ("S", "-A", "-R"),
        "coronal": ("A", "-S", "-R"),
        "sagittal": ("R", "-S", "-A"),
    }[plane]

    def world(k, row, column):
        index = np.argwhere(volume.array == volume.slice(plane, k)[row, column])[0]
        return (volume.affine @ np.append(index, 1))[:3]

    steps = (world(1, 0, 0), world(0, 1, 0), world(0, 0, 1))
    for step, direction in zip(steps, (k_to, down_to, across_to), strict=True):
        along = (step - world(0, 0, 0))[axis[direction[-1]]]
        assert along < 0 if direction[0] == "-" else along > 0


@each_plane
def test_slice_is_one_of_the_stack_and_a_copy(plane):
    volume = numbered("PIR", 10)
    stack = volume.stack(plane)
    assert len(stack) == volume.n_slices(plane)
    for k, expected in enumerate(stack):
        assert np.array_equal(volume.slice(plane, k), expected)
    copy = volume.slice(plane, 0)
    copy[:] = -1
    assert copy.flags.c_contiguous
    assert volume.array.min() == 0


def test_spacing_follows_the_axes_of_the_slice():
    volume = Volume(np.ones((3, 4, 5)), affine_of("SRA", spacing=(3.0, 0.5, 0.75)))
    assert volume.spacing_mm == pytest.approx((3.0, 0.5, 0.75))
    assert volume.slice_spacing_mm("axial") == pytest.approx((0.75, 0.5))
    assert volume.slice_spacing_mm("coronal") == pytest.approx((3.0, 0.5))
    assert volume.slice_spacing_mm("sagittal") == pytest.approx((3.0, 0.75))
    assert volume.slice_thickness_mm("axial") == pytest.approx(3.0)
    assert volume.slice_thickness_mm("coronal") == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("orientation", "spacing", "plane"),
    [
        ("RAS", (1, 1, 4), "axial"),
        ("PIR", (1, 1, 4), "sagittal"),
        ("RIA", (1, 1, 4), "coronal"),
        ("PIR", (1.5, 1.5, 1.5), "axial"),
        ("RAS", (1.0000001, 1, 1), "axial"),
    ],
)
def test_default_plane_is_across_the_largest_spacing(orientation, spacing, plane):
    assert Volume(np.ones((2, 2, 2)), affine_of(orientation, spacing)).default_plane == plane


def test_repr_tells_the_grid():
    assert repr(numbered("PIR", 10)) == "Volume(3 x 4 x 5 int16, 0.5 x 0.75 x 3 mm, PIR oblique)"
    assert "oblique" not in repr(numbered("PIR"))


def test_affine_is_a_read_only_copy():
    affine = np.eye(4)
    volume = Volume(np.ones((2, 2, 2)), affine)
    affine[0, 3] = 5
    assert volume.affine[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        volume.affine[0, 3] = 5


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5, 2), (3, 0, 5)])
def test_volume_needs_three_axes(shape):
    with pytest.raises(InputError, match="three non-empty axes"):
        Volume(np.ones(shape), np.eye(4))


def test_volume_needs_real_numbers():
    with pytest.raises(InputError, match="real numbers, got complex128"):
        Volume(np.ones((2, 2, 2), dtype=complex), np.eye(4))


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(3),
        np.full((4, 4), np.nan),
        np.zeros((4, 4)),
        np.diag([1, 1, 0, 1.0]),
        np.ones((4, 4)),
    ],
)
def test_volume_needs_a_sound_affine(affine):
    with pytest.raises(InputError, match="an affine"):
        Volume(np.ones((2, 2, 2)), affine)


@pytest.mark.parametrize("orientation", ["RAX", "RLS", "RA", "RRAS", ""])
def test_unknown_orientation_is_refused(orientation):
    with pytest.raises(InputError, match="unknown orientation"):
        numbered().reoriented(orientation)


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v.slice("oblique", 0),
        lambda v: v.stack("oblique"),
        lambda v: v.n_slices("oblique"),
        lambda v: v.slice_spacing_mm("oblique"),
    ],
)
def test_unknown_plane_is_refused(ask):
    with pytest.raises(InputError, match="unknown plane 'oblique'; choose axial, coronal or sag"):
        ask(numbered())


def test_half_a_slice_is_refused():
    with pytest.raises(InputError, match=r"a whole number for the slice, got 1\.5; choose 0 to 4"):
        numbered().slice("axial", 1.5)


@pytest.mark.parametrize("k", [-1, 5])
def test_slice_outside_the_volume_is_refused(k):
    with pytest.raises(InputError, match=f"axial slice {k} does not exist.*choose 0 to 4"):
        numbered().slice("axial", k)


def test_array_or_stack_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"expected an array of this grid's shape \(3, 4, 5\)"):
        numbered().with_array(np.ones((3, 4, 6)))
    with pytest.raises(InputError, match=r"expected a stack of \(5, 4, 3\)"):
        numbered().from_stack(np.ones((4, 5, 3)), "axial")


def moved(volume: Volume, **changes) -> Volume:
    affine = volume.affine.copy()
    for place, value in changes.items():
        affine[{"x": (0, 3), "y": (1, 3)}[place]] += value
    return Volume(volume.array, affine)


def test_same_grid_within_rounding_passes():
    volume = numbered("PIR", 10)
    check_same_grid(volume, moved(volume, x=0.0005))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (moved(numbered(), x=1.5), r"origin shifted by \(1.5, 0, 0\) mm.*corners up to 1.5 mm"),
        (numbered(shape=(3, 4, 6)), r"shape \(3, 4, 5\) against \(3, 4, 6\)"),
        (numbered("LAS"), "axes RAS against LAS.*reorient or resample"),
        (numbered(tilt_degrees=2), "axes turned by 1.*degrees"),
        (
            Volume(np.ones((3, 4, 5)), affine_of("RAS", (0.5, 0.75, 3.3))),
            r"spacing \(0.5, 0.75, 3\) against \(0.5, 0.75, 3.3\) mm",
        ),
    ],
)
def test_another_grid_is_refused_and_the_difference_named(other, difference):
    with pytest.raises(InputError, match=f"image and label map lie on .*{difference}") as caught:
        check_same_grid(numbered(), other)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("turn", "outcome"), [(1e-6, ""), (1e-4, "note"), (1e-3, "refused")])
def test_a_tiny_turn_of_a_large_grid_is_seen_at_its_corners(recwarn, turn, outcome):
    """The origin agrees, the far corner does not; 5 % of a voxel are rounding, and said."""
    affine = np.eye(4)
    affine[1, 0] = turn
    first, second = (Volume(np.ones((100, 2, 2)), a) for a in (np.eye(4), affine))
    if outcome == "refused":
        with pytest.raises(InputError, match=r"corners up to 0.099 mm apart"):
            check_same_grid(first, second)
    else:
        check_same_grid(first, second)
    assert ["0.0099 mm apart" in str(w.message) for w in recwarn] == [True] * (outcome == "note")


def test_label_map_takes_whole_floats_as_the_smallest_integers():
    labels = LabelMap(np.array([[[0.0, 104.0, 300.0]]], dtype=np.float32), np.eye(4))
    assert labels.array.dtype == np.uint16
    assert labels.labels == (104, 300)
    assert labels.mask(104).tolist() == [[[False, True, False]]]


def test_label_map_takes_negative_and_boolean_values():
    assert LabelMap(np.array([[[-1.0, 2.0]]]), np.eye(4)).labels == (-1, 2)
    assert LabelMap(np.array([[[True, False]]]), np.eye(4)).array.dtype == np.uint8


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf])
def test_label_map_with_fractions_is_refused(bad):
    array = np.zeros((2, 2, 2))
    array[0, 0, 0] = bad
    with pytest.raises(InputError, match="whole numbers, but 1 of 8 voxels"):
        LabelMap(array, np.eye(4))


def test_label_map_stays_one_when_reoriented():
    labels = LabelMap(np.ones((2, 2, 2), dtype=np.uint8), affine_of("PIR"))
    assert type(labels.reoriented("RAS")) is LabelMap
    assert type(labels.with_array(labels.array)) is LabelMap


@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    orientation=st.sampled_from(ALL_48),
    tilt=st.floats(-20, 20),
    plane=st.sampled_from(PLANES),
)
def test_any_grid_any_plane_goes_to_a_stack_and_back(shape, orientation, tilt, plane):
    volume = numbered(orientation, tilt, shape)
    back = volume.from_stack(volume.stack(plane), plane)
    assert np.array_equal(back.array, volume.array)
    height, width = volume.slice(plane, 0).shape
    assert volume.n_slices(plane) * height * width == volume.array.size


def turned(degrees: float, axis: int, shape=(4, 5, 3)) -> Volume:
    """A grid turned about one patient axis."""
    angle, (a, b) = np.radians(degrees), [k for k in range(3) if k != axis]
    affine = np.eye(4)
    affine[a, a] = affine[b, b] = np.cos(angle)
    affine[a, b], affine[b, a] = -np.sin(angle), np.sin(angle)
    return Volume(np.arange(np.prod(shape)).reshape(shape), affine)


@each_plane
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("degrees", [45, 45 + 1e-9, 45 - 1e-9, 135, -45])
def test_a_scan_at_45_degrees_goes_into_its_plane_and_back(plane, axis, degrees):
    """Two assignments of axes tie there, and rounding must not choose another on the way back."""
    volume = turned(degrees, axis)
    back = volume.from_stack(volume.stack(plane), plane)
    assert np.array_equal(back.array, volume.array)
    assert np.array_equal(back.affine, volume.affine)


def test_rounding_does_not_turn_an_image_against_its_label_map():
    image, labels = turned(45 + 1e-6, 2), turned(45 - 1e-6, 2)
    assert image.orientation == labels.orientation
    assert np.array_equal(image.slice("axial", 0), labels.slice("axial", 0))


# --- labels that are whole up to rounding


@given(st.integers(1, 40), st.floats(-0.049, 0.049), st.sampled_from(["float32", "float64"]))
def test_labels_near_whole_numbers_are_rounded_with_a_note(label, off, dtype):
    exact = np.zeros((4, 5, 6), dtype)
    exact[1:3] = label
    shifted = exact + np.asarray(off * (exact > 0), dtype)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        rounded = LabelMap(shifted, np.eye(4))
    assert np.array_equal(rounded.array, exact)
    assert bool(notes) == (not np.array_equal(shifted, exact))
    assert all("from whole numbers" in str(note.message) for note in notes)


@pytest.mark.parametrize(
    ("spread", "reason"),
    [(0.04, "values lie between them"), (0.3, "have a fraction"), (np.nan, "are not finite")],
)
def test_a_map_of_many_values_is_a_probability_map(spread, reason):
    array = np.random.default_rng(0).uniform(0, 1, (20, 20, 4)).round()
    noise = np.random.default_rng(1).uniform(-1, 1, array.shape)
    with pytest.raises(InputError, match=f"{reason}.*a probability map"):
        LabelMap(array + spread * noise, np.eye(4))
    with pytest.warns(UserWarning, match="were rounded"):
        assert LabelMap(array + 1e-4 * noise, np.eye(4)).labels == (1,)  # what arithmetic leaves
    with pytest.raises(InputError, match="too large"):
        LabelMap(1e30 * array, np.eye(4))


def test_a_tissue_is_asked_for_by_its_number():
    labels = LabelMap(np.array([[[0, 3]]], np.int16), np.eye(4))
    assert labels.mask(3).sum() == 1
    assert labels.mask(np.int16(3)).sum() == 1
    assert not labels.mask(4).any()
    with pytest.raises(InputError, match="expected the number of a label, got 'femur'"):
        labels.mask("femur")
