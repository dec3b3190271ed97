"""DICOM segmentations: read back by highdicom and pydicom, equal to the mask, at its place."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pydicom
import pytest

from mskseg.errors import InputError
from mskseg.io import load_image
from mskseg.io.dicom_seg import save_dicom_seg
from mskseg.volume import LabelMap

from .dicom_files import write_stack

STUDY = {
    "PatientID": "p1",
    "PatientName": "A^B",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyInstanceUID": "1.2.9",
    "StudyDate": "",
    "StudyTime": "",
    "StudyID": "",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "FrameOfReferenceUID": "1.2.8",
}
COS, SIN = np.cos(0.4), np.sin(0.4)
DIRECTIONS = {  # of a row, of a column, of the stack: LPS+
    "axial": ([1, 0, 0], [0, 1, 0], [0, 0, 1]),
    "sagittal, downwards": ([0, 1, 0], [0, 0, -1], [-1, 0, 0]),
    "oblique": ([COS, SIN, 0], [0, 0, -1], [-SIN, COS, 0]),
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_it_is_the_mask_voxel_by_voxel_and_lies_where_it_lies(name, tmp_path):
    row, column, normal = (np.array(each, float) for each in DIRECTIONS[name])
    orientation = [*row, *column]
    step = 4.0 * normal
    corner = np.array([10.0, -20, 30])
    folder = write_stack(
        tmp_path / "series",
        n=4,
        position=lambda k: corner + step * k,
        InstanceNumber=lambda k: 4 - k,  # files are not in the order of space
        ImageOrientationPatient=orientation,
        **STUDY,
    )
    image = load_image(folder)
    labels = np.zeros(image.shape, np.uint8)
    labels[1:3, 2:4, 1] = 3
    labels[4, 1, 2:4] = 7
    path = tmp_path / "out" / "mask.dcm"
    save_dicom_seg(LabelMap(labels, image.affine), path, series=folder, model="m")

    found = hd.seg.segread(path)
    assert [each.SegmentLabel for each in found.SegmentSequence] == ["label 3", "label 7"]
    assert pydicom.dcmread(path).SOPClassUID.name == "Segmentation Storage"
    assert found.PatientID == "p1"
    volume = found.get_volume(combine_segments=True)
    to_ras = np.diag([-1.0, -1, 1, 1])
    for number, label in enumerate((3, 7), start=1):
        here = np.argwhere(volume.array == number)
        places = to_ras @ volume.affine @ np.c_[here, np.ones(len(here))].T
        expected = np.argwhere(labels == label)
        wanted = image.affine @ np.c_[expected, np.ones(len(expected))].T
        assert len(here) == len(expected)
        distance = np.linalg.norm(places.T[:, None] - wanted.T[None], axis=2)
        assert distance.min(axis=1).max() < 1e-3
        assert distance.min(axis=0).max() < 1e-3


def test_what_a_dicom_object_must_name_and_is_missing_is_said_in_one_line(tmp_path):
    folder = write_stack(tmp_path / "series")
    image = load_image(folder)
    path = tmp_path / "mask.dcm"
    nothing = LabelMap(np.zeros(image.shape, np.uint8), image.affine)
    with pytest.raises(InputError, match="nothing was segmented"):
        save_dicom_seg(nothing, path, series=folder, model="m")
    mask = LabelMap(np.ones(image.shape, np.uint8), image.affine)
    with pytest.raises(InputError, match=r"cannot make a DICOM segmentation of .*series: .*give"):
        save_dicom_seg(mask, path, series=folder, model="m")
    small = LabelMap(np.ones((2, 2, 2), np.uint8), image.affine)
    with pytest.raises(InputError, match=r"\(2, 2, 2\) is not on the grid"):
        save_dicom_seg(small, path, series=folder, model="m")
    assert not path.exists()
