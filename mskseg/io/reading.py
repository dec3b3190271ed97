"""Read images and label maps: NIfTI, NRRD, MetaImage, and DICOM folders (`mskseg.io.dicom`).

What leaves this module is RAS+ millimetres, whatever the file says: NIfTI is RAS+ already; DICOM,
NRRD and MetaImage come through ITK in LPS+, and get the signs of their first two axes changed.
"""

import gzip
import logging
import math
import os
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.openers import Opener

from mskseg.errors import InputError, naming
from mskseg.io import guards
from mskseg.io.dicom import is_dicom, load_series
from mskseg.io.itk import ITK_SUFFIXES, read_itk
from mskseg.volume import Array, LabelMap, NiftiForms, Volume, farthest_corner_mm

PathLike = str | os.PathLike[str]

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


def load_image(path: PathLike, *, echo: float | None = None, kind: str | None = None) -> Volume:
    """Read an image on its own grid.

    Parameters
    ----------
    path : path-like
        A NIfTI (``.nii``, ``.nii.gz``), NRRD (``.nrrd``, ``.nhdr``) or MetaImage (``.mha``,
        ``.mhd``) file, the folder of one DICOM series, or one DICOM file as one slice.
    echo : float, optional
        Echo time in ms, to 0.1; needed where a DICOM series holds several (see `list_echoes`).
    kind : str, optional
        Such as "magnitude" or "water"; needed where a DICOM series holds several kinds of image.

    Returns
    -------
    Volume
        In the dtype of the file, float32 where the file scales its values. Where the file is not
        clear about the place of its voxels, a note says so.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, not an image or neither 3-D nor 2-D (trailing axes
        of length 1 are dropped), or the folder does not hold exactly one complete series.
    """
    source = Path(path)
    with naming(source):
        return _read(source, echo=echo, kind=kind)


def load_label_map(path: PathLike) -> LabelMap:
    """Read a label map on its own grid.

    Parameters
    ----------
    path : path-like
        As `load_image`. Floating-point files are taken as `LabelMap` takes arrays; segments of 3D
        Slicer (``.seg.nrrd``) that do not overlap become one label map (see `load_label_names`).

    Raises
    ------
    InputError
        As `load_image`, and if a value has a fraction.
    """
    source = Path(path)
    with naming(source):
        read = _read(source, labels=True)
        with warnings.catch_warnings(record=True) as notes:
            label_map = LabelMap(read.array, read.affine, nifti_forms=read.nifti_forms)
    for note in notes:  # that labels were rounded
        warnings.warn(f"{source}: {note.message}", stacklevel=2)
    return label_map


def _read(
    path: Path, *, echo: float | None = None, kind: str | None = None, labels: bool = False
) -> Volume:
    if path.is_dir():
        return load_series(path, echo=echo, kind=kind)
    n_bytes = guards.size_of(path)
    if echo is not None or kind is not None:
        what = "a kind" if echo is None else "an echo"
        raise InputError(f"{what} is chosen from a folder of DICOM, got a file; leave it out")
    if image_suffix(path) in NIFTI_SUFFIXES:
        return _read_nifti(path, n_bytes)
    if image_suffix(path) in ITK_SUFFIXES:
        return read_itk(path, labels=labels)
    if is_dicom(path):
        return load_series(path)
    raise InputError(
        f"not an image format known here; give {', '.join(NIFTI_SUFFIXES + ITK_SUFFIXES)} "
        "or the folder of a DICOM series"
    )


def image_suffix(path: Path) -> str:
    """Give the ending of a file, where ``.nii.gz`` is one."""
    name = path.name.lower()
    return next(
        (suffix for suffix in (*NIFTI_SUFFIXES, *ITK_SUFFIXES) if name.endswith(suffix)),
        path.suffix,
    )


