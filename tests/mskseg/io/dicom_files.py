"""What the tests of readers share: DICOM files written by pydicom, and one line or a volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from mskseg.errors import InputError
from mskseg.io import load_image
from mskseg.volume import Volume


def read_or_refused(path: Path) -> Volume | None:
    """Read an image; None where it is refused, which must take one line."""
    try:
        return load_image(path)
    except InputError as error:
        reason = str(error)
    assert "\n" not in reason
    return None


def mr_image(pixels, position=(0.0, 0.0, 0.0), *, number=1, series="1.2.3", **changes) -> Dataset:
    """One classic MR image; a change of None takes an element away."""
    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = f"{series}.{number}"
    dataset.SeriesInstanceUID = series
    dataset.Modality = "MR"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    dataset.InstanceNumber = number
    dataset.EchoTime = 10.0
    dataset.SliceThickness = 4.0
    dataset.ImagePositionPatient = [float(x) for x in position]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [0.5, 0.75]
    pixels = np.asarray(pixels, np.uint16)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def write(dataset: Dataset, path: Path, *, preamble: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not preamble:
        dataset.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
        return path
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_stack(folder: Path, n=4, *, step=(0.0, 0.0, 4.0), start=0, name="i", **changes) -> Path:
    """Write n slices whose voxels hold the number of their slice; changes can be functions."""
    for k in range(n):
        here = {key: value(k) if callable(value) else value for key, value in changes.items()}
        position = here.pop("position", np.array(step) * k)
        image = mr_image(np.full((5, 6), k + start), position, number=k + 1 + start, **here)
        write(image, folder / f"{name}{k:02d}.dcm")
    return folder
