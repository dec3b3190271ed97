"""MATLAB files: one for each person, with a nominal grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from mskseg.datasets.layouts import MatlabLayout, read_folder
from mskseg.errors import InputError

LAYOUT = MatlabLayout(
    pattern=r"(?P<subject>(?P<site>VB\d)_\d+)",
    orientation="IPR",
    passed_over={"VB2_04": "one slice too many"},
)


def write(path, *, image=(6, 5, 4), labels=None, names=("I", "GT"), dtype=np.uint8):
    """Write a person whose image counts its voxels and whose label lies in one corner."""
    voxels = np.arange(np.prod(image), dtype=dtype).reshape(image)
    label_map = np.zeros(labels or image, np.uint8)
    label_map[0, 0] = 1
    savemat(path, dict(zip(names, (voxels, label_map), strict=True)))
    return voxels


def test_axes_grow_as_the_layout_says(tmp_path):
    voxels = write(tmp_path / "VB2_05.mat")
    (case,) = read_folder(tmp_path, LAYOUT)
    assert (case.subject, case.site, case.image.orientation) == ("VB2_05", "VB2", "IPR")
    assert case.image.spacing_mm == (1, 1, 1)
    # The first voxel is superior, anterior and left: in RAS order x is low, y and z are high.
    np.testing.assert_array_equal(
        case.image.reoriented("RAS").array, voxels.transpose(2, 1, 0)[:, ::-1, ::-1]
    )


def test_damaged_people_are_passed_over(tmp_path):
    for name in ("VB2_04", "VB2_05", "VB3_05"):
        write(tmp_path / f"{name}.mat")
    cases = read_folder(tmp_path, LAYOUT)
    assert cases.subjects == ("VB2_05", "VB3_05")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"labels": (6, 5, 5)}, r"image \(6, 5, 4\) and a label map \(6, 5, 5\).*one shape"),
        ({"image": (6, 5), "labels": (6, 5)}, r"expected two volumes of one shape"),
        ({"names": ("image", "mask")}, "expected arrays of numbers I and GT, got image, mask"),
        ({"dtype": complex}, "expected arrays of numbers I and GT"),
    ],
)
def test_another_form_is_refused(tmp_path, written, message):
    write(tmp_path / "VB2_05.mat", **written)
    cases = read_folder(tmp_path, LAYOUT)
    with pytest.raises(InputError, match=message):
        cases[0]


def test_version_7_3_is_refused_with_the_way_out(tmp_path):
    header = b"MATLAB 7.3 MAT-file, made by hand".ljust(124, b" ") + b"\x00\x02IM"
    (tmp_path / "VB2_05.mat").write_bytes(header + b"\x89HDF\r\n\x1a\n".ljust(600, b"\0"))
    with pytest.raises(InputError, match=r"MATLAB 7\.3 file, expected version 5; save it.*-v7"):
        read_folder(tmp_path, LAYOUT)[0]


@pytest.mark.parametrize("n_bytes", [0, 100, 300])
def test_a_damaged_file_is_one_line(tmp_path, n_bytes):
    path = tmp_path / "VB2_05.mat"
    write(path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"VB2_05\.mat") as caught:
        read_folder(tmp_path, LAYOUT)[0]
    assert "\n" not in str(caught.value)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        read_folder(tmp_path, LAYOUT)
