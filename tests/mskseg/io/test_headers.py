"""Headers that say too little, two things, or what cannot be; damaged streams; other forms."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.io import load_image, load_label_map, save_nifti
from mskseg.io.itk import segment_names
from mskseg.volume import LabelMap, Volume

from .dicom_files import read_or_refused

RAS = np.array([[0.7, 0, 0, -9], [0, 0.8, 0, 3], [0, 0, 4, 50], [0, 0, 0, 1.0]])
ARRAY = np.random.default_rng(0).integers(0, 900, (20, 24, 6)).astype(np.int16)
each_time = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def itk_file(path: Path, *, compress: bool = True, array=ARRAY) -> Path:
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing((0.7, 0.8, 4.0))
    sitk.WriteImage(image, str(path), compress)
    return path


def changed(path: Path, old: str, new: str) -> Path:
    raw = path.read_bytes()
    assert old.encode() in raw
    path.write_bytes(raw.replace(old.encode(), new.encode(), 1))
    return path


def refused(path: Path, reason: str = "") -> None:
    with pytest.raises(InputError, match=reason) as caught:
        load_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# Damaged streams


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.mhd", "a.nhdr", "a.nii.gz"])
@given(data=st.data())
@each_time
def test_no_flipped_bit_of_a_packed_file_gives_other_numbers(tmp_path, name, data):
    path = itk_file(tmp_path / name)
    packed = next((p for p in (tmp_path / "a.zraw", tmp_path / "a.raw.gz") if p.exists()), path)
    raw = bytearray(packed.read_bytes())
    start = raw.find(b"LOCAL\n") + 6 if name == "a.mha" else raw.find(b"\n\n") + 2
    place = data.draw(
        st.integers(start if packed == path and ".nii" not in name else 0, len(raw) - 1)
    )
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    packed.write_bytes(bytes(raw))
    if (read := read_or_refused(path)) is not None:  # a bit that means nothing, a date say
        assert np.array_equal(read.array, ARRAY)


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.nii.gz"])
@pytest.mark.parametrize("compress", [True, False])
def test_every_length_is_compared_with_the_header(tmp_path, name, compress):
    path = itk_file(tmp_path / name, compress=compress)
    raw = path.read_bytes()
    for length in (len(raw) - 1, len(raw) // 2, 60):
        path.write_bytes(raw[:length])
        refused(path, "not a complete|header")


def test_a_stream_of_too_many_voxels_is_refused(tmp_path):
    path, body = tmp_path / "a.nrrd", ARRAY.tobytes(order="F")
    path.write_bytes(_nrrd_head("gzip") + gzip.compress(body))
    assert np.array_equal(load_image(path).array, ARRAY)
    path.write_bytes(_nrrd_head("gzip") + gzip.compress(body + bytes(9)))
    refused(path, "its stream has more")


def _nrrd_head(encoding: str, sizes: str = "20 24 6") -> bytes:
    return (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\n"
        "space directions: (0.7,0,0) (0,0.8,0) (0,0,4)\nkinds: domain domain domain\n"
        f"endian: little\nencoding: {encoding}\nspace origin: (0,0,0)\n\n"
    ).encode()


# Claims that the bytes cannot hold


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_gigabytes_are_not_asked_for_on_the_word_of_a_header(tmp_path, encoding):
    (tmp_path / "a.nrrd").write_bytes(_nrrd_head(encoding, "2000 2000 500") + bytes(9000))
    refused(tmp_path / "a.nrrd", "claims 4000000000 bytes of voxels, the file has 9000")
    (tmp_path / "a.nrrd").write_bytes(_nrrd_head(encoding, "99999 99999 99999") + bytes(9000))
    refused(tmp_path / "a.nrrd", "claims 2e.06 GB")


def test_gigabytes_of_a_nifti_are_not_asked_for_either(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 500))
    for name, pack in (("a.nii", bytes), ("a.nii.gz", gzip.compress)):
        (tmp_path / name).write_bytes(pack(header.binaryblock + bytes(4000)))
        refused(tmp_path / name, "claims 8000000000 bytes of voxels")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_megabytes_behind_the_voxels_are_refused(tmp_path, name, compress):
    if ".nii" in name:
        save_nifti(Volume(ARRAY, RAS), tmp_path / name)
    else:
        itk_file(tmp_path / name, compress=compress)
    raw, tail = (tmp_path / name).read_bytes(), bytes(3 << 20)
    raw = gzip.compress(gzip.decompress(raw) + tail) if name.endswith("gz") else raw + tail
    (tmp_path / name).write_bytes(raw)
    refused(tmp_path / name, "follow")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mha", "a.nrrd", "a.dcm"])
def test_only_regular_files_are_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)
    refused(tmp_path / name, "expected a file, got a device or a pipe")
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    refused(tmp_path / name, "expected a file, got a device or a pipe")


# Impossible headers


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NDims = 3", "NDims = -3"),
        ("NDims = 3", "NDims = 99999999999"),
        ("NDims = 3", "NDims = x"),
        ("NDims = 3", "NDims = 1"),
        ("DimSize = 20 24 6", "DimSize = 20 -24 6"),
        ("DimSize = 20 24 6", "DimSize = 20 24"),
        ("DimSize = 20 24 6", "DimSize = 20 0 6"),
        ("DimSize = 20 24 6", "DimSize = 20 24 7"),
        ("MET_SHORT", "MET_NOTHING"),
        ("ElementDataFile = LOCAL", "ElementDataFile = LIST"),
        ("ElementDataFile = LOCAL", "ElementDataFile = s%03d.raw 1 9 1"),
        ("ElementDataFile = LOCAL", "ElementDataFile = /etc/passwd"),
        ("ElementDataFile = LOCAL", "ElementDataFile = ../a.raw"),
        ("ElementDataFile = LOCAL", "ElementDataFile = gone.raw"),
        ("ElementSpacing = 0", "ElementSpacing = -0"),
        ("ElementSpacing = 0", "ElementSpacing = 0 0"),
        ("ElementSpacing = 0", "ElementSpacing = nan "),
        ("ElementSpacing = 0", "ElementSpacing = 1e300 "),
        ("Offset = 0 0 0", "Offset = inf 0 0"),
        ("Offset = 0 0 0", "Offset = 0 0"),
        ("TransformMatrix = 1 0 0", "TransformMatrix = inf 0 0"),
        ("TransformMatrix = 1 0 0", "TransformMatrix = 0 0 0"),
        ("TransformMatrix = 1 0 0", "TransformMatrix = 0 1 0"),
    ],
)
def test_impossible_metaimage_headers_are_refused(tmp_path, old, new):
    refused(changed(itk_file(tmp_path / "a.mha", compress=False), old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dimension: 3", "dimension: -3"),
        ("dimension: 3", "dimension: 16"),
        ("sizes: 20 24 6", "sizes: 20 24 -6"),
        ("sizes: 20 24 6", "sizes: 20 24 6 6"),
        ("sizes: 20 24 6", "sizes: 1e9 24 6"),
        ("type: short", "type: block"),
        ("encoding: raw", "encoding: magic"),
        ("encoding: raw", "encoding: raw\ndata file: LIST"),
        ("encoding: raw", "encoding: raw\ndata file: s%02d.raw 1 6 1"),
        ("(0.700", "(inf"),
        ("(0.700", "(nan"),
        ("(0.700", "(1e300"),
        ("(0.700", "(0"),
        ("(0.700", "(0.1,0.700"),
        ("space origin: (0", "space origin: (nan"),
    ],
)
def test_impossible_nrrd_headers_are_refused(tmp_path, old, new):
    path = itk_file(tmp_path / "a.nrrd", compress=False)
    changed(path, "(0.699999", "(0.700") if b"(0.69999" in path.read_bytes() else None
    changed(path, "(0.7,", "(0.700,") if b"(0.7," in path.read_bytes() else None
    refused(changed(path, old, new))


def nifti(path: Path, affine=RAS, array=ARRAY, **fields) -> Path:
    """Write a NIfTI whose header fields are set behind nibabel's back: (offset, format, values)."""
    image = nib.Nifti1Image(array, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    raw = bytearray(image.to_bytes())
    for offset, form, values in fields.values():
        struct.pack_into(form, raw, offset, *values)
    path.write_bytes(gzip.compress(bytes(raw)) if path.suffix == ".gz" else bytes(raw))
    return path


CODES, PIXDIM, SLOPE, SROW = 252, 80, 112, 280
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ((SLOPE, "<f", (INF,)), "scales values by infinity"),
        ((SLOPE, "<ff", (1.0, NAN)), "not a complete NIfTI"),
        ((SROW, "<f", (INF,)), "the header gives voxels of|affine"),
        ((SROW + 12, "<f", (NAN,)), "at a finite place"),
        ((SROW, "<4f", (0, 0, 0, 0)), "voxels of|independent"),
        ((PIXDIM, "<f", (INF,)), "pixdim.*finite sizes above 0"),
        ((40, "<4h", (3, 20, -24, 6)), "claims the shape|not a complete"),
        ((40, "<4h", (3, 20, 24, 60)), "not a complete NIfTI"),
        ((40, "<h", (77,)), "not a complete NIfTI"),
        ((70, "<h", (9999,)), "not a complete NIfTI"),
        ((108, "<f", (INF,)), "not a complete NIfTI"),
    ],
)
def test_impossible_nifti_headers_are_refused(tmp_path, field, reason):
    refused(nifti(tmp_path / "a.nii", field=field), reason)


