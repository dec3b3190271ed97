"""A folder of DICOM files for each scan, and its label map as NIfTI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.base import (
    BaseLayout,
    InsidePath,
    NamePattern,
    check_complete,
    named_parts,
    visible_paths,
)
from mskseg.datasets.layouts.nifti import label_path
from mskseg.datasets.scans import ScanFiles, scan_files
from mskseg.errors import InputError
from mskseg.input_files import parsed, read_text

_MOST_MB = 100.0  # of a list of scans with all that is known about each


class DicomNiftiLayout(BaseLayout):
    """A folder of DICOM files for each scan, and its label map as NIfTI."""

    kind: Literal["dicom_nifti"] = "dicom_nifti"
    images: InsidePath = "dicoms/*"  # glob of the folders; each holds one series
    labels: InsidePath = "labels/{name}.nii.gz"  # `name` is the folder's
    # Of the DICOM folder's path below the data set's folder, with slashes.
    pattern: NamePattern = r"(?:.*/)?(?P<subject>[^/]+)"
    echoes: PositiveInt = 1  # each becomes a case of its own, with the same label map
    # Glob of JSON files with `images: [{scan_id, subject_id, timepoint}]`, where the name of a scan
    # does not tell whose it is; `timepoint` becomes the visit.
    subjects: InsidePath | None = None

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans, see `BaseLayout`."""
        owners = _owners(folder, self.subjects) if self.subjects else None
        scans: list[ScanFiles] = []
        for series in (path for path in visible_paths(folder, self.images) if path.is_dir()):
            inside = series.relative_to(folder).as_posix()
            name_parts = named_parts(self.pattern, inside, path=series)
            label = folder / label_path(self.labels, name=series.name, name_parts=name_parts)
            if owners is not None and series.name not in owners:
                raise InputError(
                    f"{series} is in no file {self.subjects}; it is not known whose scan it is"
                )
            name_parts |= owners[series.name] if owners else {}
            scans += _echoes(series, label, name_parts, template, self.echoes)
        missing = {
            scan.reference for scan in scans if scan.reference and not scan.reference.is_file()
        }
        empty = {scan.image / "*.dcm" for scan in scans if not any(scan.image.iterdir())}
        check_complete(
            folder, template.dataset, images=[s.image for s in scans], missing=[*missing, *empty]
        )
        return scans


def _echoes(
    series: Path, label: Path, name_parts: dict[str, str], template: CaseDescription, echoes: int
) -> list[ScanFiles]:
    if echoes == 1:
        return [scan_files(template, name_parts, image=series, reference=label)]
    base = name_parts.get("sequence", template.sequence)
    return [
        scan_files(
            template,
            {**name_parts, "sequence": f"{base} echo {number + 1}"},
            image=series,
            reference=label,
            echo=number,
        )
        for number in range(echoes)
    ]


def _owners(folder: Path, pattern: str) -> dict[str, dict[str, str]]:
    """Whose scan it is, by the scan's name, from lists of scans in JSON."""
    owners: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob(pattern)):
        with parsed(path, "list of scans with scan_id and subject_id", "get the file again"):
            for scan in json.loads(read_text(path, most_mb=_MOST_MB))["images"]:
                visit = {"visit": str(scan["timepoint"])} if "timepoint" in scan else {}
                owners[str(scan["scan_id"])] = {"subject": str(scan["subject_id"]), **visit}
    if not owners:
        raise InputError(
            f"{folder} is only half there: no file {pattern}, which says whose scan each is; "
            "without it two scans of one person could come into two parts of a split"
        )
    return owners
