from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from mskseg.case import Case
from mskseg.errors import InputError, OutputError
from mskseg.io import (
    list_echoes,
    load_image,
    load_label_map,
    load_label_names,
    save_nifti,
)
from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg.volume import Volume, check_same_grid

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
OBLIQUE = np.array(
    [[0.1, 0.6, -2.4, 12.5], [0.7, -0.1, 0.3, -40], [0.05, -0.4, -3.2, 71], [0, 0, 0, 1]]
)
OBLIQUE[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0] * (0.7, 0.8, 4.0)
AFFINES = {
    "RAS": np.array([[0.7, 0, 0, -9], [0, 0.8, 0, 3], [0, 0, 4, 50], [0, 0, 0, 1]]),
    "LAS": np.array([[-0.7, 0, 0, 9], [0, 0.8, 0, 3], [0, 0, 4, 50], [0, 0, 0, 1]]),
    "PIR": np.array([[0, 0, 4, -9], [-0.7, 0, 0, 3], [0, -0.8, 0, 50], [0, 0, 0, 1]]),
    "oblique": OBLIQUE,
}
MARKER = (4, 1, 3)
each_affine = pytest.mark.parametrize("affine", AFFINES.values(), ids=list(AFFINES))


def marked(affine=AFFINES["PIR"], dtype=np.int16, shape=(6, 7, 8)) -> Volume:
    """A volume with one brightest voxel, whose place in the world a test can follow."""
    array = np.random.default_rng(0).integers(1, 90, shape).astype(dtype)
    array[MARKER] = 99
    return Volume(array, affine)


def marker_in_world(volume: Volume) -> np.ndarray:
    index = np.unravel_index(volume.array.argmax(), volume.shape)
    return (volume.affine @ (*index, 1))[:3]


def marker_by_simpleitk(path: Path) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    k, j, i = np.argwhere(sitk.GetArrayFromImage(image) == 99)[0].tolist()
    return np.array(image.TransformIndexToPhysicalPoint((i, j, k))) * LPS_TO_RAS


# NIfTI out and in


@each_affine
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_written_nifti_lies_where_it_did_for_us_nibabel_and_simpleitk(tmp_path, affine, name):
    volume = marked(affine)
    save_nifti(volume, tmp_path / "new folder" / name)
    written = tmp_path / "new folder" / name
    ours, theirs = load_image(written), nib.load(written)
    check_same_grid(volume, ours)
    assert np.array_equal(ours.array, volume.array)
    assert theirs.shape == volume.shape
    assert theirs.get_data_dtype() == np.int16
    place = marker_in_world(volume)
    assert marker_in_world(ours) == pytest.approx(place, abs=1e-4)
    assert nib.affines.apply_affine(theirs.affine, MARKER) == pytest.approx(place, abs=1e-4)
    assert marker_by_simpleitk(written) == pytest.approx(place, abs=1e-3)