def test_a_negative_size_is_refused_where_no_sform_says_more(tmp_path):
    field = (PIXDIM, "<f", (-0.7,))
    refused(nifti(tmp_path / "a.nii", field=field, codes=(CODES, "<hh", (1, 0))), "above 0")


@given(data=st.data())
@each_time
def test_any_damaged_header_is_read_or_refused_in_one_line(tmp_path, data):
    name = data.draw(st.sampled_from(["a.nii", "a.nii.gz", "a.mha", "a.nrrd"]))
    path = nifti(tmp_path / name) if ".nii" in name else itk_file(tmp_path / name, compress=False)
    raw = bytearray(
        gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
    )
    for place in data.draw(st.lists(st.integers(0, 347), min_size=1, max_size=3)):
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(gzip.compress(bytes(raw)) if name.endswith("gz") else bytes(raw))
    if (volume := read_or_refused(path)) is not None:
        assert np.isfinite(volume.affine).all()
        assert min(volume.spacing_mm) > 0


# A place that is not clear


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"a": (CODES, "<hh", (0, 0))}, "has no orientation"),
        ({"a": (CODES, "<hh", (1, 0)), "b": (PIXDIM + 8, "<f", (0.0,))}, "pixdim 0.7 x 0.8 x 0 mm"),
        (
            {
                "a": (CODES, "<hh", (0, 1)),
                "b": (SROW, "<12f", (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)),
            },
            "pixdim 0.7 x 0.8 x 4 mm, its sform 1 x 1 x 1 mm",
        ),
        ({"a": (CODES, "<hh", (0, 2)), "b": (PIXDIM, "<f", (-0.7,))}, "pixdim -0.7 x"),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_nifti_that_leaves_its_place_open_is_noted_by_name(tmp_path, name, fields, problem):
    path = nifti(tmp_path / name, **fields)
    with pytest.warns(UserWarning, match=f"{path} .*{problem}.*left and right may be swapped"):
        load_image(path)


