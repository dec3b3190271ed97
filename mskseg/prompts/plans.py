"""Prompt plans: where the boxes or points of an evaluation come from.

A plan is a small frozen description that `score_cases` carries out and writes into each row of its
table, as `prompt` ("box" or "point") and `box_source`. What is taken from the reference is named
*oracle*, since nobody has it on a new scan:

* `OracleBox`: a box per component of the reference, tight, padded or jittered;
* `OraclePoint`: one or more points per component of the reference;
* `NeighbourBox`: an oracle box on a single slice, and from there outwards boxes around the
  **prediction** of the slice before, which needs no reference;
* `SpecialistBox`: boxes around what another model predicted, which needs no reference either.

Components are those of `mskseg.prompts.label_components`: below the minimum area they get no
prompt. All but `NeighbourBox` are carried out slice by slice, whatever was predicted elsewhere
(`SlicePlan`): `source_map` is what the prompts of a slice are taken from, `prompt_for` makes them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from mskseg.errors import InputError
from mskseg.prompts.boxes import boxes_from_mask, jitter_boxes, label_components, pad_boxes
from mskseg.prompts.checks import Mask, bounding_slices
from mskseg.prompts.points import central_point, random_points
from mskseg.prompts.prompt import Prompt
from mskseg.volume import check_same_grid

if TYPE_CHECKING:
    from mskseg.case import Case, CaseSlice
    from mskseg.volume import Array, LabelMap

PromptKind = Literal["box", "point"]


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
        """Whether there is nothing to take the prompts of this case from: never, here."""
        return False


@dataclass(frozen=True)
class OracleBox(_FromReference):
    """A box per component of the reference.

    Attributes
    ----------
    jitter_px : float
        Each side moves on its own, uniformly within plus or minus this many pixels; 0: tight.
    margin_px : float
        Added on every side before the jitter: people draw boxes too large rather than too small.
    seed : int
        Of the jitter. A box's jitter depends on the seed, the case, the slice and the label alone,
        so it is the same whatever else is scored in the same call.
    """

    jitter_px: float = 0.0
    margin_px: float = 0.0
    seed: int = 0
    kind: ClassVar[PromptKind] = "box"

    def __post_init__(self) -> None:
        _check_pixels(self.jitter_px, name="jitter_px")
        _check_pixels(self.margin_px, name="margin_px")

    @property
    def box_source(self) -> str:
        """The word "oracle", with margin, jitter and a seed other than 0 named."""
        parts = ["oracle"]
        if self.margin_px:
            parts.append(f"margin {self.margin_px:g} px")
        if self.jitter_px:
            parts.append(f"jitter {self.jitter_px:g} px")
            parts += [f"seed {self.seed}"] if self.seed else []
        return ", ".join(parts)

    def prompt_for(
        self,
        mask: Mask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> Prompt:
        """Box the components of a mask (H, W) of one label, maybe none.

        Components under `min_area_mm2` get no prompt. `key` names the mask (case, plane, slice,
        label): what is random is drawn from the seed and this.
        """
        boxes = boxes_from_mask(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
        if len(boxes) and self.margin_px:
            boxes = pad_boxes(boxes, pixels=self.margin_px, shape=mask.shape)
        if len(boxes) and self.jitter_px:
            rng = _generator(self.seed, key)
            boxes = jitter_boxes(boxes, shape=mask.shape, rng=rng, pixels=self.jitter_px)
        return Prompt(boxes_xyxy=boxes)


@dataclass(frozen=True)
class OraclePoint(_FromReference):
    """One or more points per component of the reference.

    Attributes
    ----------
    n : int
        Points per component: the first is the most central one, where a reader would click; the
        others are drawn at random inside the component.
    seed : int
        Of the random points.
    """

    n: int = 1
    seed: int = 0
    kind: ClassVar[PromptKind] = "point"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"OraclePoint got n={self.n}, expected 1 point or more per component")

    @property
    def box_source(self) -> str:
        """The word "oracle", with the number of points if it is not 1, and a seed other than 0."""
        parts = ["oracle"]
        if self.n > 1:
            parts.append(f"{self.n} points")
            parts += [f"seed {self.seed}"] if self.seed else []
        return ", ".join(parts)

    def prompt_for(
        self,
        mask: Mask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> Prompt:
        """Place points in the components of a mask; arguments as in `OracleBox.prompt_for`."""
        # Within its bounding box: the depth of every pixel is searched there, not in the slice.
        rows, columns = bounding_slices(mask)
        box, corner = mask[rows, columns], np.array([columns.start, rows.start])
        components, count = (
            label_components(box, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
            if box.size
            else (box, 0)
        )
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
    """Boxes around the prediction of the neighbouring slice, from one oracle slice outwards.

    The slice on which the structure is largest gets its oracle boxes, once. From there, up and
    down, each slice gets the boxes of the components that were *predicted* on the slice before,
    widened by the margin, until nothing is predicted any more
    (`mskseg.evaluation.SlicePredictor.propagate`). Slices that are not reached count as lost.

    Attributes
    ----------
    margin_px : float
        Added on every side of the previous slice's boxes, in pixels, so that a structure can grow
        from slice to slice.
    max_boxes : int
        A label's largest predicted components that get a box. A poor segmenter's fragments would
        otherwise multiply from slice to slice.
    """

    margin_px: float = 2.0
    max_boxes: int = 4
    kind: ClassVar[PromptKind] = "box"

    def __post_init__(self) -> None:
        _check_boxes_around(self)

    @property
    def box_source(self) -> str:
        """The word "neighbour" and the margin."""
        return f"neighbour, margin {self.margin_px:g} px"

    def next_prompt(
        self, prediction: Mask, *, spacing_mm: tuple[float, float], min_area_mm2: float
    ) -> Prompt:
        """Box what was predicted (H, W) on this slice; no boxes where the propagation ends."""
        return _boxes_around(prediction, self, spacing_mm, min_area_mm2)


@dataclass(frozen=True, eq=False)
class SpecialistBox:
    """Boxes around what a specialist found by itself, so that nothing comes from the reference.

    A label is prompted on every slice on which the specialist predicted it, and on no other: what
    it misses is lost (Dice 0), what it makes up is predicted beyond the structure's end.

    Attributes
    ----------
    label_maps : mapping of str to LabelMap
        By name of the case, on the case's grid. A case without one is missing: its pairs count
        with a Dice of 0.
    source : str
        Who predicted, as tables name it: "nnU-Net 2d".
    margin_px : float
        Added on every side, in pixels; 0 takes the prediction at its word.
    max_boxes : int
        A label's largest predicted components on a slice that get a box: a poor specialist's
        fragments would otherwise be prompted by the hundred.
    """

    label_maps: Mapping[str, LabelMap]
    source: str
    margin_px: float = 0.0
    max_boxes: int = 4
    kind: ClassVar[PromptKind] = "box"

    def __post_init__(self) -> None:
        _check_boxes_around(self)

    @property
    def box_source(self) -> str:
        """Whose prediction the boxes are around, with the margin."""
        return self.source + (f", margin {self.margin_px:g} px" if self.margin_px else "")

    def is_missing(self, case: Case) -> bool:
        """Whether the specialist did not predict this case."""
        return case.name not in self.label_maps

    def source_map(self, case: Case, case_slice: CaseSlice) -> Array:
        """Return what was predicted on a slice, (H, W) integers; InputError on another grid."""
        if self.is_missing(case):
            return np.zeros(case_slice.image.shape, np.uint8)
        check_same_grid(case.image, self.label_maps[case.name])
        return self.label_maps[case.name].slice(case_slice.plane, case_slice.index)

    def prompt_for(
        self,
        mask: Mask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],  # noqa: ARG002 - nothing is random here
    ) -> Prompt:
        """Box the specialist's mask; arguments as in `OracleBox.prompt_for`."""
        return _boxes_around(mask, self, spacing_mm, min_area_mm2)