@each_affine
def test_viewers_of_sform_and_of_qform_see_the_same_grid(tmp_path, affine):
    save_nifti(marked(affine), tmp_path / "a.nii")
    header = nib.load(tmp_path / "a.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert np.allclose(header.get_qform(), affine, atol=1e-4)
    assert np.allclose(header.get_sform(), affine, atol=1e-5)
    assert header.get_xyzt_units()[0] == "mm"


def test_sheared_grid_is_written_without_a_qform_that_would_lie(tmp_path):
    sheared = AFFINES["RAS"].copy()
    sheared[0, 2] = 0.5
    save_nifti(marked(sheared), tmp_path / "a.nii")
    header = nib.load(tmp_path / "a.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    assert np.allclose(load_image(tmp_path / "a.nii").affine, sheared, atol=1e-6)


def test_affine_and_bytes_are_stable_from_the_second_file_on(tmp_path):
    """The first file rounds the affine to float32, after that nothing moves."""
    volume = marked(OBLIQUE)
    for name in ("a.nii.gz", "b.nii.gz", "c.nii.gz"):
        save_nifti(volume, tmp_path / name)
        volume = load_image(tmp_path / name)
    second, third = (tmp_path / name for name in ("b.nii.gz", "c.nii.gz"))
    assert np.array_equal(load_image(tmp_path / "a.nii.gz").affine, load_image(second).affine)
    assert second.read_bytes() == third.read_bytes()


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        (np.uint8, "uint8"),
        (np.uint16, "uint16"),
        (np.float32, "float32"),
        (np.float64, "float64"),
        (bool, "uint8"),
        (np.int64, "int32"),
        (np.float16, "float32"),
    ],
)
def test_dtype_is_kept_or_becomes_one_that_viewers_read(tmp_path, dtype, stored):
    volume = Volume(np.ones((2, 3, 4), dtype=dtype), np.eye(4))
    save_nifti(volume, tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").get_data_dtype() == stored
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nii"))).min() == 1


@pytest.mark.parametrize(
    "array", [np.array([2**40]), np.array([-(2**31) - 1]), np.array([2**63], np.uint64)]
)
def test_values_that_no_viewer_reads_are_refused_and_nothing_is_written(tmp_path, array):
    volume = Volume(array.reshape(1, 1, 1), np.eye(4))
    with pytest.raises(InputError, match="do not fit into int32"):
        save_nifti(volume, tmp_path / "a.nii")
    assert list(tmp_path.iterdir()) == []


def test_results_are_written_as_nifti_only(tmp_path):
    with pytest.raises(InputError, match=r"does not end in .nii"):
        save_nifti(marked(), tmp_path / "a.nrrd")


def test_disk_full_leaves_the_old_file(tmp_path, monkeypatch):
    save_nifti(marked(), tmp_path / "a.nii.gz")
    before = (tmp_path / "a.nii.gz").read_bytes()

    def full(image, path):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nib, "save", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_nifti(marked(OBLIQUE), tmp_path / "a.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_scaled_values_are_read_as_float32(tmp_path):
    image = nib.Nifti1Image(np.array([[[0, 10]]], dtype=np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 1.0)
    image.to_filename(tmp_path / "a.nii.gz")
    stored = nib.load(tmp_path / "a.nii.gz")
    loaded = load_image(tmp_path / "a.nii.gz").array
    assert loaded.dtype == np.float32
    assert np.allclose(loaded, stored.get_fdata())


def test_big_endian_files_become_native(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.Nifti1Image(marked().array, np.eye(4), header).to_filename(tmp_path / "a.nii")
    loaded = load_image(tmp_path / "a.nii").array
    assert loaded.dtype.isnative
    assert np.array_equal(loaded, marked().array)


def test_units_of_metres_become_millimetres(tmp_path):
    image = nib.Nifti1Image(np.ones((2, 2, 2), dtype=np.uint8), np.diag([0.001, 0.002, 0.003, 1]))
    image.header.set_xyzt_units("meter")
    image.to_filename(tmp_path / "a.nii")
    assert load_image(tmp_path / "a.nii").spacing_mm == pytest.approx((1, 2, 3))


def test_trailing_axes_of_one_are_dropped(tmp_path):
    nib.Nifti1Image(marked().array[..., None], np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    assert np.array_equal(load_image(tmp_path / "a.nii.gz").array, marked().array)


def test_nifti_without_orientation_warns_of_sides(tmp_path):
    image = nib.Nifti1Image(marked().array, np.eye(4))
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    image.to_filename(tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="has no orientation.*left and right may be swapped"):
        load_image(tmp_path / "a.nii")


def test_nifti_with_two_different_orientations_warns_of_sides(tmp_path):
    image = nib.Nifti1Image(marked().array, AFFINES["RAS"])
    image.set_sform(AFFINES["RAS"], code=1)
    image.set_qform(AFFINES["LAS"], code=1)
    image.to_filename(tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="sform and a qform that lie .* the sform is taken"):
        assert load_image(tmp_path / "a.nii").orientation == "RAS"


# NRRD and MetaImage


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.mhd", "a.nhdr"])
def test_itk_files_lie_where_simpleitk_puts_them(tmp_path, name):
    volume = marked(OBLIQUE)
    image = sitk.GetImageFromArray(volume.array.T)
    axes = volume.affine[:3, :3] * LPS_TO_RAS[:, None]
    image.SetSpacing(volume.spacing_mm)
    image.SetDirection((axes / volume.spacing_mm).ravel().tolist())
    image.SetOrigin((volume.affine[:3, 3] * LPS_TO_RAS).tolist())
    sitk.WriteImage(image, str(tmp_path / name))
    loaded = load_image(tmp_path / name)
    assert np.array_equal(loaded.array, volume.array)
    assert np.allclose(loaded.affine, OBLIQUE, atol=1e-5)
    assert marker_in_world(loaded) == pytest.approx(marker_by_simpleitk(tmp_path / name), abs=1e-6)


def test_colour_images_are_refused(tmp_path):
    colours = sitk.GetImageFromArray(np.zeros((2, 3, 4, 3), dtype=np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "a.nrrd"))
    sitk.WriteImage(colours, str(tmp_path / "a.nii"))
    with pytest.raises(InputError, match="3 values per voxel; one number needed"):
        load_image(tmp_path / "a.nrrd")
    with pytest.raises(InputError, match=r"one real number per voxel|5-D"):
        load_image(tmp_path / "a.nii")


# Bad files


def truncated(path: Path, part: float = 0.6) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


@pytest.mark.parametrize("load", [load_image, load_label_map])
def test_missing_file_is_named(tmp_path, load):
    with pytest.raises(InputError, match=r"gone\.nii\.gz: no such file or folder"):
        load(tmp_path / "gone.nii.gz")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd"])
def test_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"is empty \(0 bytes\)"):
        load_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_text_under_an_image_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("this is not an image at all\n" * 40)
    with pytest.raises(
        InputError, match=r"not a complete (NIfTI|NRRD or MetaImage) file"
    ) as caught:
        load_image(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["scan.png", "scan"])
def test_unknown_endings_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x" * 400)
    with pytest.raises(InputError, match=r"not an image format known here; give .nii"):
        load_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("part", [0.01, 0.6, 0.97])
def test_truncated_files_are_refused(tmp_path, name, part):
    path = tmp_path / name
    if ".nii" in name:
        save_nifti(marked(shape=(20, 20, 20)), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(marked(shape=(20, 20, 20)).array), str(path))
    with pytest.raises(InputError, match="not a complete") as caught:
        load_image(truncated(path, part))
    assert "\n" not in str(caught.value)


def test_gzip_that_lacks_only_its_checksum_is_refused(tmp_path):
    """All voxels are there, so nibabel alone would take it."""
    path = tmp_path / "a.nii.gz"
    save_nifti(marked(), path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="not a complete NIfTI file"):
        load_image(path)


def test_flipped_bit_inside_a_gzip_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    stored = gzip.compress(nib.Nifti1Image(marked().array, np.eye(4)).to_bytes(), compresslevel=0)
    broken = bytearray(stored)
    broken[-100] ^= 1
    path.write_bytes(bytes(broken))
    with pytest.raises(InputError, match="CRC check failed"):
        load_image(path)


def test_four_dimensions_are_refused_with_the_shape(tmp_path):
    nib.Nifti1Image(np.ones((3, 4, 5, 2)), np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"expected one 3-D volume, got 4-D of shape \(3, 4, 5, 2"):
        load_image(tmp_path / "a.nii.gz")


def test_other_formats_that_nibabel_knows_are_refused(tmp_path):
    nib.MGHImage(marked().array, np.eye(4)).to_filename(tmp_path / "a.mgz")
    with pytest.raises(InputError, match="not an image format known here"):
        load_image(tmp_path / "a.mgz")


def test_label_map_with_fractions_is_refused_with_its_name(tmp_path):
    array = np.zeros((3, 3, 3), dtype=np.float32)
    array[0, 0, :2] = 0.4
    save_nifti(Volume(array, np.eye(4)), tmp_path / "probabilities.nii")
    with pytest.raises(InputError, match=r"probabilities\.nii: a label map holds whole .* 2 "):
        load_label_map(tmp_path / "probabilities.nii")


def test_a_note_of_rounded_labels_names_the_file(tmp_path):
    path = tmp_path / "edited.nii"
    nib.save(nib.Nifti1Image(np.full((4, 5, 6), 2.9961, np.float32), np.eye(4)), path)
    with pytest.warns(UserWarning, match=r"edited\.nii: labels up to 0\.0039 from whole numbers"):
        assert np.unique(load_label_map(path).array).tolist() == [3]


def test_echo_is_for_folders(tmp_path):
    save_nifti(marked(), tmp_path / "a.nii")
    with pytest.raises(InputError, match="an echo is chosen from a folder of DICOM"):
        load_image(tmp_path / "a.nii", echo=6.3)


def test_a_qform_that_is_none_does_not_stop_a_good_sform(tmp_path):
    image = nib.Nifti1Image(marked().array, AFFINES["RAS"])
    image.set_sform(AFFINES["RAS"], code=1)
    image.header["qform_code"] = 1
    image.header["quatern_c"], image.header["quatern_d"] = 0.70710678, 0.7071085
    image.to_filename(tmp_path / "a.nii")
    assert np.allclose(load_image(tmp_path / "a.nii").affine, AFFINES["RAS"])


# DICOM


def write_series(
    folder: Path, *, echoes=(10.0,), n=4, uid="1.2.3", gap=3.0, description="T2"
) -> Path:
    """Write an oblique series whose voxel values are 100 * echo number + slice number."""
    folder.mkdir(exist_ok=True)
    row = np.array([0.0, np.cos(0.3), np.sin(0.3)])
    column = np.array([0.0, np.sin(0.3), -np.cos(0.3)])
    normal = np.cross(row, column)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for e, echo in enumerate(echoes):
        for k in range(n):
            image = sitk.GetImageFromArray(np.full((1, 5, 6), 100 * e + k, dtype=np.int16))
            position = np.array([-20.0, 5.0, 30.0]) + k * gap * normal
            image.SetSpacing((0.5, 0.75, gap))
            image.SetOrigin(position.tolist())
            image.SetDirection(np.stack([row, column, normal], axis=1).ravel().tolist())
            for tag, value in {
                "0008|0060": "MR",
                "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
                "0008|0018": f"{uid}.{e}.{k}",
                "0020|000e": uid,
                "0020|000d": "1.2",
                "0008|103e": description,
                "0018|0081": str(echo),
            }.items():
                image.SetMetaData(tag, value)
            # names in no useful order: the order comes from the headers
            writer.SetFileName(str(folder / f"{uid}_{(7 * k + 3) % n}_{e}.dcm"))
            writer.Execute(image)
    return folder


def test_series_is_sorted_along_the_slice_normal_and_placed_by_its_headers(tmp_path):
    volume = load_image(write_series(tmp_path / "s"))
    assert volume.shape == (6, 5, 4)
    assert volume.array[0, 0].tolist() == [0, 1, 2, 3]
    assert volume.spacing_mm == pytest.approx((0.5, 0.75, 3.0))
    assert volume.affine[:3, 3] == pytest.approx([20, -5, 30])
    assert volume.affine[:3, 0] == pytest.approx([0, -0.5 * np.cos(0.3), 0.5 * np.sin(0.3)])
    assert volume.default_plane == "sagittal"


def test_multi_echo_series_is_split_by_echo_time(tmp_path):
    folder = write_series(tmp_path / "s", echoes=(12.5, 6.25))
    (folder / "notes.txt").write_text("left knee")
    assert list_echoes(folder) == [6.25, 12.5]
    first = {echo: load_image(folder, echo=echo).array[0, 0, 0] for echo in list_echoes(folder)}
    assert first == {6.25: 100, 12.5: 0}
    assert load_image(folder, echo=6.3).array[0, 0].tolist() == [100, 101, 102, 103]
    with pytest.raises(InputError, match=r"s: the series holds 2 echoes \(6.25, 12.5 ms\)"):
        load_image(folder)
    with pytest.raises(InputError, match=r"no echo of 9 ms; the series has 6.25, 12.5 ms"):
        load_image(folder, echo=9)


def test_of_two_close_echoes_the_nearest_is_read(tmp_path):
    folder = write_series(tmp_path / "s", echoes=(0.03, 0.11))
    assert load_image(folder, echo=0.11).array[0, 0, 0] == 100
    assert load_image(folder, echo=0.03).array[0, 0, 0] == 0


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_damaged_slice_without_suffix_is_not_passed_over(tmp_path, part):
    folder = write_series(tmp_path / "s")
    for number, path in enumerate(sorted(folder.glob("*.dcm"))):
        path.rename(folder / f"IM{number:02d}")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM and an index")
    truncated(folder / "IM03", part)
    with pytest.raises(InputError, match=r"cannot read .*IM03"):
        load_image(folder)


def test_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    for load in (load_image, list_echoes):
        with pytest.raises(InputError, match="holds no DICOM image"):
            load(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        list_echoes(tmp_path / "notes.txt")


def test_folder_of_two_series_is_refused_and_both_are_named(tmp_path):
    folder = write_series(tmp_path / "s", description="T2 sagittal")
    write_series(folder, uid="1.2.4", description="PD axial", n=3)
    with pytest.raises(InputError, match=r"2 series: T2 sagittal \(4 images.*PD axial \(3 images"):
        load_image(folder)


@pytest.mark.parametrize("missing", [1, 2])
def test_missing_slice_is_refused(tmp_path, missing):
    folder = write_series(tmp_path / "s", n=5)
    next(folder.glob(f"*_{(7 * missing + 3) % 5}_0.dcm")).unlink()
    with pytest.raises(InputError, match="unevenly spaced, 3 to 6 mm apart"):
        load_image(folder)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.97])
def test_broken_dicom_file_is_refused_by_name(tmp_path, part):
    folder = write_series(tmp_path / "s")
    broken = truncated(sorted(folder.glob("*.dcm"))[-1], part)
    with pytest.raises(InputError, match=f"cannot read .*{broken.name}"):
        load_image(folder)


# Names of labels

ITK_SNAP = """# ITK-SnAP Label Description File
    0     0    0    0        0  0  0    "Clear Label"
    7   220   20   60        1  1  1    "7 Plantaris Left"
   12   250  114  237      0.5  1  1    "Flexor, long"
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", ITK_SNAP),
        ("a.txt", "// mine\n0 background\n7 Plantaris Left\n12: Flexor, long\n"),
        ("a.txt", "\ufeff7\tPlantaris Left\r\n\r\n12\tFlexor, long\r\n"),
        ("a.csv", 'label,name\n7,Plantaris Left\n12,"Flexor, long"\n'),
        ("a.csv", '7,Plantaris Left\n12,"Flexor, long"\n'),
        ("a.json", json.dumps({"0": "air", "7": "Plantaris Left", "12": "Flexor, long"})),
    ],
)
def test_names_are_read_from_every_form(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_label_names(tmp_path / name) == {7: "Plantaris Left", 12: "Flexor, long"}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.txt", "7 Plantaris\nSoleus\n", "line 2 is 'Soleus'; expected `value name`"),
        ("a.txt", "7 Plantaris\n7 Soleus\n", "label 7 is named twice"),
        ("a.txt", "# nothing\n", "names no label"),
        ("a.csv", "label,name\n7,Plantaris\nsoleus,8\n", "line 3 is 'soleus,8'"),
        ("a.csv", "7\n", "line 1 is '7'; expected `label,name`"),
        ("a.csv", "1.0,femur\n2,tibia\n", "line 1 is '1.0,femur'"),
        ("a.json", '{"7": "Plantaris", "7": "Soleus"}', "'7' is given twice"),
        ("a.json", "{", "not JSON"),
        ("a.json", '["Plantaris"]', "expected one JSON object"),
        ("a.json", '{"Plantaris": 7}', "whole numbers as keys"),
    ],
)
def test_bad_files_of_names_are_refused_in_one_line(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        load_label_names(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_or_binary_file_of_names_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_label_names(tmp_path / "gone.txt")
    (tmp_path / "a.txt").write_bytes(b"\x80\xff\x00")
    with pytest.raises(InputError, match="cannot be read as text"):
        load_label_names(tmp_path / "a.txt")


# Left and right, from file to file


@each_affine
def test_left_stays_left_from_file_through_slice_and_prediction_to_file(tmp_path, affine):
    """A bright left thigh: boxed on the right of the axial picture, written to the same voxels."""
    shape = (16, 16, 16)
    centres = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    world = centres @ affine[:3, :3].T + affine[:3, 3]
    middle = world.reshape(-1, 3).mean(axis=0)
    left = world[..., 0] < middle[0] - 0.5  # RAS: left has the smaller x
    image = Volume(np.where(left, 200, 20).astype(np.int16), affine)
    save_nifti(image, tmp_path / "image.nii.gz")

    case = Case("s", load_image(tmp_path / "image.nii.gz"))
    predicted = []
    for one in case.slices("axial"):
        bright = one.image > 128
        # viewed from the feet: the patient's left is on the right-hand side of the picture
        if bright.any() and not bright.all():
            assert np.argwhere(bright)[:, 1].mean() > np.argwhere(~bright)[:, 1].mean()
        boxes = boxes_from_mask(bright, spacing_mm=one.spacing_mm, min_area_mm2=0)
        predicted.append(fill_boxes(boxes, bright.shape) & bright)
    mask = case.image.from_stack(np.stack(predicted), "axial")
    save_nifti(mask, tmp_path / "mask.nii.gz")

    written = load_label_map(tmp_path / "mask.nii.gz")
    check_same_grid(case.image, written)
    assert np.array_equal(written.array.astype(bool), left)
    seen = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    k, j, i = np.argwhere(sitk.GetArrayFromImage(seen))[0].tolist()
    assert -seen.TransformIndexToPhysicalPoint((i, j, k))[0] < middle[0]


# Real scans


@pytest.mark.real
def test_real_mese_echo_lies_where_simpleitk_puts_it(real_data):
    folder = real_data / "pymskt" / "mese"
    echoes = list_echoes(folder)
    assert [round(echo, 1) for echo in echoes] == [6.3, 12.6, 18.9, 25.2, 31.6, 37.9, 44.2, 50.5]
    volume = load_image(folder, echo=echoes[0])
    assert volume.shape == (256, 256, 24)
    assert volume.spacing_mm == pytest.approx((0.625, 0.625, 4.0), abs=1e-4)
    assert volume.default_plane == "sagittal"
    assert volume.oblique

    files = []
    for path in sorted(folder.glob("*.dcm")):
        header = sitk.ReadImage(str(path))
        if float(header.GetMetaData("0018|0081")) == min(echoes):
            files.append((header.GetOrigin(), str(path)))
    theirs = None
    for ordered in (sorted(files), sorted(files)[::-1]):  # by patient x, one way or the other
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([path for _, path in ordered])
        image = reader.Execute()
        if np.array_equal(sitk.GetArrayViewFromImage(image).T, volume.array):
            theirs = image
    assert theirs is not None, "one of the two orders holds the same voxels"
    for index in [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 23), (255, 255, 23), (100, 31, 12)]:
        lps = np.array(theirs.TransformIndexToPhysicalPoint(index))
        assert (volume.affine @ (*index, 1))[:3] * LPS_TO_RAS == pytest.approx(lps, abs=2e-3)


@pytest.mark.real
def test_real_mese_echo_survives_nifti(real_data, tmp_path):
    volume = load_image(real_data / "pymskt" / "mese", echo=6.3)
    save_nifti(volume, tmp_path / "echo.nii.gz")
    back = load_image(tmp_path / "echo.nii.gz")
    check_same_grid(volume, back)
    assert np.array_equal(back.array, volume.array)
    assert back.array.dtype == volume.array.dtype
    image = sitk.ReadImage(str(tmp_path / "echo.nii.gz"))
    corner = np.array(image.TransformIndexToPhysicalPoint((255, 255, 23))) * LPS_TO_RAS
    assert corner == pytest.approx((volume.affine @ (255, 255, 23, 1))[:3], abs=2e-3)


@pytest.mark.real
def test_real_knee_labels_lie_where_the_nrrd_header_says(real_data, tmp_path):
    path = real_data / "pymskt" / "knee_labels.nrrd"
    volume = load_label_map(path)
    header = path.read_bytes()[:2000].decode("latin-1")
    fields = dict(line.split(": ", 1) for line in header.split("\n") if ": " in line)
    assert fields["space"] == "left-posterior-superior"
    axes = [
        np.array([float(x) for x in axis.strip("()").split(",")])
        for axis in fields["space directions"].split()
    ]
    origin = np.array([float(x) for x in fields["space origin"].strip("()").split(",")])
    assert np.allclose(volume.affine[:3, :3], np.stack(axes, axis=1) * LPS_TO_RAS[:, None])
    assert np.allclose(volume.affine[:3, 3], origin * LPS_TO_RAS)
    assert volume.shape == (384, 384, 160)
    assert volume.labels == tuple(range(1, 11))
    assert volume.oblique
    femur, tibia = (
        (volume.affine @ (*np.argwhere(volume.mask(n)).mean(axis=0), 1))[:3] for n in (5, 6)
    )
    assert femur[2] > tibia[2]  # the thigh bone stands on the shin bone
    rows = [np.argwhere(volume.stack("sagittal") == n)[:, 1].mean() for n in (5, 6)]
    assert rows[0] < rows[1]
    plane = volume.default_plane
    assert plane == "sagittal"
    assert np.array_equal(volume.from_stack(volume.stack(plane), plane).array, volume.array)


@pytest.mark.real
def test_real_vertebra_keeps_its_pir_grid(real_data, tmp_path):
    folder = real_data / "tptbox"
    image = load_image(folder / "sub-mri_label-6_T2w.nii.gz")
    labels = load_label_map(folder / "sub-mri_seg-subreg_label-6_msk.nii.gz")
    assert (image.orientation, image.shape) == ("PIR", (68, 52, 67))
    check_same_grid(image, labels)
    body, arch = (
        np.argwhere(labels.stack("sagittal") == n)[:, 2].mean() for n in (49, labels.labels[0])
    )
    assert body < arch  # the vertebral body lies in front, on the left of a sagittal picture
    save_nifti(labels, tmp_path / "labels.nii.gz")
    theirs = nib.load(tmp_path / "labels.nii.gz")
    assert np.array_equal(np.asarray(theirs.dataobj), labels.array)
    assert np.allclose(theirs.affine, image.affine, atol=1e-5)


@pytest.mark.real
def test_real_thigh_has_float_labels_and_odd_ones_on_the_left(real_data):
    folder = real_data / "qmritools"
    image = load_image(folder / "thigh_image.nii.gz")
    labels = load_label_map(folder / "thigh_labels.nii.gz")
    names = load_label_names(folder / "thigh_labels.txt")
    assert nib.load(folder / "thigh_labels.nii.gz").get_data_dtype() == np.float32
    assert labels.array.dtype == np.uint8
    assert len(labels.labels) == 29
    assert set(labels.labels) <= set(names)
    case = Case("thigh", image, labels, tissues=names)
    assert (case.plane, case.image.n_slices("axial")) == ("axial", 31)
    stack = labels.stack("axial")
    for label in labels.labels:
        columns = np.argwhere(stack == label)[:, 2]
        if names[label].endswith("Left"):
            assert columns.mean() > 160, names[label]  # the patient's left, right on the picture
        elif names[label].endswith("Right"):
            assert columns.mean() < 160, names[label]
    assert any(names[label].endswith("Left") for label in labels.labels)


@pytest.mark.real
@pytest.mark.parametrize("name", ["leg_image", "water", "fat"])
def test_real_dixon_images_make_cases(real_data, name):
    case = Case("leg", load_image(real_data / "qmritools" / f"{name}.nii.gz"))
    assert case.plane == "axial"
    assert case.slice(10).image.max() == 255
