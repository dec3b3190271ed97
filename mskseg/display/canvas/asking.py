"""One prompt of a session and its answer, and both as rows of a file and of a log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import check_boxes, check_points
from mskseg.prompts.files import PromptFile, SlicePrompt
from mskseg.volume import Plane

Place = tuple[Plane, int, int]  # plane, slice, label
Inside = Literal[0, 1]


@dataclass(frozen=True)
class Prompts:
    """What was asked on one slice for one tissue.

    Attributes
    ----------
    points : tuple of (x, y, label)
        Label 1 inside, 0 outside.
    box_xyxy : (4,) tuple of float, optional
    chosen : int
        Which of the three masks of an ambiguous point is taken.
    """

    points: tuple[tuple[float, float, Inside], ...] = ()
    box_xyxy: tuple[float, float, float, float] | None = None
    chosen: int = 0

    def __len__(self) -> int:
        return len(self.points) + (self.box_xyxy is not None)

    @property
    def is_ambiguous(self) -> bool:
        """A single point inside, which may mean a part or the whole: three masks are shown."""
        return len(self.points) == 1 and self.box_xyxy is None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `Segmenter.predict`."""
        given: dict[str, Any] = {"multimask": self.is_ambiguous}
        if self.points:
            given["point_coords"] = [[x, y] for x, y, _ in self.points]
            given["point_labels"] = [label for *_, label in self.points]
        return given if self.box_xyxy is None else given | {"boxes_xyxy": self.box_xyxy}


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model made of the prompts.

    Attributes
    ----------
    masks : (M, H, W) bool
        Three for a single point, best first; otherwise one.
    predicted_iou : (M,) float
    dice : (M,) float
        Against the reference of the chosen tissue; NaN without one.
    encode_ms, decode_ms : float
    """

    masks: NDArray[np.bool_]
    predicted_iou: NDArray[np.float32]
    dice: NDArray[np.float64]
    encode_ms: float
    decode_ms: float


def answered(
    segmenter: Segmenter, one: CaseSlice, prompts: Prompts, *, reference: NDArray[np.bool_] | None
) -> Answer | None:
    """Ask a model; None where nothing is asked. Of three masks the surest comes first."""
    if not len(prompts):
        return None
    embedding = segmenter.embed(one.image)
    start = time.perf_counter()
    prediction = segmenter.predict(embedding, **prompts.arguments())
    decode_ms = 1000 * (time.perf_counter() - start)
    order = np.argsort(-np.nan_to_num(prediction.predicted_iou[0]), kind="stable")
    masks = prediction.masks[0][order]
    scores = [np.nan if reference is None else dice(reference, mask) for mask in masks]
    estimates = prediction.predicted_iou[0][order]
    return Answer(masks, estimates, np.array(scores), 1000 * embedding.encode_s, decode_ms)


def log_row(prompts: Prompts, answer: Answer | None) -> dict[str, Any]:
    """Give the numbers of a step: `points`, `boxes` and, where something was asked, the answer."""
    row: dict[str, Any] = {
        "points": len(prompts.points),
        "boxes": int(prompts.box_xyxy is not None),
    }
    if answer is None:
        return row
    return row | {
        "dice": answer.dice[prompts.chosen],
        "predicted_iou": answer.predicted_iou[prompts.chosen],
        "encode_ms": answer.encode_ms,
        "decode_ms": answer.decode_ms,
    }


def as_file(case: Case, plane: Plane, asked: Mapping[Place, Prompts]) -> PromptFile:
    """Give the prompts of a plane as they are written; InputError if there is none."""
    prompts = [
        SlicePrompt(
            slice=index,
            label=label,
            boxes_xyxy=() if one.box_xyxy is None else (one.box_xyxy,),
            point_coords=tuple((x, y) for x, y, _ in one.points),
            point_labels=tuple(inside for *_, inside in one.points),
        )
        for (its_plane, index, label), one in sorted(asked.items())
        if its_plane == plane and len(one)
    ]
    if not prompts:
        raise InputError("there is no prompt to save yet; click or draw a box first")
    return PromptFile(plane=plane, prompts=tuple(prompts), image_sha256=case.fingerprint)


def from_file(case: Case, plane: Plane, one: SlicePrompt) -> Prompts:
    """Give a prompt that was read, checked against the case; InputError if it does not fit."""
    n_slices = case.image.n_slices(plane)
    if one.slice >= n_slices or len(one.boxes_xyxy) > 1:
        raise InputError(
            f"the prompt of slice {one.slice} does not fit: there are {n_slices} {plane} slices, "
            "and a tissue has one box on a slice"
        )
    shape = case.slice(one.slice, plane).image.shape
    check_boxes(np.reshape(one.boxes_xyxy, (-1, 4)), shape)
    check_points(np.reshape(one.point_coords, (-1, 2)), shape)
    points = tuple(
        (x, y, inside) for (x, y), inside in zip(one.point_coords, one.point_labels, strict=True)
    )
    return Prompts(points, one.boxes_xyxy[0] if one.boxes_xyxy else None)