OraclePlan = OracleBox | OraclePoint
SlicePlan = OraclePlan | SpecialistBox
PromptPlan = SlicePlan | NeighbourBox


def _boxes_around(
    prediction: Mask,
    plan: NeighbourBox | SpecialistBox,
    spacing_mm: tuple[float, float],
    min_area_mm2: float,
) -> Prompt:
    """Box the largest components of a prediction (H, W), widened by the plan's margin."""
    components, _ = label_components(prediction, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
    areas_px = np.bincount(components.ravel())[1:]
    largest = np.argsort(-areas_px, kind="stable")[: plan.max_boxes] + 1
    kept = np.isin(components, largest)
    boxes = boxes_from_mask(kept, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
    return Prompt(boxes_xyxy=pad_boxes(boxes, pixels=plan.margin_px, shape=prediction.shape))


def _check_pixels(value: float, *, name: str) -> None:
    if not 0 <= value < np.inf:
        raise InputError(f"{name} is {value}, expected 0 or more pixels; 0 switches it off")


def _check_boxes_around(plan: NeighbourBox | SpecialistBox) -> None:
    _check_pixels(plan.margin_px, name="margin_px")
    if plan.max_boxes < 1:
        name = type(plan).__name__
        raise InputError(f"{name} got max_boxes={plan.max_boxes}, expected 1 or more")


def _generator(seed: int, key: tuple[str | int, ...]) -> np.random.Generator:
    # crc32: the `hash` of a str differs between runs
    words = (part if isinstance(part, int) else zlib.crc32(part.encode()) for part in key)
    return np.random.default_rng([seed, *words])
