"""SPIDER: ``images/N_t1.mha`` beside ``masks/N_t1.mha``, N a patient's number.

Each archive unpacks to a folder of its own name, so either folder is searched with all below it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.base import (
    BaseLayout,
    check_complete,
    named_parts,
    natural,
    visible_paths,
)
from mskseg.datasets.scans import ScanFiles, scan_files
from mskseg.errors import InputError

_PATTERN = r"(?P<subject>\d+)_(?P<sequence>t1|t2|t2_SPACE)"
_SEQUENCES = {
    "t1": "T1-weighted",
    "t2": "T2-weighted",
    "t2_SPACE": "T2-weighted SPACE",
}


class SpiderLayout(BaseLayout):
    """``images/N_t1.mha`` beside ``masks/N_t1.mha``; N is the patient."""

    kind: Literal["spider"] = "spider"

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans, see `BaseLayout`."""
        images, masks = _series(folder / "images"), _series(folder / "masks")
        missing = [folder / "masks" / f"{name}.mha" for name in images.keys() - masks.keys()]
        missing += [folder / "images" / f"{name}.mha" for name in masks.keys() - images.keys()]
        check_complete(folder, template.dataset, images=images.values(), missing=missing)
        scans = []
        for name in sorted(images, key=natural):
            name_parts = named_parts(_PATTERN, name, path=images[name])
            name_parts["sequence"] = _SEQUENCES[name_parts["sequence"]]
            scans.append(
                scan_files(template, name_parts, image=images[name], reference=masks[name])
            )
        return scans


def _series(folder: Path) -> dict[str, Path]:
    """Files by their bare name."""
    found: dict[str, Path] = {}
    for path in visible_paths(folder, "**/*.mha"):
        if path.stem in found:
            raise InputError(f"{found[path.stem]} and {path} have one name; remove one of them")
        found[path.stem] = path
    return found
