"""SPIDER and OAI-ZIB, whose masks are MetaImage.

SPIDER: ``images/N_t1.mha`` beside ``masks/N_t1.mha``, N a patient's number. Each archive unpacks to
a folder of its own name, so either folder is searched with all below it.

OAI-ZIB's scans come from the OAI, as DICOM. Its masks carry no pose: they fit their scan up to a
rigid alignment. Their axes grow to the left, to the back and upwards, so both volumes are brought
into RAS order, in which they must have one shape, and the mask takes the scan's affine.
"""

from pathlib import Path, PurePosixPath
from typing import Literal

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.base import (
    BaseLayout,
    InsidePath,
    check_complete,
    named_parts,
    natural,
    visible_paths,
)
from mskseg.datasets.scans import ScanFiles, scan_files
from mskseg.errors import InputError
from mskseg.input_files import read_text
from mskseg.io import load_image, load_label_map
from mskseg.volume import LabelMap, Volume

_ENDING = ".segmentation_masks.mhd"
_PATTERN = r"(?P<subject>\d+)_(?P<sequence>t1|t2|t2_SPACE)"
_SEQUENCES = {"t1": "T1-weighted", "t2": "T2-weighted", "t2_SPACE": "T2-weighted SPACE"}


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


class OaiZibLayout(BaseLayout):
    """OAI-ZIB's masks beside the scans of the OAI, which come from there."""

    kind: Literal["oai_zib"] = "oai_zib"
    scans: InsidePath = "00m"  # of the OAI's baseline; paths in `oai_mri_paths.txt` begin in it

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans, see `BaseLayout`."""
        segmentation = folder / "segmentation" if (folder / "segmentation").is_dir() else folder
        paths = _scan_paths(segmentation / "doc" / "oai_mri_paths.txt")
        masks = {
            path.name.removesuffix(_ENDING): path
            for path in visible_paths(segmentation / "segmentation_masks", f"*{_ENDING}")
        }
        unlisted = sorted(masks.keys() - paths.keys())
        if unlisted:
            raise InputError(f"{masks[unlisted[0]]} is not in oai_mri_paths.txt; get both anew")
        missing = [path.with_suffix(".raw") for path in masks.values()]
        missing = [path for path in missing if not path.is_file()]
        scans = {subject: folder / self.scans / paths[subject] for subject in masks}
        missing += [path for path in scans.values() if not path.is_dir()]
        check_complete(folder, template.dataset, images=scans.values(), missing=missing)
        return [
            scan_files(
                template,
                {"subject": subject},
                image=scans[subject],
                reference=masks[subject],
                read=read_posed,
            )
            for subject in sorted(masks, key=natural)
        ]


def read_posed(scan: ScanFiles) -> tuple[Volume, LabelMap | None]:
    """Read a scan, and its mask with the scan's pose; InputError if their shapes differ in RAS."""
    image = load_image(scan.image).reoriented("RAS")
    if scan.reference is None:
        return image, None
    mask = load_label_map(scan.reference).reoriented("RAS")
    if mask.shape != image.shape:
        raise InputError(
            f"{scan.reference} has {mask.shape} voxels in RAS order and its scan {scan.image} "
            f"{image.shape}; they do not belong together, get the scan that oai_mri_paths.txt names"
        )
    return image, LabelMap(mask.array, image.affine)


def _scan_paths(path: Path) -> dict[str, str]:
    """Folder of the scan below the OAI's baseline, by subject: lines ``9001104: 0.E.1/.../...``."""
    try:
        lines = read_text(path).splitlines()
    except InputError as error:
        raise InputError(
            f"{str(error).partition(';')[0]}; it says where the scan of each mask is: the folder "
            "of OAI-ZIB is missing or half there, see its entry in data_manifest.yaml"
        ) from error
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines)):
        subject, colon, inside = (piece.strip() for piece in line.partition(":"))
        pure = PurePosixPath(inside)
        if not colon or not inside or pure.is_absolute() or ".." in pure.parts:
            raise InputError(f"{path} has the line {line!r}; expected SUBJECT: a/folder/below")
        found[subject] = inside
    return found
