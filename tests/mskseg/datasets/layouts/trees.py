"""Small fake data sets in each layout, with volumes of a few voxels."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK

SHAPE = (6, 5, 4)


def voxels(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(1, 900, shape).astype(np.int16)


def labels(*values, shape=SHAPE):
    array = np.zeros(shape, np.uint8)
    for place, value in enumerate(values):
        array[1:3, 1:3, place % shape[2]] = value
    return array


def write_nifti(path: Path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([1.0, 1.0, 3.0, 1.0]) if affine is None else affine)
    image.set_sform(image.affine, code=1)
    nib.save(image, path)


def write_mha(path: Path, array, *, spacing=(1.0, 1.0, 3.0), origin=(0.0, 0.0, 0.0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    SimpleITK.WriteImage(image, str(path))


def write_dicom(folder: Path, array, *, echo=10.0, first=0, orientation="1\\0\\0\\0\\1\\0"):
    """One file for each slice k of array (columns, rows, slices)."""
    folder.mkdir(parents=True, exist_ok=True)
    row, column = np.array([float(v) for v in orientation.split("\\")]).reshape(2, 3)
    normal = np.cross(row, column)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(array.shape[2]):
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array[:, :, k].T)[None])
        image.SetSpacing((1.0, 1.0, 3.0))
        tags = {
            "0008|0060": "MR",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"1.2.3.{first + k + 1}",
            "0020|000d": "1.2.3.100",
            "0020|000e": "1.2.3.200",
            "0020|0013": str(first + k + 1),
            "0018|0081": str(echo),
            "0020|0037": orientation,
            "0020|0032": "\\".join(f"{v:g}" for v in normal * 3.0 * k),
            "0028|0030": "1\\1",
            "0018|0050": "3",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"I{first + k + 1:03}.dcm"))
        writer.Execute(image)


def spider(root: Path, subjects=(1, 2, 10), kinds=("t1", "t2", "t2_SPACE"), values=(1, 100, 201)):
    for subject in subjects:
        for n, kind in enumerate(kinds):
            write_mha(root / "images" / f"{subject}_{kind}.mha", voxels(100 * subject + n))
            write_mha(root / "masks" / f"{subject}_{kind}.mha", labels(*values))
    return root


def bright(n):
    """Scan (columns to the back, rows down, slices to the right) and what is bright in it."""
    scan = voxels(n, (5, 7, 4))
    return scan, scan > 450


def oai_zib(root: Path, subjects=("9001104", "9002430"), draw=bright):
    """Scans sagittal, columns to the back, rows down, as the OAI's; masks without a pose."""
    lines = []
    for n, subject in enumerate(subjects):
        inside = f"0.E.1/{subject}/20050101/1000{n}"
        lines.append(f"{subject}: {inside}")
        scan, marked = draw(n)
        write_dicom(root / "00m" / inside, scan, orientation="0\\1\\0\\0\\0\\-1")
        # The axes of the scan are those of `bright`; those of the mask (left, back, up).
        mask = marked.transpose(2, 0, 1)[::-1, :, ::-1].astype(np.uint8)
        path = root / "segmentation" / "segmentation_masks" / f"{subject}.segmentation_masks.mhd"
        write_mha(path, mask, spacing=(3.0, 1.0, 1.0))
    doc = root / "segmentation" / "doc"
    doc.mkdir(parents=True)
    (doc / "oai_mri_paths.txt").write_text("\n".join(lines) + "\n")
    return root


def nnunet(root: Path, names=("knee_001", "knee_002"), channels=1, described=None):
    for n, name in enumerate(names):
        for channel in range(channels):
            path = root / "imagesTr" / f"{name}_{channel:04}.nii.gz"
            write_nifti(path, voxels(10 * n + channel))
        write_nifti(root / "labelsTr" / f"{name}.nii.gz", labels(1, 2))
    content = described or {
        "channel_names": {str(c): f"contrast {c}" for c in range(channels)},
        "labels": {"background": 0, "femur": 1, "tibia": 2},
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def pairs(root: Path, names=("a_left_V1", "a_right_V1", "a_left_V2", "b_left_V1")):
    for n, name in enumerate(names):
        write_nifti(root / "images" / f"{name}.nii.gz", voxels(n))
        write_nifti(root / "labels" / f"{name}.nii.gz", labels(1))
    return root


def dicom_nifti(root: Path, scans=(("S1", "p1", 0), ("S2", "p1", 1), ("S3", "p2", 0))):
    for n, (scan, _, _) in enumerate(scans):
        for echo in range(2):
            array = voxels(10 * n + echo)
            write_dicom(root / "dicoms" / scan, array, echo=5.0 + 10 * echo, first=4 * echo)
        affine = np.diag([-1.0, -1.0, 3.0, 1.0])
        write_nifti(root / "masks" / f"{scan}.nii.gz", labels(1, 2), affine)
    lists = root / "annotations"
    lists.mkdir(parents=True)
    images = [{"scan_id": s, "subject_id": p, "timepoint": t} for s, p, t in scans]
    (lists / "train.json").write_text(json.dumps({"images": images}))
    return root
