"""How the files of a data set lie in its folder: what `data_manifest.yaml` says of each layout.

One class a layout, told apart by ``kind``; `mskseg.datasets.layouts` has one reader for each. All
paths are relative to the data set's folder and cannot leave it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

NAMED_PARTS = ("subject", "sequence", "side", "visit", "site")
"""Groups that a pattern may capture; what it captures becomes that attribute of the `Case`."""


def _stays_inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or re.match(r"[A-Za-z]:", path):
        raise ValueError(f"{path!r} may leave the data set's folder; give a path below it")
    return path


def _captures_subject(pattern: str) -> str:
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    unknown = sorted(groups - set(NAMED_PARTS))
    if "subject" not in groups or unknown:
        raise ValueError(
            f"{pattern!r} must have a group (?P<subject>...) and may have "
            f"{', '.join(NAMED_PARTS[1:])}; it has {', '.join(sorted(groups)) or 'none'}"
        )
    return pattern


InsidePath = Annotated[str, Field(min_length=1), AfterValidator(_stays_inside)]
NamePattern = Annotated[str, AfterValidator(_captures_subject)]


class _Layout(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpiderLayout(_Layout):
    """``images/N_t1.mha`` beside ``masks/N_t1.mha``; N is the patient."""

    kind: Literal["spider"] = "spider"


class OaiZibLayout(_Layout):
    """OAI-ZIB's masks beside the scans of the OAI, which come from there.

    Attributes
    ----------
    scans : str
        Folder of the OAI's baseline; the paths in ``oai_mri_paths.txt`` begin in it.
    """

    kind: Literal["oai_zib"] = "oai_zib"
    scans: InsidePath = "00m"


class NnunetLayout(_Layout):
    """nnU-Net raw: ``imagesTr/NAME_0000.nii.gz``, ``labelsTr/NAME.nii.gz``, ``dataset.json``.

    Attributes
    ----------
    pattern : str
        Of NAME; captures ``subject``, and ``side`` and ``visit`` where names tell them.
    folders : dict of str to str
        Folder of label maps for each folder of images.
    """

    kind: Literal["nnunet"] = "nnunet"
    pattern: NamePattern = r"(?P<subject>.+)"
    folders: dict[InsidePath, InsidePath] = {"imagesTr": "labelsTr"}


class NiftiPairsLayout(_Layout):
    """A label map for each image, found by its name.

    Attributes
    ----------
    images : str
        Glob of the images below the folder.
    labels : str
        Path of the label map; ``{name}`` is the image's file name without its ending, and
        ``{subject}`` and the other groups of the pattern are what it captured. Several images may
        share one label map.
    pattern : str
        Of the image's path below the folder, without its ending, with slashes.
    """

    kind: Literal["nifti_pairs"] = "nifti_pairs"
    images: InsidePath = "images/*.nii.gz"
    labels: InsidePath = "labels/{name}.nii.gz"
    pattern: NamePattern = r"(?:.*/)?(?P<subject>[^/]+)"


class DicomNiftiLayout(_Layout):
    """A folder of DICOM files for each scan, and its label map as NIfTI.

    Attributes
    ----------
    images : str
        Glob of the folders; each holds one series.
    labels : str
        Path of the label map; ``{name}`` is the folder's name.
    pattern : str
        Of the DICOM folder's path below the data set's folder, with slashes.
    echoes : int
        Each echo becomes a case of its own, with the same label map.
    subjects : str, optional
        Glob of JSON files with ``images: [{scan_id, subject_id, timepoint}]``, where the name of a
        scan does not tell whose it is; ``timepoint`` becomes the visit.
    """

    kind: Literal["dicom_nifti"] = "dicom_nifti"
    images: InsidePath = "dicoms/*"
    labels: InsidePath = "labels/{name}.nii.gz"
    pattern: NamePattern = r"(?:.*/)?(?P<subject>[^/]+)"
    echoes: PositiveInt = 1
    subjects: InsidePath | None = None


Layout = Annotated[
    SpiderLayout | OaiZibLayout | NnunetLayout | NiftiPairsLayout | DicomNiftiLayout,
    Field(discriminator="kind"),
]