def test_a_nrrd_or_metaimage_that_leaves_its_place_open_is_noted(tmp_path):
    path = itk_file(tmp_path / "a.nrrd")
    for new in ("space: scanner-xyz", "space dimension: 3"):
        changed(path, "space: left-posterior-superior", new)
        with pytest.warns(UserWarning, match=f"{path} has (the space scanner-xyz|no space); left"):
            load_image(path)
        changed(path, new, "space: left-posterior-superior")
    path = itk_file(tmp_path / "a.mha")
    changed(path, "TransformMatrix", "SomethingElse")
    with pytest.warns(UserWarning, match="has no TransformMatrix; left and right"):
        load_image(path)


@pytest.mark.parametrize("space", ["right-anterior-superior", "LAS", "left-posterior-superior"])
def test_spaces_that_say_where_left_is_need_no_note(tmp_path, recwarn, space):
    path = changed(itk_file(tmp_path / "a.nrrd"), "left-posterior-superior", space)
    assert load_image(path).spacing_mm == pytest.approx((0.7, 0.8, 4))
    assert not recwarn.list


LAS = RAS * [[-1], [1], [1], [1]]
TURNED = RAS.copy()
TURNED[:2, :2] = np.diag([0.7, 0.8]) @ [[0.6, -0.8], [0.8, 0.6]]
PLACES = {"RAS": RAS, "LAS": LAS, "moved": RAS + np.eye(4, k=3) * 5}


