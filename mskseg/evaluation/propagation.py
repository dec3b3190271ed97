"""Follow what was prompted on some slices of a new scan through its volume."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.prediction import PromptableSegmenter, SlicePredictor
from mskseg.prompts.checks import check_boxes, check_points
from mskseg.prompts.files import SlicePrompt
from mskseg.prompts.plans import FollowPlan, follow_plan
from mskseg.prompts.tracks import tracks_of
from mskseg.volume import LabelMap, Plane

BOX_COLUMNS = ("x0", "y0", "x1", "y1")
Progress = bool | Callable[[int], object]


@dataclass(frozen=True, eq=False)
class Propagation:
    """Objects that were followed through a volume."""

    label_map: LabelMap  # on the image's grid; the surer of two labels has a pixel
    # A row for each label and slice: `label`, `tissue`, `slice`, `area_mm2`, `overlap` (IoU with
    # the slice before, towards the first prompt), `predicted_iou`, the `reason`, and `x0` to `y1`,
    # the box that holds all boxes asked (NaN without one).
    table: pd.DataFrame

    @cached_property
    def ends(self) -> dict[int, str]:
        """Say for each label where it was found, and why it ended below and above."""
        said = {}
        for label, rows in self.table.groupby("label"):
            found = rows[rows["area_mm2"] > 0]["slice"]
            if found.empty:
                said[int(label)] = "nothing found"
                continue
            lost = rows["reason"].str.startswith(("ended", "not seen"))
            beyond = rows[lost].set_index("slice")["reason"]
            low, high = int(found.min()), int(found.max())
            why = (beyond.get(k, "end of the range") for k in (low - 1, high + 1))
            below, above = (reason.removeprefix("ended: ") for reason in why)
            gaps = high - low + 1 - len(found)  # by memory alone
            span = f"slices {low} to {high}" + (f", not seen on {gaps} of them" if gaps else "")
            said[int(label)] = f"{span} (below: {below}; above: {above})"
        return said


def propagate(
    segmenter: PromptableSegmenter,
    case: Case,
    prompts: Iterable[SlicePrompt],
    *,
    plane: Plane | None = None,
    slices: Sequence[int] | None = None,
    plan: FollowPlan | None = None,
    progress: Progress = False,
) -> Propagation:
    """Follow the object of each label from its prompts up and down, until it ends.

    Parameters
    ----------
    segmenter : PromptableSegmenter
        As `mskseg.load_segmenter` returns it.
    case : Case
        The scan; a reference is not looked at.
    prompts : iterable of SlicePrompt
        Boxes and points on one slice or several; `mskseg.prompts.tracks` says what several do.
    plane : {"axial", "coronal", "sagittal"}, optional
        Of the prompts and the way; default: the case's own, the acquired plane.
    slices : two int, optional
        First and last slice that may be reached; default: all.
    plan : NeighbourBox or Memory, optional
        The margin of the boxes and the rules of ending; default: `follow_plan`. `Memory` lets a
        SAM 2 follow, which may find the object again after it was lost.
    progress : bool or callable
        Show a bar, or call this with the index of each slice that was predicted.

    Raises
    ------
    InputError
        If the range is none, or a prompt lies outside it or its slice, or is of a kind that the
        segmenter does not answer, or it has no memory for a plan that asks for it.
    """
    plane, entries = plane or case.plane, list(prompts)
    last_slice = case.image.n_slices(plane) - 1
    low, high = slices or (0, last_slice)
    if not 0 <= low <= high <= last_slice:
        raise InputError(
            f"the range {low} to {high} does not fit: the {plane} slices are 0 to {last_slice}; "
            "give the first and the last slice, both within these"
        )
    check_fit(case, entries, plane)
    if outside := [entry.slice for entry in entries if not low <= entry.slice <= high]:
        raise InputError(
            f"a prompt is on slice {outside[0]}, outside the range {low} to {high}; widen the "
            "range or leave the prompt out"
        )
    plan = plan or follow_plan(segmenter.prompt_kinds)
    tracks = tracks_of(entries, first_slice=low)
    chosen = [case.slice(k, plane) for k in range(low, high + 1)]
    with tqdm(unit="slice", disable=progress is not True) as bar:
        told = progress if callable(progress) else lambda _: bar.update()
        found = SlicePredictor(segmenter).propagate(case, chosen, tracks, plan, progress=told)
    dtype = np.uint8 if max(tracks) < 256 else np.uint16
    stack = np.zeros(case.image.stack(plane).shape, dtype)
    rows = []
    for case_slice, answers in zip(chosen, found, strict=True):
        highest = np.zeros(case_slice.image.shape, np.float32)
        for label in tracks:
            answer = answers.get(label)
            area_px = 0 if answer is None else int(answer.prediction.sum())
            boxes = np.empty((0, 4)) if answer is None else answer.boxes_xyxy
            corners = [math.nan] * 4
            if len(boxes):
                corners = [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]
            rows.append(
                {
                    "label": label,
                    "tissue": case.tissue(label),
                    "slice": case_slice.index,
                    "area_mm2": area_px * math.prod(case_slice.spacing_mm),
                    "overlap": getattr(answer, "overlap", math.nan),
                    "predicted_iou": getattr(answer, "predicted_iou", math.nan),
                    "reason": getattr(answer, "reason", "beyond its end"),
                }
                | dict(zip(BOX_COLUMNS, corners, strict=True))
            )
            if answer is not None and area_px:
                certainty = np.zeros_like(highest)
                certainty[answer.prediction] = 1 if answer.certainty is None else answer.certainty
                won = certainty > highest
                stack[case_slice.index][won] = label
                highest[won] = certainty[won]
    label_map = LabelMap.from_slices(stack, plane, image=case.image)
    table = pd.DataFrame(rows).sort_values(["label", "slice"], ignore_index=True)
    return Propagation(label_map, table)


def check_fit(case: Case, prompts: Iterable[SlicePrompt], plane: Plane) -> None:
    """Check every prompt against its slice; an InputError names the prompt by its number."""
    for number, prompt in enumerate(prompts):
        try:
            shape = case.slice(prompt.slice, plane).image.shape
            if prompt.boxes_xyxy:
                check_boxes(prompt.boxes_xyxy, shape)
            if prompt.point_coords:
                check_points(prompt.point_coords, shape)
        except InputError as error:
            raise InputError(f"prompt {number} (slice {prompt.slice}): {error}") from error
