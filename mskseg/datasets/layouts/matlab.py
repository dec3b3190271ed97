"""MATLAB files (version 5) that hold an image and its label map, one file for each person.

Such a file has no affine. The layout says what is known of the grid; it is nominal, and where left
and right are not known they are not made up: nothing may be concluded from the side.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from nibabel import orientations
from pydantic import Field, PositiveFloat
from scipy.io import loadmat, whosmat

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.base import (
    BaseLayout,
    NamePattern,
    check_complete,
    named_parts,
    visible_paths,
)
from mskseg.datasets.scans import ScanFiles, scan_files
from mskseg.errors import InputError
from mskseg.volume import LabelMap, Volume


class MatlabLayout(BaseLayout):
    """One ``.mat`` file for each person, with the image and the label map as two arrays."""

    kind: Literal["matlab"] = "matlab"
    pattern: NamePattern = r"(?P<subject>.+)"  # of the file's name without ``.mat``
    image: str = "I"  # name of the array in the file
    reference: str = "GT"
    orientation: str = Field(default="RAS", pattern=r"^[RLAPSI]{3}$")  # where the axes grow to
    voxel_mm: PositiveFloat = 1.0  # along each axis
    # Why a file is passed over, by its name without ``.mat``.
    passed_over: Mapping[str, str] = Field(default_factory=dict)

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans, see `BaseLayout`."""
        scans = self.scans_of(visible_paths(folder, "*.mat"), template)
        check_complete(folder, template.dataset, images=[scan.image for scan in scans], missing=())
        return scans

    def scans_of(self, files: list[Path], template: CaseDescription) -> list[ScanFiles]:
        """Describe the scans of files, which need not be there yet, without those passed over."""
        return [
            scan_files(
                template,
                named_parts(self.pattern, path.stem, path=path),
                image=path,
                reference=path,
                read=self.read,
            )
            for path in files
            if path.stem not in self.passed_over
        ]

    def read(self, scan: ScanFiles) -> tuple[Volume, LabelMap]:
        """Read image and label map; InputError if they are not there or do not fit together."""
        arrays = _arrays(scan.image, (self.image, self.reference))
        image, labels = arrays[self.image], arrays[self.reference]
        if image.shape != labels.shape or image.ndim != 3:
            raise InputError(
                f"{scan.image} has an image {image.shape} and a label map {labels.shape}, expected "
                "two volumes of one shape; get the file again, or leave this person out"
            )
        affine = np.diag([0.0, 0.0, 0.0, 1.0])
        grows_to = orientations.axcodes2ornt(self.orientation)  # type: ignore[no-untyped-call]
        for axis, (direction, sign) in enumerate(grows_to):
            affine[int(direction), axis] = sign * self.voxel_mm
        return Volume(image, affine), LabelMap(labels, affine)


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        content: dict[str, Any] = loadmat(path, variable_names=names)
    except NotImplementedError as error:
        raise InputError(
            f"{path} is a MATLAB 7.3 file, expected version 5; save it in MATLAB with -v7"
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there; fetch the data set again") from error
    except Exception as error:  # scipy raises whatever the bytes of a damaged file lead to
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} cannot be read as a MATLAB file ({reason}); get it again"
        ) from error
    if not all(name in content and content[name].dtype.kind in "biuf" for name in names):
        held = ", ".join(name for name, _, _ in whosmat(path)) or "nothing"
        raise InputError(
            f"{path} is of another form: expected arrays of numbers {' and '.join(names)}, got "
            f"{held}; name the arrays in the layout, or convert the file to NIfTI"
        )
    return {name: content[name] for name in names}
