"""A plain folder of NIfTI files: images by a glob, whose they are by a pattern."""

from __future__ import annotations

from pathlib import Path

from mskseg.datasets.layouts.forms import NiftiPairsLayout
from mskseg.datasets.layouts.lazy import ScanFiles
from mskseg.datasets.layouts.pairing import About, bare_name, check_complete, named_parts, natural
from mskseg.errors import InputError


def list_nifti_pairs(folder: Path, about: About, layout: NiftiPairsLayout) -> list[ScanFiles]:
    """List the scans; parameters, order and errors as in `mskseg.datasets.layouts.list_scans`."""
    found = sorted(folder.glob(layout.images), key=lambda path: natural(str(path)))
    scans = [
        _scan(folder, image, about, layout)
        for image in found
        if image.is_file() and not image.name.startswith(".")
    ]
    labels = {scan.reference for scan in scans if scan.reference is not None}
    missing = [path for path in labels if not path.is_file()]
    missing += _without_image(folder, labels, layout)
    check_complete(folder, about.dataset, images=[s.image for s in scans], missing=missing)
    return scans


def _scan(folder: Path, image: Path, about: About, layout: NiftiPairsLayout) -> ScanFiles:
    inside = image.relative_to(folder).with_name(bare_name(image)).as_posix()
    said = named_parts(layout.pattern, inside, path=image)
    label = label_path(layout.labels, name=bare_name(image), said=said)
    return about.scan(said, image=image, reference=folder / label)


def label_path(template: str, *, name: str, said: dict[str, str]) -> str:
    """Fill in where the label map of an image is; InputError if the template asks for more."""
    try:
        return template.format_map({"name": name, **said})
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"the path of label maps {template!r} asks for {error}, and the name of {name!r} "
            f"gives name, {', '.join(said)}; correct the layout"
        ) from error


def _without_image(folder: Path, labels: set[Path], layout: NiftiPairsLayout) -> list[Path]:
    """Label maps that belong to no image, told as the image that is missing.

    Only where each image has its own label map in a folder that holds nothing else.
    """
    where, _, form = layout.labels.rpartition("/")
    plain = where and "{" not in where and form.startswith("{name}")
    images, _, wildcard = layout.images.rpartition("/")
    if not plain or "*" in images or where == images or not wildcard.startswith("*"):
        return []
    alone = set((folder / where).glob(form.replace("{name}", "*"))) - labels
    return [
        folder / images / wildcard.replace("*", path.name[: len(path.name) - len(form) + 6], 1)
        for path in alone
        if not path.name.startswith(".")
    ]
