"""Layouts of folders of scans: a class each, with its fields in the manifest and its reader.

Each lists its scans from file names alone, so that a data set of hundreds of volumes is listed in
an instant and never held in memory at once. A new layout is a class here and a member of `Layout`.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.matlab import MatlabLayout as MatlabLayout
from mskseg.datasets.layouts.metaimage import OaiZibLayout as OaiZibLayout
from mskseg.datasets.layouts.metaimage import SpiderLayout as SpiderLayout
from mskseg.datasets.layouts.nifti import DicomNiftiLayout as DicomNiftiLayout
from mskseg.datasets.layouts.nifti import NiftiPairsLayout as NiftiPairsLayout
from mskseg.datasets.layouts.nifti import read_globbed as read_globbed
from mskseg.datasets.layouts.nnunet import NnunetLayout as NnunetLayout
from mskseg.datasets.scans import LazyCaseSet
from mskseg.errors import InputError
from mskseg.input_files import user_path

Layout = Annotated[
    SpiderLayout | OaiZibLayout | NnunetLayout | NiftiPairsLayout | DicomNiftiLayout | MatlabLayout,
    Field(discriminator="kind"),
]


def read_folder(
    folder: str | Path, layout: Layout | None = None, *, template: CaseDescription | None = None
) -> LazyCaseSet:
    """Give the scans of any folder as a set of cases; your own data, for example.

    By default in the layout ``images/NAME.nii.gz`` and ``labels/NAME.nii.gz``; `template` has
    anatomy and names of labels. InputError if the folder is in another layout or half there.
    """
    template = template or CaseDescription(subject="")
    path = user_path(folder)
    if not path.is_dir():
        raise InputError(f"{path} is not a folder; give the folder of {template.dataset}")
    scans = (layout or NiftiPairsLayout()).list_scans(path, template)
    return LazyCaseSet(template.dataset, scans)
