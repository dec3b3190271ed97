"""Prompt plans: where the boxes or points of an evaluation come from.

A plan is a small frozen description that `score_cases` carries out and writes into each row of its
table, as `prompt` ("box" or "point") and `box_source`. What is taken from the reference is named
*oracle*, since nobody has it on a new scan: `OracleBox` and `OraclePoint`. `NeighbourBox` and
`Memory` need it on a single slice, `SpecialistBox` not at all.

All but these two are carried out slice by slice (`SlicePlan`): `source_map` is what the
prompts of a slice are taken from, `prompt_for` makes those of a mask (H, W) of one label, and `key`
names that mask (case, plane, slice, label), since what is random is drawn from the plan's seed and
this.
"""

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.prompts.boxes import (
    MIN_AREA_MM2,
    boxes_from_mask,
    jitter_boxes,
    label_components,
    pad_boxes,
)
from mskseg.prompts.checks import Mask, bounding_slices
from mskseg.prompts.points import central_point, random_points
from mskseg.prompts.prompt import Prompt
from mskseg.settings import settings
from mskseg.volume import Array, LabelMap, check_same_grid

PromptKind = Literal["box", "point"]
Key = tuple[str | int, ...]

MAX_BOXES, MAX_FOUND = 4, 16
"""Of a label's pieces on the slice before, or found by a specialist, so many get a box at most."""


class _FromReference:
    """Plans whose prompts are taken from the slice's reference."""

    def source_map(self, case: Case, case_slice: CaseSlice) -> Array:
        """Return the reference of the slice, (H, W) integers; InputError if there is none."""
        if case_slice.label_map is None:
            raise InputError(
                f"expected a reference to take prompts from, {case.name} has none; "
                "give the label map with the case"
            )
        return case_slice.label_map

    def is_missing(self, case: Case) -> bool:  # noqa: ARG002
        """Whether prompts of this case have no source: never, here."""
        return False


