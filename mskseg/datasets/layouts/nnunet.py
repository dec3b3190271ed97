"""nnU-Net raw: ``imagesTr/NAME_0000.nii.gz``, ``labelsTr/NAME.nii.gz``, ``dataset.json``.

Each channel becomes a case of its own with the same label map.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mskseg.case import CaseDescription
from mskseg.datasets.layouts.base import (
    BaseLayout,
    InsidePath,
    NamePattern,
    check_complete,
    named_parts,
    visible_paths,
)
from mskseg.datasets.scans import ScanFiles, scan_files
from mskseg.errors import InputError, naming
from mskseg.input_files import parse_json, parsed, read_text
from mskseg.io.label_names import by_label, nnunet_names

_CHANNEL = re.compile(r"(?P<name>.+)_(?P<channel>\d{4})")


class NnunetLayout(BaseLayout):
    """nnU-Net's raw data; the pattern is that of NAME."""

    kind: Literal["nnunet"] = "nnunet"
    pattern: NamePattern = r"(?P<subject>.+)"
    # Folder of label maps for each folder of images.
    folders: dict[InsidePath, InsidePath] = Field(default={"imagesTr": "labelsTr"})

    def list_scans(self, folder: Path, template: CaseDescription) -> list[ScanFiles]:
        """List the scans; ``dataset.json`` names channels, and labels unless `template` does."""
        described = _described(folder / "dataset.json", needed=not template.tissues)
        with naming(folder / "dataset.json"):  # {"femur": 1}, in version 1 {"1": "femur"}
            named = template.tissues or by_label(nnunet_names(described.get("labels") or {}))
        template = replace(template, tissues=named)
        ending = str(described.get("file_ending", ".nii.gz"))
        scans: list[ScanFiles] = []
        missing: list[Path] = []
        for images, labels in self.folders.items():
            found = _images(folder / images, ending)
            wanted = {folder / labels / f"{name}{ending}" for name, _ in found.values()}
            there = set(visible_paths(folder / labels, f"*{ending}"))
            missing += wanted - there
            missing += [
                folder / images / f"{path.name.removesuffix(ending)}_0000{ending}"
                for path in there - wanted
            ]
            for image, (name, channel) in found.items():
                name_parts = {"sequence": _sequence(described, channel, template)}
                name_parts |= named_parts(self.pattern, name, path=image)
                reference = folder / labels / f"{name}{ending}"
                scans.append(scan_files(template, name_parts, image=image, reference=reference))
        check_complete(folder, template.dataset, images=[s.image for s in scans], missing=missing)
        return scans


def _images(folder: Path, ending: str) -> dict[Path, tuple[str, int]]:
    """Images with their name and channel."""
    found: dict[Path, tuple[str, int]] = {}
    for path in visible_paths(folder, f"*{ending}"):
        match = _CHANNEL.fullmatch(path.name.removesuffix(ending))
        if match is None:
            raise InputError(
                f"{path} does not end in a channel, as NAME_0000{ending} does; rename it as "
                "nnU-Net expects, or read the folder with the layout nifti_pairs"
            )
        found[path] = (match["name"], int(match["channel"]))
    return found


def _described(path: Path, *, needed: bool) -> dict[str, Any]:
    if not path.exists():
        if not needed:
            return {}
        raise InputError(
            f"{path} is missing, and nothing else names the labels; add nnU-Net's dataset.json"
        )
    with parsed(path, "JSON", "write nnU-Net's dataset.json"):
        content: Any = parse_json(read_text(path))
    if not isinstance(content, dict):
        raise InputError(f"{path} is no object; write nnU-Net's dataset.json")
    return content


def _sequence(described: Mapping[str, Any], channel: int, template: CaseDescription) -> str:
    names = described.get("channel_names") or described.get("modality") or {}
    if isinstance(names, list):
        names = {str(number): name for number, name in enumerate(names)}
    if not isinstance(names, Mapping):
        raise InputError(f"channel names {names!r} in dataset.json; expected {{number: name}}")
    if len(names) <= 1 and template.sequence != "unknown":
        return template.sequence
    return str(names.get(str(channel), f"channel {channel:04}"))
