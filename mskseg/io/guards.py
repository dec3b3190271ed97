"""What every reader asks before a library sees a file, and the notes that all formats share.

A header is text that anybody can write: what it claims is compared with the bytes that are there
before memory is asked for, and a place in space that is none is refused, not guessed.
"""

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mskseg.errors import InputError
from mskseg.volume import Array, NiftiForms, Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # of DICOM, NRRD and MetaImage
MOST_BYTES = 8 << 30  # of the voxels of one file
MOST_TRAILING = 1 << 20  # bytes behind the voxels that no header speaks of
_SIZES_MM = (1e-3, 1e3)  # of voxels


def size_of(path: Path) -> int:
    """Size of a regular file that is not empty; anything else is refused before it is opened."""
    if not path.exists():
        raise InputError("no such file or folder; check the path")
    if not path.is_file():
        raise InputError("expected a file, got a device or a pipe; save the image to a file")
    if (n_bytes := path.stat().st_size) == 0:
        raise InputError("the file is empty (0 bytes); get it again")
    return n_bytes


def check_room(needed: int, held: int, kind: str, *, packed: int = 0) -> None:
    """Refuse voxels that the bytes of a file cannot hold, that nobody has room for, or a tail.

    `packed` is the most that one byte can become, 0 where voxels are stored as they are.
    """
    if needed > MOST_BYTES:
        raise InputError(
            f"the header claims {needed / 1e9:.3g} GB of voxels, expected "
            f"{MOST_BYTES / 1e9:.2g} GB at most; cut out the part that is meant"
        )
    if needed > held * (packed or 1):
        raise InputError(
            f"not a complete {kind} file (its header claims {needed} bytes of voxels, the file has "
            f"{held}{' packed' if packed else ''}); get it again or check its kind"
        )
    if not packed and held > needed + MOST_TRAILING:
        raise InputError(f"{held - needed} bytes follow the {needed} of its voxels; get it again")


def warn_of_geometry(path: Path, problem: str) -> None:
    """Note that a header leaves open where the voxels lie: one sentence for all formats."""
    warnings.warn(
        f"{path} {problem}; left and right may be swapped, or distances in mm wrong", stacklevel=2
    )


def placed(
    array: Array,
    affine: Array,
    *,
    nifti_forms: NiftiForms | None = None,
    padding: float | None = None,
) -> Volume:
    """Make a volume; a place in space that is none, such as an infinite voxel size, is refused."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not (
        np.isfinite(affine).all() and _SIZES_MM[0] <= sizes.min() <= sizes.max() <= _SIZES_MM[1]
    ):
        raise InputError(
            f"the header gives voxels of {sizes} mm and the origin {affine[:3, 3]}, "
            f"expected {_SIZES_MM[0]:g} to {_SIZES_MM[1]:g} mm at a finite place; correct it"
        )
    return Volume(array, affine, nifti_forms=nifti_forms, padding=padding)


def volume_axes(array: Array, path: Path) -> Array:
    """Give an array three axes: trailing ones of length 1 go, and a 2-D image is one slice."""
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        warnings.warn(f"{path} is 2-D: read as one slice, of unknown thickness", stacklevel=2)
        return array[..., np.newaxis]
    if array.ndim != 3:
        advice = "save the one volume that is meant to a file of its own"
        if array.ndim == 4 and array.shape[0] == 1:
            advice = f"if the first axis is a channel, save it without: {array.shape[1:]}"
        raise InputError(
            f"expected one 3-D volume, got {array.ndim}-D of shape {array.shape}; {advice}"
        )
    return array


def itk() -> Any:
    """SimpleITK, without its own warnings on stderr; half a second that NIfTI need not pay."""
    import SimpleITK

    library: Any = SimpleITK  # which has no types
    library.ProcessObject.SetGlobalWarningDisplay(False)
    return library


@contextmanager
def readable_by_itk(path: Path, beside: str = "") -> Iterator[Path]:
    """Give the path; if its name is not UTF-8, a link to it, and to the file `beside` it.

    SimpleITK ends the process on such a name.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder, "image" + re.sub("[^.a-z]", "", path.suffix.lower()))
            link.symlink_to(path.absolute())
            if beside:
                Path(folder, beside).symlink_to(path.absolute().parent / beside)
            yield link
    else:
        yield path


@contextmanager
def broken_files(kind: str) -> Iterator[None]:
    """Turn whatever the bytes of a damaged file make a parser raise into one line."""
    try:
        yield
    except (InputError, MemoryError, PermissionError):
        raise
    except Exception as error:
        # ITK's reason stands behind a place in its source.
        found = re.search(r"ERROR: (?:.*?\): )?(.+)", str(error))
        reason = (found[1] if found else str(error).strip()).partition("\n")[0]
        raise InputError(
            f"not a complete {kind} file ({reason or type(error).__name__}); "
            "get it again or check its kind"
        ) from error
