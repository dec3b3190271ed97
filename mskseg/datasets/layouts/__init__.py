"""From a folder in some layout to a `CaseSet` that reads each scan when it is asked for.

One module a layout; each lists its scans from file names alone, so that a data set of hundreds of
volumes is listed in an instant and never held in memory at once.
"""

from __future__ import annotations

from pathlib import Path

from mskseg.datasets.layouts.dicom_nifti import list_dicom_nifti
from mskseg.datasets.layouts.forms import (
    DicomNiftiLayout,
    Layout,
    NiftiPairsLayout,
    NnunetLayout,
    OaiZibLayout,
    SpiderLayout,
)
from mskseg.datasets.layouts.lazy import LazyCaseSet, ScanFiles
from mskseg.datasets.layouts.nifti_pairs import list_nifti_pairs
from mskseg.datasets.layouts.nnunet import list_nnunet
from mskseg.datasets.layouts.oai_zib import list_oai_zib
from mskseg.datasets.layouts.pairing import About
from mskseg.datasets.layouts.spider import list_spider
from mskseg.errors import InputError

__all__ = ["About", "LazyCaseSet", "ScanFiles", "list_scans", "read_folder"]


def list_scans(folder: Path, layout: Layout, about: About) -> list[ScanFiles]:
    """List the scans of a folder without reading a voxel.

    Parameters
    ----------
    folder : Path
    layout : Layout
        How its files lie.
    about : About
        What is the same for all scans.

    Returns
    -------
    list of ScanFiles
        By subject, then by the rest of their names; numbers inside names count as numbers.

    Raises
    ------
    InputError
        If the folder is missing, is not in that layout, or is half there: an image without its
        label map, or the other way round.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the folder of {about.dataset}")
    match layout:
        case SpiderLayout():
            return list_spider(folder, about)
        case OaiZibLayout():
            return list_oai_zib(folder, about, layout)
        case NnunetLayout():
            return list_nnunet(folder, about, layout)
        case NiftiPairsLayout():
            return list_nifti_pairs(folder, about, layout)
        case DicomNiftiLayout():
            return list_dicom_nifti(folder, about, layout)


def read_folder(
    folder: str | Path, layout: Layout | None = None, *, about: About | None = None
) -> LazyCaseSet:
    """Give the scans of any folder as a set of cases; your own data, for example.

    Parameters
    ----------
    folder : path-like
    layout : Layout, optional
        By default `NiftiPairsLayout`: ``images/NAME.nii.gz`` and ``labels/NAME.nii.gz``.
    about : About, optional
        Anatomy, names of labels and so on.

    Returns
    -------
    LazyCaseSet

    Raises
    ------
    InputError
        As `list_scans`, or if two scans have one name.
    """
    about = about or About()
    scans = list_scans(Path(folder).expanduser(), layout or NiftiPairsLayout(), about)
    return LazyCaseSet(about.dataset, scans)