@given(
    sform=st.sampled_from(list(PLACES)), qform=st.sampled_from(list(PLACES)),
    codes=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)  # fmt: skip
@each_time
def test_any_forms_are_written_again_so_that_every_reader_lays_it_on_the_image(
    tmp_path, sform, qform, codes
):
    image = nib.Nifti1Image(ARRAY, RAS)
    image.set_qform(PLACES[qform], codes[1])
    image.set_sform(PLACES[sform], codes[0])
    nib.save(image, tmp_path / "image.nii.gz")
    source = nib.load(tmp_path / "image.nii.gz")
    volume = load_image(tmp_path / "image.nii.gz")
    stack = (volume.stack("coronal") > 300).astype(np.uint8)
    save_nifti(volume.from_stack(stack, "coronal"), tmp_path / "mask.nii.gz")
    written = nib.load(tmp_path / "mask.nii.gz")
    for form in ("sform", "qform"):
        assert written.header[f"{form}_code"] == source.header[f"{form}_code"]
    assert np.allclose(written.affine, source.affine, atol=1e-4)
    assert np.allclose(written.header.get_qform(), source.header.get_qform(), atol=1e-4)
    theirs = [sitk.ReadImage(str(tmp_path / f"{n}.nii.gz")) for n in ("image", "mask")]
    for ask in ("GetOrigin", "GetDirection", "GetSpacing"):
        assert np.allclose(*(getattr(t, ask)() for t in theirs), atol=1e-4)


def test_forms_turn_with_the_volume(tmp_path):
    image = nib.Nifti1Image(ARRAY, RAS)
    image.set_sform(RAS, 2)
    image.set_qform(LAS, 1)
    nib.save(image, tmp_path / "a.nii")
    volume = load_image(tmp_path / "a.nii").reoriented("PIR")
    save_nifti(volume, tmp_path / "b.nii")
    turned = nib.load(tmp_path / "b.nii")
    assert np.allclose(turned.get_sform(), volume.affine, atol=1e-4)
    index = np.array([3, 5, 7, 1])
    back = np.linalg.solve(RAS, volume.affine @ index)
    assert turned.get_qform() @ index == pytest.approx(LAS @ back, abs=1e-3)


# Two dimensions, channels, layers, names


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha", "a.nrrd"])
def test_a_2d_image_is_one_slice_with_a_note(tmp_path, name):
    if ".nii" in name:
        nib.save(nib.Nifti1Image(ARRAY[:, :, 2], RAS), tmp_path / name)
    else:
        image = sitk.GetImageFromArray(ARRAY[:, :, 2].T)
        image.SetSpacing((0.7, 0.8))
        sitk.WriteImage(image, str(tmp_path / name))
    with pytest.warns(UserWarning, match="is 2-D: read as one slice"):
        volume = load_image(tmp_path / name)
    assert np.array_equal(volume.array[..., 0], ARRAY[:, :, 2])
    assert volume.spacing_mm[:2] == pytest.approx((0.7, 0.8))
    assert volume.default_plane == "axial"


def test_a_2d_nifti_whose_form_has_no_third_axis_is_read_too(tmp_path):
    flat = nifti(
        tmp_path / "a.nii",
        array=ARRAY[:, :, 0],
        s=(SROW, "<12f", (0.7, 0, 0, 1, 0, 0.8, 0, 2, 0, 0, 0, 3)),
    )
    with pytest.warns(UserWarning, match="is 2-D"):
        assert load_image(flat).spacing_mm == pytest.approx((0.7, 0.8, 1))