def _read_nifti(path: Path, n_bytes: int) -> Volume:
    packed = image_suffix(path) == ".nii.gz"
    nib.imageglobals.logger.setLevel(logging.CRITICAL)  # what it finds odd, our notes say
    with guards.broken_files("NIfTI"):
        image = _opened_nifti(path)
        header, dtype = image.header, image.get_data_dtype()
        if min(image.shape, default=0) < 1:
            raise InputError(f"the header claims the shape {image.shape}; get the file again")
        needed = math.prod(image.shape) * dtype.itemsize
        start = 0 if packed else int(image.dataobj.offset)
        guards.check_room(needed, max(n_bytes - start, 0), "NIfTI", packed=1032 if packed else 0)
        if len(image.shape) > 3:
            guards.volume_axes(np.broadcast_to(0, image.shape), path)  # refused before it is read
        mm = _MM_PER_UNIT.get(header.get_xyzt_units()[0], 1.0)
        affine, forms, problem = _geometry(path, image)
        values = _gzip_checked(path, image) if packed else _values(image)
    if problem:
        guards.warn_of_geometry(path, problem)
    to_mm = np.diag([mm, mm, mm, 1.0])
    sform, qform = ((to_mm @ form, code) for form, code in forms)
    return guards.placed(
        guards.volume_axes(values, path), to_mm @ affine, nifti_forms=(sform, qform)
    )


def _opened_nifti(path: Path) -> Any:
    image: Any = nib.load(path)
    if type(image) not in (nib.Nifti1Image, nib.Nifti2Image):
        raise InputError(f"not a NIfTI file but {type(image).__name__}; save it as NIfTI")
    dtype = image.get_data_dtype()
    if dtype.kind not in "buif":
        raise InputError(f"voxels of type {dtype}; give an image of one real number per voxel")
    return image


def _gzip_checked(path: Path, image: Any) -> Array:
    """Read to the very end, where gzip compares its checksum; nibabel stops at the last voxel."""
    with gzip.open(path) as stream:
        values = _values(type(image).from_stream(stream))
        trailing = 0
        while block := stream.read(1 << 20):
            trailing += len(block)
            if trailing > guards.MOST_TRAILING:
                raise InputError("more follows the voxels than a NIfTI file has; get it again")
    return values


def _values(image: Any) -> Array:
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    if (slope, intercept) != (1, 0):
        scaled: Array = image.get_fdata(dtype=np.float32, caching="unchanged")
        return scaled
    values: Array = np.asarray(image.dataobj)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _geometry(path: Path, image: Any) -> tuple[Array, NiftiForms, str]:
    """Affine, both forms with their codes, and what of the header leaves the place open.

    The header is read once more as it is: nibabel puts 1 mm where it finds 0, and takes away signs.
    """
    with Opener(str(path)) as stream:
        raw = type(image.header).from_fileobj(stream, check=False)
    slope, pixdim = float(raw["scl_slope"]), np.array(raw["pixdim"][1:4], float)
    codes = int(raw["sform_code"]), int(raw["qform_code"])
    if np.isinf(slope):
        raise InputError("the header scales values by infinity (scl_slope); correct it")
    n_axes = min(len(image.shape), 3)
    pixdim = pixdim[:n_axes]
    if not np.isfinite(pixdim).all() or (codes[0] <= 0 and pixdim.min() < 0):
        raise InputError(
            f"the header holds the voxel sizes {_by(pixdim)} mm (pixdim), "
            "expected finite sizes above 0; correct it"
        )
    affine, sform = np.array(image.affine), np.array(image.header.get_sform())
    try:
        qform = np.array(image.header.get_qform())
    except ValueError:  # a quaternion longer than 1 by rounding: the sform says all
        qform, codes = affine, (codes[0], 0)
    for form in (affine, sform, qform):
        if len(image.shape) < 3 and not form[:3, 2].any():
            normal = np.cross(form[:3, 0], form[:3, 1])
            form[:3, 2] = normal / np.linalg.norm(normal)
    sizes = np.linalg.norm(affine[:3, :n_axes], axis=0)
    problem = ""
    if codes[0] <= 0 and codes[1] <= 0:
        problem = "has no orientation (sform and qform codes are 0)"
    elif codes[0] > 0 and codes[1] > 0:
        apart = farthest_corner_mm((*image.shape, 1)[:3], sform, qform)
        if apart > 1.0:  # more than the rounding of a quaternion
            problem = f"has an sform and a qform that lie {apart:.3g} mm apart, the sform is taken"
    if not problem and not np.allclose(pixdim, sizes, rtol=0.05, atol=0):
        taken = "its sform" if codes[0] > 0 else "taken are"
        problem = f"says pixdim {_by(pixdim)} mm, {taken} {_by(sizes)} mm"
    return affine, ((sform, codes[0]), (qform, codes[1])), problem


def _by(sizes: Array) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)
