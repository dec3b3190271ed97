"""Read images and label maps: NIfTI, NRRD, MetaImage, and DICOM folders (`mskseg.io.dicom`).

What leaves this module is RAS+ millimetres, whatever the file says: NIfTI is RAS+ already; DICOM,
NRRD and MetaImage come through ITK in LPS+, and get the signs of their first two axes changed.
"""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from mskseg.errors import InputError, naming
from mskseg.io.dicom import LPS_TO_RAS, load_series
from mskseg.volume import Array, LabelMap, Volume, farthest_corner_mm

PathLike = str | os.PathLike[str]

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
_MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_BROKEN_FILE = (
    OSError, EOFError, ValueError, KeyError, OverflowError, RuntimeError, zlib.error,
    ImageFileError, HeaderDataError,
)  # fmt: skip


def load_image(path: PathLike, *, echo: float | None = None) -> Volume:
    """Read an image on its own grid.

    Parameters
    ----------
    path : path-like
        A NIfTI (``.nii``, ``.nii.gz``), NRRD (``.nrrd``, ``.nhdr``) or MetaImage (``.mha``,
        ``.mhd``) file, or the folder of one DICOM series.
    echo : float, optional
        Echo time in ms, to 0.1; needed where a DICOM series holds several (see `list_echoes`).

    Returns
    -------
    Volume
        In the dtype of the file, float32 where the file scales its values.

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, not an image or not 3-D (trailing axes of length
        1 are dropped), or the folder does not hold exactly one complete series.
    """
    source = Path(path)
    with naming(source):
        return Volume(*_read(source, echo=echo))


def load_label_map(path: PathLike) -> LabelMap:
    """Read a label map on its own grid.

    Parameters
    ----------
    path : path-like
        As `load_image`. Floating-point files are taken if every value is whole.

    Raises
    ------
    InputError
        As `load_image`, and if a value has a fraction.
    """
    source = Path(path)
    with naming(source):
        return LabelMap(*_read(source, echo=None))


def _read(path: Path, *, echo: float | None) -> tuple[Array, Array]:
    if path.is_dir():
        return load_series(path, echo=echo)
    if echo is not None:
        raise InputError(f"an echo is chosen from a folder of DICOM, got echo {echo} for a file")
    if not path.exists():
        raise InputError("no such file or folder; check the path")
    if path.stat().st_size == 0:
        raise InputError("the file is empty (0 bytes); get it again")
    if image_suffix(path) in NIFTI_SUFFIXES:
        return _read_nifti(path)
    if image_suffix(path) in _ITK:
        return _read_itk(path)
    raise InputError(
        f"not an image format known here; give {', '.join(NIFTI_SUFFIXES + _ITK)} "
        "or the folder of a DICOM series"
    )


def image_suffix(path: Path) -> str:
    """Give the ending of a file, where ``.nii.gz`` is one."""
    name = path.name.lower()
    return next(
        (suffix for suffix in (*NIFTI_SUFFIXES, *_ITK) if name.endswith(suffix)), path.suffix
    )


def _read_nifti(path: Path) -> tuple[Array, Array]:
    with _broken_files_as_input_errors("NIfTI"):
        image = _opened_nifti(path)
        shape = _three_axes(image.shape)
        _warn_of_unclear_orientation(path, image)
        values = _gzip_checked(path, image) if image_suffix(path) == ".nii.gz" else _values(image)
        mm = _MM_PER_UNIT.get(image.header.get_xyzt_units()[0], 1.0)
    return values.reshape(shape, order="F"), np.diag([mm, mm, mm, 1.0]) @ image.affine


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
        while stream.read(1 << 20):
            pass
    return values


def _values(image: Any) -> Array:
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    if (slope, intercept) != (1, 0):
        scaled: Array = image.get_fdata(dtype=np.float32, caching="unchanged")
        return scaled
    values: Array = np.asarray(image.dataobj)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _three_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise InputError(
            f"expected one 3-D volume, got {len(shape)}-D of shape {tuple(shape)}; "
            "save the one volume that is meant to a file of its own"
        )
    return tuple(shape)


def _warn_of_unclear_orientation(path: Path, image: Any) -> None:
    header = image.header
    problem = ""
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        problem = "has no orientation (sform and qform codes are 0)"
    elif header["sform_code"] > 0 and header["qform_code"] > 0:
        problem = _difference_of_forms(_three_axes(image.shape), header)
    if problem:
        warnings.warn(f"{path} {problem}; left and right may be swapped", stacklevel=5)


def _difference_of_forms(shape: tuple[int, ...], header: Any) -> str:
    try:
        apart = farthest_corner_mm(shape, header.get_sform(), header.get_qform())
    except ValueError:  # a quaternion longer than 1 by rounding: the sform says all
        return ""
    if apart > 1.0:  # more than the rounding of a quaternion
        return f"has an sform and a qform that lie {apart:.3g} mm apart, the sform is taken"
    return ""


def _read_itk(path: Path) -> tuple[Array, Array]:
    import SimpleITK  # half a second of import that NIfTI users need not pay

    with _broken_files_as_input_errors("NRRD or MetaImage"):
        image: Any = SimpleITK.ReadImage(str(path))
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            f"{image.GetNumberOfComponentsPerPixel()} values per voxel; one number needed"
        )
    shape = _three_axes(image.GetSize())
    values = SimpleITK.GetArrayFromImage(image).reshape(shape[::-1])
    return values.T, LPS_TO_RAS @ _affine_lps(image)


def _affine_lps(image: Any) -> Array:
    n = image.GetDimension()
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(n, n)[:3, :3]
    affine[:3, :3] = direction * np.array(image.GetSpacing()[:3])
    affine[:3, 3] = image.GetOrigin()[:3]
    return affine


@contextmanager
def _broken_files_as_input_errors(kind: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _BROKEN_FILE as error:
        raise InputError(
            f"not a complete {kind} file ({_last_line(error)}); get it again or check its kind"
        ) from error


def _last_line(error: Exception) -> Any:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
