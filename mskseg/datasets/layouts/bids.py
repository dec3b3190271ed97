"""BIDS: ``sub-*/[ses-*/]anat/*.nii.gz``, and masks (``_dseg``, ``_mask``) below ``derivatives``."""

from pathlib import Path

from mskseg.datasets.layouts.base import bare_name, natural, visible_paths

_MASKS = ("dseg", "mask")
# Entities that say how a mask was made of its image; all others name the image.
_OF_MASKS = ("space", "res", "den", "label", "desc", "hemi", "atlas", "seg")


def list_bids(folder: Path, *, masks: bool) -> list[Path]:
    """List the images of a BIDS folder or the masks, of a pipeline's folder too; none if it isn't.

    Masks are looked for in ``derivatives/*`` and in the folder itself.
    """
    tops = ("", "derivatives/*/") if masks else ("",)
    found = [
        path
        for top in tops
        for session in ("", "ses-*/")
        for path in visible_paths(folder, f"{top}sub-*/{session}anat/*.nii*")
        if (bare_name(path).rpartition("_")[2] in _MASKS) == masks
    ]
    return sorted(found, key=lambda path: natural(str(path)))


def are_bids(paths: list[Path]) -> bool:
    """Whether files are named as in BIDS, and some lie as there."""
    return all(path.name.startswith("sub-") for path in paths) and any(
        path.parent.name == "anat" for path in paths
    )


def bids_parts(path: Path) -> dict[str, str]:
    """Say by its name whose a file is; equal in all that both have are a mask and its image."""
    pieces = bare_name(path).split("_")
    entities = dict(piece.split("-", 1) for piece in pieces if "-" in piece)
    source = {key: value for key, value in entities.items() if key not in _OF_MASKS}
    parts = {"subject": pieces[0], "acquisition": repr(source)}
    parts |= {"visit": source["ses"]} if "ses" in source else {}
    words = [piece for piece in pieces if "-" not in piece and piece not in _MASKS]
    return parts | ({"sequence": words[-1]} if words else {})
