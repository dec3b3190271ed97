"""A folder of DICOM files for each scan, and its label map as NIfTI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mskseg.datasets.layouts.forms import DicomNiftiLayout
from mskseg.datasets.layouts.lazy import ScanFiles
from mskseg.datasets.layouts.nifti_pairs import label_path
from mskseg.datasets.layouts.pairing import About, check_complete, named_parts, natural
from mskseg.errors import InputError


def list_dicom_nifti(folder: Path, about: About, layout: DicomNiftiLayout) -> list[ScanFiles]:
    """List the scans; parameters, order and errors as in `mskseg.datasets.layouts.list_scans`."""
    owners = _owners(folder, layout.subjects) if layout.subjects else None
    found = sorted(folder.glob(layout.images), key=lambda path: natural(str(path)))
    scans: list[ScanFiles] = []
    for series in (path for path in found if path.is_dir() and not path.name.startswith(".")):
        inside = series.relative_to(folder).as_posix()
        said = named_parts(layout.pattern, inside, path=series)
        label = folder / label_path(layout.labels, name=series.name, said=said)
        if owners is not None:
            said |= _owner(owners, series, str(layout.subjects))
        scans += _echoes(series, label, said, about, layout.echoes)
    missing = {scan.reference for scan in scans if scan.reference and not scan.reference.is_file()}
    empty = {scan.image / "*.dcm" for scan in scans if not any(scan.image.iterdir())}
    check_complete(
        folder, about.dataset, images=[s.image for s in scans], missing=[*missing, *empty]
    )
    return scans


def _echoes(
    series: Path, label: Path, said: dict[str, str], about: About, echoes: int
) -> list[ScanFiles]:
    if echoes == 1:
        return [about.scan(said, image=series, reference=label)]
    base = said.get("sequence", about.sequence)
    return [
        about.scan(
            {**said, "sequence": f"{base} echo {number + 1}"},
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
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            for scan in content["images"]:
                visit = {"visit": str(scan["timepoint"])} if "timepoint" in scan else {}
                owners[str(scan["scan_id"])] = {"subject": str(scan["subject_id"]), **visit}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} does not list scans with scan_id and subject_id ({type(error).__name__}: "
                f"{error}); get the file again"
            ) from error
    if not owners:
        raise InputError(
            f"{folder} is only half there: no file {pattern}, which says whose scan each is; "
            "without it two scans of one person could come into two parts of a split"
        )
    return owners


def _owner(owners: dict[str, dict[str, str]], series: Path, pattern: str) -> dict[str, str]:
    if series.name not in owners:
        raise InputError(f"{series} is in no file {pattern}; it is not known whose scan it is")
    return owners[series.name]
