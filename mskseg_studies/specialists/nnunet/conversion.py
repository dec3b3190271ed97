"""Cases to nnU-Net's files and its predictions back: our split, labels that count 1, 2, 3, ..."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.loop import check_has_reference
from mskseg.files import write_text
from mskseg.io import load_label_map, save_nifti
from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg.splits import Part, check_nobody_twice
from mskseg.volume import LabelMap, check_same_grid
from mskseg_studies.specialists.nnunet.worker import DATASET
from mskseg_studies.specialists.predictions import Predictions


def to_nnunet(label_map: LabelMap, labels: Mapping[int, str]) -> LabelMap:
    """Renumber from our values to 1, 2, 3, ...; values that are not ours become background."""
    table = np.zeros(max(*labels, int(label_map.array.max())) + 1, np.uint8)
    table[list(labels)] = np.arange(1, len(labels) + 1)
    return LabelMap(table[label_map.array], label_map.affine)


def to_ours(array: NDArray[Any], labels: Mapping[int, str]) -> NDArray[Any]:
    """Renumber from nnU-Net's values to ours; InputError if one was never exported."""
    if int(array.max()) > len(labels):
        raise InputError(
            f"the prediction holds label {array.max()}, and {len(labels)} labels were exported; "
            "import the predictions of this run"
        )
    renumbered: NDArray[Any] = np.array((0, *labels), np.min_scalar_type(max(labels)))[array]
    return renumbered


def names_of(labels: Mapping[int, str]) -> dict[str, int]:
    """Names and values for ``dataset.json``; a name that comes twice gets its value."""
    often, named = Counter(labels.values()), {"background": 0}
    for value, (label, name) in enumerate(labels.items(), start=1):
        named[name if often[name] == 1 else f"{name} ({label})"] = value
    return named


def case_id(case: Case) -> str:
    """File name of a case, with the start of its fingerprint, which tells a changed image apart."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', case.name)}-{case.fingerprint[:8]}"


def export_training(
    parts: Mapping[Part, Sequence[Case]],
    labels: Mapping[int, str],
    folder: Path,
    *,
    box_channels: bool = False,
) -> None:
    """Write cases, ``dataset.json`` and the split into a run's raw folder; nobody in both parts."""
    people = {part: {case.subject for case in cases} for part, cases in parts.items()}
    check_nobody_twice(people, what="the nnU-Net run")
    everyone = [case for cases in parts.values() for case in cases]
    raw = folder / "raw" / DATASET
    write_images(everyone, raw / "imagesTr", boxes_of=labels if box_channels else ())
    for case in everyone:
        if case.reference is not None:
            path = raw / "labelsTr" / f"{case_id(case)}.nii.gz"
            save_nifti(to_nnunet(case.reference, labels), path)
    train, validation = ([case_id(case) for case in cases] for cases in parts.values())
    split = [{"train": train, "val": validation}]
    write_text(raw / "splits_final.json", json.dumps(split, indent=2))
    sequences = {case.sequence for case in everyone}
    channels = {"0": min(sequences) if len(sequences) == 1 else "MRI"}
    if box_channels:
        # "noNorm" is nnU-Net's word for a channel whose values are left alone.
        channels |= {str(number): "noNorm" for number in range(1, len(labels) + 1)}
    described = {
        "channel_names": channels,
        "labels": names_of(labels),
        "numTraining": len(everyone),
        "file_ending": ".nii.gz",
        # SimpleITK, nnU-Net's first choice, refuses affines that are not quite orthonormal.
        "overwrite_image_reader_writer": "NibabelIO",
    }
    write_text(raw / "dataset.json", json.dumps(described, indent=2))


def write_images(cases: Iterable[Case], folder: Path, *, boxes_of: Collection[int] = ()) -> None:
    """Write the channels of cases: the image, and for each of some labels its filled boxes."""
    for case in cases:
        save_nifti(case.image, folder / f"{case_id(case)}_0000.nii.gz")
        slices = list(case.slices()) if boxes_of else []
        for number, label in enumerate(boxes_of, start=1):
            check_has_reference(case)
            masks = [np.asarray(at.label_map) == label for at in slices]
            boxes = [boxes_from_mask(m, spacing_mm=slices[0].spacing_mm) for m in masks]
            filled = [fill_boxes(b, masks[0].shape).astype(np.uint8) for b in boxes]
            stack = case.image.from_stack(np.stack(filled), case.plane).array
            path = folder / f"{case_id(case)}_{number:04d}.nii.gz"
            save_nifti(case.image.with_array(stack), path)


def import_predictions(
    folder: str | Path, cases: Iterable[Case], *, labels: Mapping[int, str]
) -> Predictions:
    """Read predictions of this machine or of another.

    The folder has ``ID.nii.gz`` and, for probabilities, ``ID.npz``, as ``nnUNetv2_predict`` writes
    them; the ID of a case is `case_id`, by which it was exported, with `labels`
    (`NnunetRun.labels`). Of the cases only their images are needed; one without a file is in
    `missing`, and there is no error: scores count it. InputError if the folder is not there, a
    label map lies on another grid than its image, or holds a label that was not exported.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"expected the folder of nnU-Net's predictions, got {place}: no folder")
    label_maps: dict[str, LabelMap] = {}
    readers, given = {}, list(cases)
    for case in given:
        path = place / f"{case_id(case)}.nii.gz"
        if not path.is_file():
            continue
        label_map = load_label_map(path)
        try:
            check_same_grid(case.image, label_map)
        except InputError as error:
            raise InputError(f"{path} does not lie on the image of {case.name}: {error}") from error
        # The affine of the case, not the file's: a NIfTI rounds it to 32 bits.
        label_maps[case.name] = LabelMap(to_ours(label_map.array, labels), case.image.affine)
        stored = place / f"{case_id(case)}.npz"
        if stored.is_file():
            readers[case.name] = partial(_probabilities, stored)
    missing = tuple(case.name for case in given if case.name not in label_maps)
    return Predictions(label_maps, missing, tuple(labels), readers)


def _probabilities(path: Path) -> NDArray[np.float32]:
    """Read (C, ni, nj, nk); nnU-Net's arrays have their spatial axes the other way round."""
    try:
        with np.load(path) as stored:
            array: NDArray[np.float32] = stored["probabilities"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} holds no probabilities ({error}); predict with --save_probabilities"
        ) from error
    return array.transpose(0, 3, 2, 1)