def test_a_channel_in_front_is_named(tmp_path):
    nib.save(nib.Nifti1Image(ARRAY[None], RAS), tmp_path / "a.nii")
    refused(tmp_path / "a.nii", r"got 4-D of shape \(1, 20, 24, 6\); if the first axis is a chann")
    sizes = b"dimension: 4", b"sizes: 1 20 24 6", b"space directions: none (", b"kinds: list dom"
    head = _nrrd_head("raw")
    for old, new in zip(
        (b"dimension: 3", b"sizes: 20 24 6", b"space directions: (", b"kinds: dom"),
        sizes,
        strict=True,
    ):
        head = head.replace(old, new)
    (tmp_path / "a.nrrd").write_bytes(head + ARRAY.tobytes(order="F"))
    assert np.array_equal(load_image(tmp_path / "a.nrrd").array, ARRAY)


def slicer_layers(path: Path, layers: np.ndarray, segments: list[tuple[str, int, int]]) -> Path:
    head = _nrrd_head("gzip", f"{len(layers)} 20 24 6").replace(b"dimension: 3", b"dimension: 4")
    head = head.replace(b"type: short", b"type: unsigned char")
    head = head.replace(b"directions: (", b"directions: none (").replace(
        b"kinds: dom", b"kinds: list dom"
    )
    names = "".join(
        f"Segment{n}_ID:=x\nSegment{n}_LabelValue:={value}\nSegment{n}_Layer:={layer}\n"
        f"Segment{n}_Name:={name}\n"
        for n, (name, layer, value) in enumerate(segments)
    )
    path.write_bytes(head[:-1] + names.encode() + b"\n" + gzip.compress(layers.tobytes(order="F")))
    return path


def test_layers_of_3d_slicer_become_one_label_map_with_names(tmp_path):
    layers = np.zeros((2, 20, 24, 6), np.uint8)
    layers[0, 2:5], layers[0, 5:8], layers[1, 9:12] = 1, 2, 1
    path = slicer_layers(
        tmp_path / "a.seg.nrrd", layers, [("Femur", 0, 1), ("Tibia", 0, 2), ("Knorpel ü", 1, 1)]
    )
    labels = load_label_map(path)
    assert labels.array[:, 0, 0].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 0, 3, 3, 3, *[0] * 8]
    assert segment_names(path) == {1: "Femur", 2: "Tibia", 3: "Knorpel ü"}
    refused(path, "2 values per voxel")
    layers[1, 4] = 1
    path = slicer_layers(path, layers, [("Femur", 0, 1), ("Cartilage", 1, 1)])
    with pytest.raises(InputError, match="segment 'Cartilage' overlaps another; export from 3D Sl"):
        load_label_map(path)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii.gz"])
def test_names_that_are_not_utf8_are_read(tmp_path, name):
    odd = tmp_path / b"Kn\xf6chel".decode(errors="surrogateescape")
    odd.mkdir()
    itk_file(tmp_path / name).rename(odd / name)
    assert np.array_equal(load_image(odd / name).array, ARRAY)


def test_a_header_beside_its_voxels_is_read_under_any_name(tmp_path):
    itk_file(tmp_path / "a.mhd")
    odd = (tmp_path / "a.mhd").rename(tmp_path / b"\xf6.mhd".decode(errors="surrogateescape"))
    assert np.array_equal(load_image(odd).array, ARRAY)
    assert (tmp_path / "a.zraw").read_bytes()[-4:] == struct.pack(
        ">I", zlib.adler32(ARRAY.tobytes(order="F"))
    )


# References of the same lattice


def stored_otherwise(labels: LabelMap, orientation: str, crop: tuple[slice, ...]) -> LabelMap:
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in crop]
    return LabelMap(labels.array[crop], affine).reoriented(orientation)