@settings
class OracleBox(_FromReference):
    """A box per component of the reference, in pixels of the slice: the same for all models.

    People draw boxes too large rather than too small, and MedSAM learned from margins of 0 to 20 of
    the 1024 pixels of its frame, which are 5 on a slice of 256.
    """

    jitter_px: NonNegativeFloat = 0.0  # each side moves on its own, by up to this either way
    margin_px: NonNegativeFloat = 0.0  # added on every side before the jitter
    seed: int = 0  # of the jitter, the same whatever else is scored in the same call
    kind: ClassVar[PromptKind] = "box"

    @property
    def box_source(self) -> str:
        """The word "oracle", with margin, jitter and a seed other than 0 named."""
        margin = f", margin {self.margin_px:g} px" if self.margin_px else ""
        jitter = f", jitter {self.jitter_px:g} px" if self.jitter_px else ""
        seed = f", seed {self.seed}" if self.jitter_px and self.seed else ""
        return f"oracle{margin}{jitter}{seed}"

    def prompt_for(
        self,
        mask: Mask,
        *,
        spacing_mm: tuple[float, float],
        key: Key,
        min_area_mm2: float = MIN_AREA_MM2,
    ) -> Prompt:
        """Box the components of a mask."""
        boxes = boxes_from_mask(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
        if len(boxes) and self.margin_px:
            boxes = pad_boxes(boxes, pixels=self.margin_px, shape=mask.shape)
        if len(boxes) and self.jitter_px:
            rng = _generator(self.seed, key)
            boxes = jitter_boxes(boxes, shape=mask.shape, rng=rng, pixels=self.jitter_px)
        return Prompt(boxes_xyxy=boxes)


@settings
class OraclePoint(_FromReference):
    """One or more points per component of the reference."""

    n: PositiveInt = 1  # the first is the most central, as a reader would click; others random
    seed: int = 0  # of the random points
    kind: ClassVar[PromptKind] = "point"

    @property
    def box_source(self) -> str:
        """The word "oracle", with the number of points if it is not 1, and a seed other than 0."""
        points = f", {self.n} points" if self.n > 1 else ""
        seed = f", seed {self.seed}" if self.n > 1 and self.seed else ""
        return f"oracle{points}{seed}"

    def prompt_for(
        self,
        mask: Mask,
        *,
        spacing_mm: tuple[float, float],
        key: Key,
        min_area_mm2: float = MIN_AREA_MM2,
    ) -> Prompt:
        """Place points in the components of a mask."""
        # Within its bounding box: the depth of every pixel is searched there, not in the slice.
        rows, columns = bounding_slices(mask)
        box, corner = mask[rows, columns], np.array([columns.start, rows.start])
        components, count = label_components(box, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
        rng = _generator(self.seed, key)
        points = np.empty((count, self.n, 2))
        for number in range(count):
            component = components == number + 1
            points[number, 0] = central_point(component, spacing_mm=spacing_mm)
            if self.n > 1:
                points[number, 1:] = random_points(component, self.n - 1, rng=rng)
        inside = np.ones((count, self.n), dtype=np.int64)
        return Prompt(point_coords=points + corner, point_labels=inside)


@dataclass(frozen=True)
class NeighbourBox:
    """Boxes around the prediction of the neighbouring slice, from one prompted slice outwards.

    An evaluation prompts the slice on which the structure is largest by its oracle boxes; on a new
    scan a reader does, see `mskseg.prompts.tracks`. From there, up and down, each slice gets
    widened boxes of what was *predicted* on the slice before, until that is nothing, or one of the
    other rules says that the structure has ended. Slices that are not reached count as lost.
    """

    margin_px: float = 2.0  # added on every side, so that a structure can grow from slice to slice
    least_probability: float = 0.5  # pixels less sure are not boxed; 0.5 takes the whole mask
    most_growth: float = np.inf  # area over that of the slice before, above which it has ended
    least_overlap: float = 0.0  # IoU with the slice before, below which it has ended
    least_predicted_iou: float = 0.0  # likewise; not used with models that do not predict it
    kind: ClassVar[PromptKind] = "box"

    def __post_init__(self) -> None:
        _check_pixels(self.margin_px, name="margin_px")

    @property
    def box_source(self) -> str:
        """The word "neighbour", the margin, what is boxed, and rules of ending that are not off."""
        named = {
            "p above": (self.least_probability, 0.5),
            "growth to": (self.most_growth, np.inf),
            "overlap from": (self.least_overlap, 0.0),
            "predicted IoU from": (self.least_predicted_iou, 0.0),
        }
        rules = (f", {what} {value:g}" for what, (value, off) in named.items() if value != off)
        return f"neighbour, margin {self.margin_px:g} px" + "".join(rules)

    def end(self, *, growth: float, overlap: float, predicted_iou: float) -> str:
        """Say why the structure has ended on a slice, "" where it goes on; NaN decides nothing."""
        if growth > self.most_growth:
            return f"area {growth:.3g} times that of the slice before"
        if overlap < self.least_overlap:
            return f"overlap {overlap:.2f} with the slice before"
        if predicted_iou < self.least_predicted_iou:
            return f"predicted IoU {predicted_iou:.2f}"
        return ""

    def next_prompt(self, prediction: Mask, *, spacing_mm: tuple[float, float]) -> Prompt:
        """Box what was predicted (H, W) on this slice; no boxes where the propagation ends."""
        return _boxes_around(prediction, self.margin_px, spacing_mm, MAX_BOXES)


@dataclass(frozen=True, eq=False)
class SpecialistBox:
    """Boxes around what a specialist found by itself, so that nothing comes from the reference.

    What it misses is lost (Dice 0), what it makes up is predicted beyond the structure's end; a
    case without a label map is missing, with a Dice of 0.
    """

    label_maps: Mapping[str, LabelMap]  # by name of the case, on the case's grid
    source: str  # who predicted, as tables name it: "nnU-Net 2d"
    margin_px: float = 0.0  # added on every side; 0 takes the prediction at its word
    kind: ClassVar[PromptKind] = "box"

    def __post_init__(self) -> None:
        _check_pixels(self.margin_px, name="margin_px")

    @property
    def box_source(self) -> str:
        """Whose prediction the boxes are around, with the margin."""
        return self.source + (f", margin {self.margin_px:g} px" if self.margin_px else "")

    def is_missing(self, case: Case) -> bool:
        """Whether the specialist did not predict this case."""
        return case.name not in self.label_maps

    def source_map(self, case: Case, case_slice: CaseSlice) -> Array:
        """Return what was predicted on a slice, (H, W) integers; InputError on another grid."""
        label_map = self.label_maps.get(case.name)
        if label_map is None:
            return np.zeros(case_slice.image.shape, np.uint8)
        check_same_grid(case.image, label_map)
        return label_map.slice(case_slice.plane, case_slice.index)

    def prompt_for(self, mask: Mask, *, spacing_mm: tuple[float, float], key: Key) -> Prompt:  # noqa: ARG002
        """Box the largest components of the specialist's mask."""
        return _boxes_around(mask, self.margin_px, spacing_mm, MAX_FOUND)


@dataclass(frozen=True)
class Memory:
    """Boxes on one slice, as for `NeighbourBox`; from there a SAM 2 follows by its memory."""

    box_source: ClassVar[str] = "memory"
    kind: ClassVar[PromptKind] = "box"


OraclePlan = OracleBox | OraclePoint
SlicePlan = OraclePlan | SpecialistBox
FollowPlan = NeighbourBox | Memory
PromptPlan = SlicePlan | FollowPlan


def _boxes_around(found: Mask, margin_px: float, mm: tuple[float, float], most: int) -> Prompt:
    """Box the largest components of a prediction (H, W), so many at `most`, widened by a margin."""
    components, _ = label_components(found, spacing_mm=mm)
    areas_px = np.bincount(components.ravel())[1:]
    largest = np.argsort(-areas_px, kind="stable")[:most] + 1
    kept = np.isin(components, largest)
    boxes = boxes_from_mask(kept, spacing_mm=mm)
    return Prompt(boxes_xyxy=pad_boxes(boxes, pixels=margin_px, shape=found.shape))


def _check_pixels(value: float, *, name: str) -> None:
    if not 0 <= value < np.inf:
        raise InputError(f"{name} is {value}, expected 0 or more pixels; 0 switches it off")


def _generator(seed: int, key: Key) -> np.random.Generator:
    # crc32: the `hash` of a str differs between runs
    words = (part if isinstance(part, int) else zlib.crc32(part.encode()) for part in key)
    return np.random.default_rng([seed, *words])


FOLLOW = NeighbourBox(
    least_probability=0.8, most_growth=2.0, least_overlap=0.5, least_predicted_iou=0.5
)
"""How `segment --propagate` and the canvas follow: the highest mean Dice on validation people, real
vertebrae and drawn thighs. ``results/10_drift.csv`` has people who test."""


def follow_plan(prompt_kinds: Collection[str]) -> NeighbourBox:
    """Choose how a model is followed by the kinds of prompt that it answers: by `FOLLOW`.

    One that takes boxes alone learned from none inside the object: its whole mask is boxed.
    """
    return FOLLOW if "point" in prompt_kinds else replace(FOLLOW, least_probability=0.5)
