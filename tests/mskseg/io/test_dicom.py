"""What lies in a DICOM folder: one stack of one kind is read, all else is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import UID, EnhancedMRImageStorage, SecondaryCaptureImageStorage

from mskseg.case import Case
from mskseg.cli.main import main
from mskseg.errors import InputError
from mskseg.io import list_echoes, load_image, load_label_map, save_nifti

from .dicom_files import mr_image, read_or_refused, write, write_stack

STATE = "1.2.840.10008.5.1.4.1.1.11.1"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
RAW = "1.2.840.10008.5.1.4.1.1.66"
NO_PIXELS = dict.fromkeys(
    ("PixelData", "Rows", "Columns", "ImagePositionPatient", "ImageOrientationPatient")
)


def image_type(*values: str) -> list[str]:
    return ["DERIVED", "PRIMARY", *values]


def slices_of(volume) -> list[int]:
    return volume.array[0, 0].tolist()


# Kinds of image


@pytest.mark.parametrize(
    ("types", "offered", "word", "first"),
    [
        ((["M"], ["P"]), r"magnitude \(3 images\), phase \(3 images\)", "phase", 1),
        ((["W", "NORM"], ["F"]), r"water \(3 images\), fat \(3 images\)", "W", 0),
        ((["DIXON", "WATER"], ["DIXON", "FAT"]), "water .*fat", "Fat", 1),
        ((["M", "IP"], ["M", "OP"]), "in-phase .*out-of-phase", "OP", 1),
        ((["M_FFE", "M", "FFE"], ["PHASE MAP", "P", "FFE"]), "magnitude .*phase", "p", 1),
        ((["M"], ["T2 MAP"]), "magnitude .*t2 map", "T2 map", 1),
        ((["OTHER"], ["ADC"]), "unnamed .*adc", "unnamed", 0),
    ],
)
def test_kinds_in_one_series_are_offered_by_name_with_counts(tmp_path, types, offered, word, first):
    folder = write_stack(
        tmp_path / "s", 6, position=lambda k: (0, 0, k // 2 * 4),
        ImageType=lambda k: image_type(*types[k % 2]),
    )  # fmt: skip
    with pytest.raises(InputError, match=f"2 kinds of image: {offered}.*; choose one: .*--kind"):
        load_image(folder)
    assert slices_of(load_image(folder, kind=word)) == [first, first + 2, first + 4]
    assert list_echoes(folder, kind=word) == [10.0]
    with pytest.raises(InputError, match=f"no images of the kind 'sugar'; .*{offered}"):
        load_image(folder, kind="sugar")


def test_kinds_at_other_places_are_not_one_volume(tmp_path):
    """One image per position, three of twelve are phase: even, and still no volume."""
    folder = write_stack(
        tmp_path / "s", 12, ImageType=lambda k: image_type("P" if k in (3, 7, 8) else "M")
    )
    with pytest.raises(InputError, match=r"magnitude \(9 images\), phase \(3 images\)"):
        load_image(folder)
    with pytest.raises(InputError, match="slices are missing: unevenly spaced, 4 to 12 mm apart"):
        load_image(folder, kind="magnitude")


def test_only_the_chosen_kind_must_be_complete(tmp_path):
    folder = write_stack(tmp_path / "s", 4)
    write_stack(folder, 2, start=4, name="p", ImageType=image_type("P"), Rows=5)
    assert slices_of(load_image(folder, kind="magnitude")) == [0, 1, 2, 3]


def test_ge_says_the_kind_by_a_private_number(tmp_path):
    folder = tmp_path / "s"
    for k in range(4):
        image = mr_image(np.full((5, 6), k), (0, 0, 4 * (k // 2)), number=k + 1)
        image.ImageType, image.Manufacturer = ["ORIGINAL", "PRIMARY", "OTHER"], "GE MEDICAL SYSTEMS"
        image.add_new((0x0043, 0x0010), "LO", "GEMS_PARM_01")
        image.add_new((0x0043, 0x102F), "SS", k % 2)
        write(image, folder / f"{k}.dcm")
    with pytest.raises(InputError, match=r"magnitude \(2 images\), phase \(2 images\)"):
        load_image(folder)


def test_filters_in_image_type_make_no_kind(tmp_path):
    folder = write_stack(
        tmp_path / "s", ImageType=lambda k: image_type("M", *(("NORM", "DIS2D") if k else ("ND",)))
    )
    assert slices_of(load_image(folder)) == [0, 1, 2, 3]


def test_both_commands_choose_by_kind(tmp_path, capsys):
    folder = write_stack(tmp_path / "s", ImageType=lambda k: image_type("MP"[k % 2]))
    (tmp_path / "p.json").write_text(
        '{"prompts": [{"slice": 0, "label": 1, "boxes_xyxy": [[0, 0, 2, 2]]}]}'
    )
    segment = ["segment", folder, "--prompts", tmp_path / "p.json", "--output", tmp_path / "m.nii"]
    reference = write_stack(tmp_path / "reference")
    for words in (segment, ["evaluate", folder, "--reference", reference]):
        assert main([str(word) for word in [*words, "--kind", "sugar"]]) == 2
        assert "no images of the kind 'sugar'" in capsys.readouterr().err


# Echoes


def test_echo_times_that_differ_slice_by_slice_are_one_echo(tmp_path):
    folder = write_stack(tmp_path / "s", EchoTime=lambda k: 10 + k / 100)
    write_stack(folder, start=4, name="late", EchoTime=lambda k: 30.0)
    with pytest.warns(UserWarning, match="10.0 to 10.03 ms lie at different places"):
        assert list_echoes(folder) == [10.0, 30.0]
    with pytest.warns(UserWarning, match="taken as one stack"):
        assert slices_of(load_image(folder, echo=10)) == [0, 1, 2, 3]


def test_an_echo_is_complete_by_itself_and_another_ones_gap_is_its_own(tmp_path):
    folder = write_stack(tmp_path / "s", 4)
    write_stack(folder, 3, start=4, name="late", EchoTime=20.0)
    assert slices_of(load_image(folder, echo=10)) == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"missing: echo 20\.0 ms has 3 of the 4 that another"):
        load_image(folder, echo=20)


# Positions


def shifted(at: int, x: float):
    return lambda k: (x * (k >= at), 0.0, 4.0 * k)


@given(at=st.integers(1, 4), x=st.sampled_from([-40.0, -0.2, 0.2, 25.0]))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stack_that_jumps_sideways_is_two(tmp_path, at, x):
    folder = write_stack(tmp_path / f"{at}{x}", 5, position=shifted(at, x))
    with pytest.raises(InputError, match=f"slices {at} and {at + 1} lie .* in their plane: two st"):
        load_image(folder)


@pytest.mark.parametrize("x", [0.0, 0.01])
def test_rounding_of_positions_is_no_jump(tmp_path, x):
    assert load_image(write_stack(tmp_path / "s", 5, position=shifted(2, x))).shape == (6, 5, 5)


def test_a_stack_that_slants_evenly_keeps_its_sheared_grid(tmp_path):
    with pytest.warns(UserWarning, match="s: slices shift sideways evenly; the sheared grid is"):
        volume = load_image(write_stack(tmp_path / "s", step=(1.0, 0.0, 4.0)))
    assert volume.affine[:3, 2] == pytest.approx([-1, 0, 4])


@pytest.mark.parametrize("n", [2, 4])
def test_a_shift_of_every_slice_by_more_than_its_distance_is_no_volume(tmp_path, n):
    with pytest.raises(InputError, match="slices 1 and 2 lie 25 mm apart in their plane"):
        load_image(write_stack(tmp_path / "s", n, step=(25.0, 0.0, 4.0)))


@pytest.mark.parametrize(
    ("heights", "outcome"),
    [
        ((0, 4, 8.03, 12), "quiet"),
        ((0, 4, 8.2, 12), "note"),
        ((0, 4, 12, 16), "slices are missing: unevenly spaced, 4 to 8 mm"),
        ((0, 4, 16, 20), "slices are missing"),
        ((0, 4, 9, 13.5), "slices are unevenly spaced, 4 to 5 mm apart; give one evenly"),
    ],
)
def test_missing_is_said_only_where_slices_are_missing(tmp_path, recwarn, heights, outcome):
    folder = write_stack(tmp_path / "s", position=lambda k: (0, 0, heights[k]))
    if outcome in ("quiet", "note"):
        assert load_image(folder).spacing_mm[2] == pytest.approx(4)
        assert [("unevenly spaced" in str(w.message)) for w in recwarn] == [True] * (
            outcome == "note"
        )
    else:
        with pytest.raises(InputError, match=outcome):
            load_image(folder)


def test_every_second_slice_missing_is_noted_where_the_header_says_the_distance(tmp_path):
    folder = write_stack(tmp_path / "s", step=(0, 0, 8), SpacingBetweenSlices=4.0)
    with pytest.warns(UserWarning, match="slices lie 8 mm apart, their headers say 4 mm"):
        load_image(folder)


# What else lies in a folder


def foreign(kind: str) -> pydicom.Dataset:
    image = mr_image(np.zeros((4, 4)), series="1.2.9")
    if kind == "capture":
        image.SOPClassUID = SecondaryCaptureImageStorage
        del image.ImagePositionPatient
    elif kind == "colours":
        image.SamplesPerPixel, image.PixelData = 3, image.PixelData * 3
    elif kind == "localizer":
        image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    else:
        image = mr_image(np.zeros((4, 4)), series="1.2.9", **NO_PIXELS)
        image.SOPClassUID = UID(
            {"state": STATE, "report": REPORT, "raw": RAW}.get(kind, "1.3.12.2.1")
        )
    return image


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("capture", "secondary capture"),
        ("colours", "colour image"),
        ("localizer", "localizer"),
        ("state", "Grayscale Softcopy Presentation State Storage"),
        ("report", "Basic Text SR Storage"),
        ("raw", "Raw Data Storage"),
        ("private", "no image"),
    ],
)
def test_foreign_objects_are_passed_over_with_a_note_and_are_no_series(tmp_path, kind, named):
    folder = write_stack(tmp_path / "s")
    write(foreign(kind), folder / "other.dcm")
    with pytest.warns(UserWarning, match=rf"s: passed over other\.dcm \({named}\)"):
        assert slices_of(load_image(folder)) == [0, 1, 2, 3]
    shutil.rmtree(folder)
    write(foreign(kind), folder / "other.dcm")
    if kind == "localizer":
        assert load_image(folder).shape == (4, 4, 1)
    else:
        with pytest.raises(InputError, match=rf"no DICOM image .*other\.dcm \({named}\)"):
            load_image(folder)


def test_equal_files_are_left_out_and_unequal_ones_at_a_place_are_named(tmp_path):
    folder = write_stack(tmp_path / "s")
    shutil.copy(folder / "i02.dcm", folder / "i02 (1).dcm")
    with pytest.warns(UserWarning, match=r"left out i02\.dcm, equal to another file"):
        assert slices_of(load_image(folder)) == [0, 1, 2, 3]
    write(mr_image(np.ones((5, 6)), (0, 0, 8), number=3), folder / "i02 (1).dcm")
    with pytest.raises(InputError, match=r"5 images lie at 4 places \(i02 \(1\)\.dcm, i02\.dcm at"):
        load_image(folder)


def test_mosaics_and_frames_are_named_with_the_way_out(tmp_path):
    mosaic = mr_image(np.zeros((8, 8)), ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    mosaic.add_new((0x0019, 0x0010), "LO", "SIEMENS MR HEADER")
    mosaic.add_new((0x0019, 0x100A), "US", 4)
    write(mosaic, tmp_path / "mosaic" / "m.dcm")
    with pytest.raises(InputError, match=r"m\.dcm is a mosaic, 4 slices in one image; .*dcm2niix"):
        load_image(tmp_path / "mosaic")
    frames = mr_image(
        np.zeros((4, 4)), NumberOfFrames=3, PixelData=bytes(96), SOPClassUID=EnhancedMRImageStorage
    )
    write(frames, tmp_path / "enhanced" / "e.dcm")
    with pytest.raises(InputError, match=r"e\.dcm holds 3 frames \(Enhanced MR.*\); .*dcm2niix"):
        load_image(tmp_path / "enhanced")


def test_one_file_is_one_slice_with_a_note_also_without_preamble_or_ending(tmp_path):
    write(mr_image(np.full((5, 6), 7), (1, 2, 3)), tmp_path / "IM0001", preamble=False)
    with pytest.warns(
        UserWarning, match="IM0001 is one DICOM file, read as one slice; give its fol"
    ):
        volume = load_image(tmp_path / "IM0001")
    assert (volume.shape, volume.spacing_mm) == ((6, 5, 1), (0.75, 0.5, 4.0))


def test_names_that_are_not_utf8_do_not_end_the_process(tmp_path):
    folder = write_stack(tmp_path / "s")
    (folder / "i02.dcm").rename(folder / b"Kn\xf6chel.dcm".decode(errors="surrogateescape"))
    (folder / b"f\xfcr.txt".decode(errors="surrogateescape")).write_text("see letter")
    assert slices_of(load_image(folder)) == [0, 1, 2, 3]


# Broken headers and pixels


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PixelSpacing": [-0.5, 0.75]}, "voxel size .*-0.5.* sizes above 0"),
        ({"PixelSpacing": [0, 0]}, "sizes above 0"),
        ({"PixelSpacing": None}, "no place in space .PixelSpacing is missing"),
        ({"ImageOrientationPatient": [0] * 6}, "right-angled axes"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right-angled axes"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient is missing"),
        ({"Rows": 9}, "60 bytes of pixels .* expected 108"),
        ({"Rows": 3}, "60 bytes of pixels .* expected 36"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "expected 30 .5 x 6 of 8 bits"),
        ({"PixelData": None}, "cannot read i01.dcm .*before its pixels"),
    ],
)
def test_a_broken_header_is_refused_by_the_files_name(tmp_path, changes, reason):
    folder = write_stack(tmp_path / "s")
    path = folder / "i01.dcm"
    write(mr_image(np.ones((5, 6)), (0, 0, 4), number=2, **changes), path)
    with pytest.raises(InputError, match=reason) as caught:
        load_image(folder)
    assert "i01.dcm" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [b"NaN\\0\\4 ", b"inf\\0\\4 ", b"1e400\\0\\4 ", b"here\\0\\4"])
def test_a_position_that_is_none_is_refused(tmp_path, value):
    path = write(mr_image(np.ones((5, 6)), (111, 0, 4)), tmp_path / "s" / "a.dcm")
    raw = path.read_bytes()
    old = b"111.0\\0.0\\4.0 "
    assert old in raw
    path.write_bytes(raw.replace(old, value.ljust(len(old))))
    with pytest.raises(InputError, match=r"a\.dcm"):
        load_image(path.parent)


@given(data=st.data())
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_damaged_file_is_read_or_refused_in_one_line(tmp_path, data):
    folder = tmp_path / "s"
    path = write(mr_image(np.ones((5, 6)), (0, 0, 4)), folder / "a.dcm")
    raw = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(
        raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    )
    read_or_refused(folder)


# Any stack, against pydicom's own reading


@given(data=st.data())
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_even_stack_lies_where_its_headers_put_each_voxel(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    axes = np.linalg.qr(
        np.array(data.draw(st.lists(st.floats(-1, 1), min_size=9, max_size=9))).reshape(3, 3)
        + 3 * np.eye(3)
    )[0]
    n, gap = data.draw(st.integers(2, 5)), data.draw(st.floats(0.5, 9))
    origin = np.array(data.draw(st.tuples(*[st.floats(-300, 300)] * 3)))
    order = data.draw(st.permutations(range(n)))
    normal = np.cross(axes[:, 0], axes[:, 1])
    rng = np.random.default_rng(0)
    for k in range(n):
        image = mr_image(
            rng.integers(1, 999, (4, 3)), np.round(origin + k * gap * normal, 6), number=k + 1,
            ImageOrientationPatient=[float(f"{x:.9f}") for x in (*axes[:, 0], *axes[:, 1])],
            PixelSpacing=[0.4, 0.9],
        )  # fmt: skip
        write(image, folder / f"{order[k]}", preamble=data.draw(st.booleans()))
    volume = load_image(folder)
    assert volume.shape == (3, 4, n)
    for path in folder.iterdir():
        theirs = pydicom.dcmread(path, force=True)
        row, column = 2, 1
        along = np.array(theirs.ImageOrientationPatient, float).reshape(2, 3)
        lps = np.array(theirs.ImagePositionPatient, float)
        lps = lps + along[0] * 0.9 * column + along[1] * 0.4 * row
        index = np.linalg.solve(volume.affine, [-lps[0], -lps[1], lps[2], 1])[:3]
        assert index == pytest.approx(np.rint(index), abs=0.01)
        pixels = np.frombuffer(theirs.PixelData, "<u2").reshape(4, 3)
        assert volume.array[tuple(np.rint(index).astype(int))] == pixels[row, column]


def test_padding_of_the_header_stays_out_of_the_window(tmp_path):
    pixels = np.arange(5000, dtype=np.uint16).reshape(50, 100)
    padded = np.where(pixels % 5 == 0, 60000, pixels % 900 + 1)
    for k in range(2):
        image = mr_image(padded, (0, 0, 4 * k), number=k + 1)
        image.add_new("PixelPaddingValue", "US", 60000)
        image.RescaleSlope, image.RescaleIntercept = 2, -100
        write(image, tmp_path / "s" / f"{k}.dcm")
    case = Case("s", load_image(tmp_path / "s"))
    with pytest.warns(UserWarning, match=r"20\.0% of the voxels hold 119900, which is padding"):
        _, high = case.window
    assert high < 1800
    assert case.windowed[case.image.array == 119900].max() == 0


def test_a_series_of_another_size_in_one_folder_is_named(tmp_path):
    folder = write_stack(tmp_path / "s")
    write(mr_image(np.ones((4, 6)), (0, 0, 16), number=5), Path(folder) / "z.dcm")
    with pytest.raises(InputError, match=r"i00\.dcm and z\.dcm differ in direction, size or spac"):
        load_image(folder)


@pytest.mark.real
@pytest.mark.parametrize("orientation", ["PSR", "LAS", "RPI"])
def test_real_mese_takes_labels_drawn_on_a_nifti_of_it(real_data, tmp_path, orientation):
    """As dcm2niix stores it: rows turned round, and rounded to float32."""
    volume = load_image(real_data / "pymskt" / "mese", echo=6.3)
    drawn = volume.with_array((volume.array > 500).astype(np.uint8))
    save_nifti(drawn.reoriented(orientation), tmp_path / "labels.nii.gz")
    with pytest.warns(UserWarning, match=f"label map .{orientation} .* put on its voxels exactly"):
        case = Case("mese", volume, load_label_map(tmp_path / "labels.nii.gz"))
    assert np.array_equal(case.reference.array, drawn.array)