@given(data=st.data())
@each_time
def test_a_reference_of_the_same_lattice_is_put_on_the_image(data):
    image = Volume(ARRAY + 1, TURNED)
    array = np.zeros(ARRAY.shape, np.uint8)
    array[6:9, 7:12, 2:4] = data.draw(st.integers(1, 9))
    crop = tuple(
        slice(data.draw(st.integers(0, low)), data.draw(st.integers(high, n)))
        for low, high, n in zip((6, 7, 2), (9, 12, 4), ARRAY.shape, strict=True)
    )
    labels = LabelMap(array, TURNED)
    other = stored_otherwise(labels, data.draw(st.sampled_from(["RAS", "LPS", "PIR", "SAL"])), crop)
    moved = other.affine.copy()
    moved[:3, 3] += TURNED[:3, :3] @ np.array([0.02, -0.02, 0.02])
    case = Case("s", image, LabelMap(other.array, moved))
    assert np.array_equal(case.reference.array, array)
    assert np.allclose(case.reference.affine, image.affine, atol=0.15)


def test_an_image_that_is_a_part_of_its_reference_takes_its_part_with_a_note(tmp_path):
    array = np.ones(ARRAY.shape, np.uint8)
    image = stored_otherwise(
        LabelMap(ARRAY + 1, RAS), "RAS", (slice(3, 9), slice(0, 5), slice(1, 4))
    )
    with pytest.warns(
        UserWarning, match="put on its voxels exactly.*; 2790 labelled voxels lie out"
    ):
        case = Case("s", Volume(image.array, image.affine), LabelMap(array, RAS))
    assert case.reference.array.sum() == 90


@pytest.mark.parametrize("shift", [0.5, 0.07, 15.0])
def test_half_voxels_and_parts_outside_stay_refused(shift):
    affine = RAS.copy()
    affine[0, 3] += 0.7 * shift
    with pytest.raises(InputError, match="different grids"):
        Case("s", Volume(ARRAY, RAS), LabelMap(np.ones(ARRAY.shape, int), affine))


@pytest.mark.parametrize("code", [0, 1])
def test_an_image_whose_header_says_two_places_is_not_turned_to_fit(tmp_path, code):
    """By its sform the label map would be flipped, by its qform it lies there already."""
    image = nib.Nifti1Image(ARRAY, RAS)
    image.set_sform(RAS, code)
    image.set_qform(LAS, code)
    nib.save(image, tmp_path / "image.nii")
    labels = (ARRAY > 500).astype(np.uint8)
    save_nifti(Volume(labels, LAS), tmp_path / "labels.nii")
    image = load_image(tmp_path / "image.nii")
    reference = load_label_map(tmp_path / "labels.nii")
    if code:
        with pytest.warns(UserWarning, match="the other form of the image's NIfTI header"):
            case = Case("s", image, reference)
        assert np.array_equal(case.reference.array, labels)
    else:
        with pytest.raises(InputError, match="different grids"):
            Case("s", image, reference)


# Padding


@pytest.mark.parametrize("value", [-1024, -32768, -3.4e38])
@pytest.mark.parametrize("interpolated", [False, True])
def test_padding_is_left_out_of_the_window_with_a_note(value, interpolated):
    rng = np.random.default_rng(0)
    tissue = rng.normal(300, 100, (40, 40, 6)).clip(0)
    padded = tissue.astype(np.float32)
    padded[:5] = value
    if interpolated:
        padded[5] = rng.uniform(value, 0, padded[5].shape)
    alone = np.where(padded < 0, 0, padded)
    case = Case("s", Volume(padded, RAS))
    with pytest.warns(UserWarning, match="% of the voxels hold -.*, which is padding; left out"):
        shown = case.windowed
    assert case.window == Case("s", Volume(alone, RAS)).window
    assert np.array_equal(shown, Case("s", Volume(alone, RAS)).windowed)


@pytest.mark.parametrize(
    "array",
    [
        ARRAY,
        ARRAY - 450,
        np.where(ARRAY < 100, -4096, np.linspace(-4095, 4095, ARRAY.size).reshape(ARRAY.shape)),
        ARRAY + 100,
        (ARRAY - 450.0) / 200,
    ],
    ids=["magnitude", "signed", "phase with a masked background", "offset", "z-scores"],
)
def test_images_without_padding_keep_their_window_and_say_nothing(array, recwarn):
    from mskseg.intensities import window_of

    assert Case("s", Volume(array, RAS)).window == window_of(array)
    assert not recwarn.list
