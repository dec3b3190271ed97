"""Cases to nnU-Net's files and its predictions back: our split, labels that count 1, 2, 3, ..."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.loop import check_has_reference
from mskseg.files import written_atomically
from mskseg.io import load_label_map, save_nifti
from mskseg.prompts import boxes_from_mask, fill_boxes
from mskseg.splits import check_nobody_twice
from mskseg.volume import LabelMap, check_same_grid
from mskseg_studies.specialists.nnunet.worker import DATASET
from mskseg_studies.specialists.predictions import Predictions, known_labels


@dataclass(frozen=True)
class Labels:
    """Which of our labels is which of nnU-Net's.

    `ours` are the values of the references, ascending: the first is nnU-Net's 1. `tissues` are
    their names.
    """

    ours: tuple[int, ...]
    tissues: Mapping[int, str]

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Labels:
        """Gather the labels that occur in the references."""
        names = known_labels(cases)
        return cls(tuple(names), names)

    def to_nnunet(self, label_map: LabelMap) -> LabelMap:
        """Renumber from our values to 1, 2, 3, ...; values that are not ours become background."""
        table = np.zeros(max(max(self.ours), int(label_map.array.max())) + 1, np.uint8)
        table[list(self.ours)] = np.arange(1, len(self.ours) + 1)
        return LabelMap(table[label_map.array], label_map.affine)

    def to_ours(self, label_map: LabelMap) -> LabelMap:
        """Renumber from nnU-Net's values to ours; InputError if one was never exported."""
        highest = int(label_map.array.max())
        if highest > len(self.ours):
            raise InputError(
                f"the prediction holds label {highest}, and {len(self.ours)} labels were exported; "
                "import the predictions of this run"
            )
        table = np.array((0, *self.ours), np.min_scalar_type(max(self.ours)))
        return LabelMap(table[label_map.array], label_map.affine)

    def names(self) -> dict[str, int]:
        """Names and values for ``dataset.json``; a name that comes twice gets its value."""
        often = Counter(self.tissues[label] for label in self.ours)
        named = {"background": 0}
        for value, label in enumerate(self.ours, start=1):
            name = self.tissues[label]
            named[name if often[name] == 1 else f"{name} ({label})"] = value
        return named


def case_id(case: Case) -> str:
    """File name of a case: its own name, and the start of its fingerprint.

    The fingerprint keeps a prediction from being taken for that of a changed image.
    """
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', case.name)}-{case.fingerprint[:8]}"


def export_training(
    train: Iterable[Case], validation: Iterable[Case], folder: Path, *, box_channels: bool = False
) -> Labels:
    """Write cases, ``dataset.json`` and the split into ``raw/Dataset001_mskseg`` of a run's folder.

    With `box_channels` the filled oracle boxes of each label are one more channel. Raises
    InputError if a case has no reference or a subject is in both sets, OutputError if a file cannot
    be written.
    """
    parts = {"train": list(train), "val": list(validation)}
    people = {"train": {c.subject for c in parts["train"]}}
    people["validation"] = {c.subject for c in parts["val"]}
    check_nobody_twice(people, what="the nnU-Net run")  # type: ignore[arg-type]  # parts are literals
    everyone = [*parts["train"], *parts["val"]]
    labels = Labels.of(everyone)
    raw = folder / "raw" / DATASET
    for case in everyone:
        write_images(case, raw / "imagesTr", labels=labels if box_channels else None)
        if case.reference is not None:
            path = raw / "labelsTr" / f"{case_id(case)}.nii.gz"
            save_nifti(labels.to_nnunet(case.reference), path)
    split = {part: [case_id(case) for case in cases] for part, cases in parts.items()}
    _write_json(raw / "splits_final.json", [split])
    _write_json(raw / "dataset.json", _described(everyone, labels, box_channels=box_channels))
    return labels


def write_images(case: Case, folder: Path, *, labels: Labels | None = None) -> None:
    """Write the channels of a case: its image, and with `labels` the oracle boxes of each."""
    save_nifti(case.image, folder / f"{case_id(case)}_0000.nii.gz")
    if labels is None:
        return
    for number, box in enumerate(_box_volumes(case, labels), start=1):
        volume = case.image.with_array(box)
        save_nifti(volume, folder / f"{case_id(case)}_{number:04d}.nii.gz")


def _box_volumes(case: Case, labels: Labels) -> Iterator[np.ndarray[Any, Any]]:
    """Give each label's filled boxes on the slices of the acquired plane, on the case's grid."""
    check_has_reference(case)
    slices = list(case.slices())
    for label in labels.ours:
        stack = np.zeros((len(slices), *slices[0].image.shape), np.uint8)
        for case_slice in slices:
            mask = np.asarray(case_slice.label_map) == label
            boxes = boxes_from_mask(mask, spacing_mm=case_slice.spacing_mm)
            stack[case_slice.index] = fill_boxes(boxes, mask.shape)
        yield case.image.from_stack(stack, case.plane).array


def _described(cases: list[Case], labels: Labels, *, box_channels: bool) -> dict[str, Any]:
    sequences = sorted({case.sequence for case in cases})
    channels = {"0": sequences[0] if len(sequences) == 1 else "MRI"}
    if box_channels:
        # "noNorm" is nnU-Net's word for a channel whose values are left alone.
        channels |= {str(number): "noNorm" for number in range(1, len(labels.ours) + 1)}
    return {
        "channel_names": channels,
        "labels": labels.names(),
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        # SimpleITK, nnU-Net's first choice, refuses affines that are not quite orthonormal.
        "overwrite_image_reader_writer": "NibabelIO",
    }


def _write_json(path: Path, content: Any) -> None:
    with written_atomically(path) as target:
        target.write_text(json.dumps(content, indent=2), encoding="utf-8")


def import_predictions(folder: str | Path, cases: Iterable[Case], *, labels: Labels) -> Predictions:
    """Read predictions of this machine or of another.

    Parameters
    ----------
    folder : path-like
        With ``ID.nii.gz`` and, for probabilities, ``ID.npz``, as ``nnUNetv2_predict`` writes them;
        the ID of a case is `case_id`, by which it was exported.
    cases : iterable of Case
        What was predicted; only their images are needed.
    labels : Labels
        Those of the export (`NnunetRun.labels`).

    Returns
    -------
    Predictions
        A case without a file is in `missing`, and there is no error: scores count it.

    Raises
    ------
    InputError
        If the folder is not there, a label map lies on another grid than its image, or holds a
        label that was not exported.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"expected the folder of nnU-Net's predictions, got {place}: no folder")
    label_maps: dict[str, LabelMap] = {}
    readers = {}
    given = list(cases)
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
        label_maps[case.name] = LabelMap(labels.to_ours(label_map).array, case.image.affine)
        stored = place / f"{case_id(case)}.npz"
        if stored.is_file():
            readers[case.name] = partial(_probabilities, stored)
    missing = tuple(case.name for case in given if case.name not in label_maps)
    return Predictions(label_maps, missing, labels.ours, readers)


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
