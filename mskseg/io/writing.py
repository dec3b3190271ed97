"""Write volumes as NIfTI."""

import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.io.reading import NIFTI_SUFFIXES, image_suffix
from mskseg.volume import GRID_TOLERANCE_MM, Volume, farthest_corner_mm

_VIEWERS_READ = {"bool": "uint8", "float16": "float32", "int64": "int32", "uint64": "int32"}


def save_nifti(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a volume as NIfTI-1 with its affine, shape and dtype, completely or not at all.

    A grid that came from a NIfTI file keeps both its forms and their codes, so that every viewer
    lays the result on that file. Of others the affine goes into sform and qform alike, both with
    code 1 (scanner); a sheared affine, which a qform cannot hold, into the sform alone. The dtype
    is the array's; bool becomes uint8, float16 float32, and 64-bit integers, which many viewers
    refuse, int32.

    Parameters
    ----------
    volume : Volume
    path : path-like
        Ends in ``.nii`` or ``.nii.gz``; missing folders are made.

    Raises
    ------
    InputError
        If the file name has another ending or the values do not fit into int32.
    OutputError
        If the file cannot be written.
    """
    if image_suffix(Path(path)) not in NIFTI_SUFFIXES:
        raise InputError(f"{path} does not end in .nii or .nii.gz; results are written as NIfTI")
    dtype = np.dtype(_VIEWERS_READ.get(volume.array.dtype.name, volume.array.dtype))
    low, high = volume.array.min(), volume.array.max()
    if dtype == np.int32 and not -(2**31) <= int(low) <= int(high) < 2**31:
        raise InputError(
            f"values from {low} to {high} ({volume.array.dtype}) do not fit into {dtype}; give "
            "smaller ones, or floating-point numbers"
        )
    values = volume.array.astype(dtype, copy=False)
    image: Any = nib.Nifti1Image(values, volume.affine)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")
    (sform, s_code), (qform, q_code) = volume.nifti_forms or ((volume.affine, 1),) * 2
    image.header.set_zooms(volume.spacing_mm)
    image.set_sform(sform if s_code else None, code=s_code)
    image.set_qform(qform, code=q_code, strip_shears=True)
    new = volume.nifti_forms is None
    if new and farthest_corner_mm(volume.shape, qform, image.get_qform()) > GRID_TOLERANCE_MM:
        image.set_qform(None, code=0)
    with written_atomically(path) as temporary:
        nib.save(image, temporary)
