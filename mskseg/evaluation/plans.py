"""Prompt plans: where the boxes or points of an evaluation come from.

A plan is a small frozen description that `score_cases` carries out and writes into each row of its
table, as `prompt` ("box" or "point") and `box_source`. What is taken from the reference is named
*oracle*, since nobody has it on a new scan:

* `OracleBox`: a box per component of the reference, tight, padded or jittered;
* `OraclePoint`: one or more points per component of the reference;
* `NeighbourBox`: an oracle box on a single slice, and from there outwards boxes around the
  **prediction** of the slice before, which needs no reference.

Components are those of `mskseg.prompts.label_components`: below the minimum area they get no
prompt.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mskseg import prompts
from mskseg.errors import InputError
from mskseg.evaluation.surfaces import bounding_slices

PromptKind = Literal["box", "point"]
BoolMask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelPrompts:
    """The prompts of one label on one slice: one per component.

    Attributes
    ----------
    boxes_xyxy : (N, 4) float64
        Boxes in pixels of the slice, half-open. Where points are the prompt these are the tight
        boxes of the same components, for the filled-box baseline only.
    point_coords : (N, P, 2) float64, or None
        Points as x, y, where points are the prompt.
    point_labels : (N, P) int64, or None
        1 for each of these points: they lie inside.
    """

    boxes_xyxy: NDArray[np.float64]
    point_coords: NDArray[np.float64] | None = None
    point_labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.boxes_xyxy)


def predict_arguments(given: Sequence[LabelPrompts]) -> dict[str, NDArray[Any]]:
    """Join the prompts of several labels to the arguments of one `predict` call.

    Parameters
    ----------
    given : sequence of LabelPrompts
        All boxes or all points, at least one of them not empty.

    Returns
    -------
    dict
        ``boxes_xyxy`` (N, 4), or ``point_coords`` (N, P, 2) and ``point_labels`` (N, P), in the
        order of `given`.
    """
    points = [each.point_coords for each in given if each.point_coords is not None]
    labels = [each.point_labels for each in given if each.point_labels is not None]
    if points:
        return {"point_coords": np.concatenate(points), "point_labels": np.concatenate(labels)}
    return {"boxes_xyxy": np.concatenate([each.boxes_xyxy for each in given])}


class OraclePlan(Protocol):
    """A plan that takes the prompts of every slice from its reference."""

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt the segmenter gets."""

    @property
    def box_source(self) -> str:
        """Where the prompts come from, as tables and figures name it."""

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Prompts for the components of `mask`.

        Parameters
        ----------
        mask : (H, W) bool
            The reference of one label on one slice.
        spacing_mm : (2,) float
            Row and column spacing, in mm.
        min_area_mm2 : float
            Components below get no prompt.
        key : tuple of str and int
            Names the mask (case, slice, label): what is random is drawn from the seed and this.

        Returns
        -------
        LabelPrompts
            One prompt per component, maybe none.
        """


@dataclass(frozen=True)
class OracleBox:
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

    def __post_init__(self) -> None:
        _check_pixels(self.jitter_px, name="jitter_px")
        _check_pixels(self.margin_px, name="margin_px")

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt: "box"."""
        return "box"

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

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Boxes for the components of `mask`; see `OraclePlan.prompts_for`."""
        boxes = prompts.boxes_from_mask(mask, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2)
        if len(boxes) and self.margin_px:
            boxes = prompts.pad_boxes(boxes, pixels=self.margin_px, shape=mask.shape)
        if len(boxes) and self.jitter_px:
            rng = _generator(self.seed, key)
            boxes = prompts.jitter_boxes(boxes, shape=mask.shape, rng=rng, pixels=self.jitter_px)
        return LabelPrompts(boxes)


@dataclass(frozen=True)
class OraclePoint:
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

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"OraclePoint got n={self.n}, expected 1 point or more per component")

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt: "point"."""
        return "point"

    @property
    def box_source(self) -> str:
        """The word "oracle", with the number of points if it is not 1, and a seed other than 0."""
        parts = ["oracle"]
        if self.n > 1:
            parts.append(f"{self.n} points")
            parts += [f"seed {self.seed}"] if self.seed else []
        return ", ".join(parts)

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Points for the components of `mask`; see `OraclePlan.prompts_for`."""
        # Within its bounding box: the depth of every pixel is searched there, not in the slice.
        rows, columns = bounding_slices(mask)
        box, corner = mask[rows, columns], np.array([columns.start, rows.start])
        how: dict[str, Any] = {"spacing_mm": spacing_mm, "min_area_mm2": min_area_mm2}
        components, count = prompts.label_components(box, **how) if box.size else (box, 0)
        boxes = prompts.boxes_from_mask(box, **how) if count else np.empty((0, 4))
        rng = _generator(self.seed, key)
        points = np.empty((count, self.n, 2))
        for number in range(count):
            component = components == number + 1
            points[number, 0] = prompts.central_point(component, spacing_mm=spacing_mm)
            if self.n > 1:
                points[number, 1:] = prompts.random_points(component, self.n - 1, rng=rng)
        inside = np.ones((count, self.n), dtype=np.int64)
        return LabelPrompts(boxes + np.tile(corner, 2), points + corner, inside)


@dataclass(frozen=True)
class NeighbourBox:
    """Boxes around the prediction of the neighbouring slice, from one oracle slice outwards.

    The slice on which the structure is largest gets its oracle boxes, once. From there, up and
    down, each slice gets the boxes of the components that were *predicted* on the slice before,
    widened by the margin, until nothing is predicted any more. Slices the propagation does not
    reach count as lost (Dice 0); those beyond the structure's end where something is predicted are
    counted on their own (see `mskseg.evaluation.tables`).

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

    def __post_init__(self) -> None:
        _check_pixels(self.margin_px, name="margin_px")
        if self.max_boxes < 1:
            raise InputError(f"NeighbourBox got max_boxes={self.max_boxes}, expected 1 or more")

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt: "box"."""
        return "box"

    @property
    def box_source(self) -> str:
        """The word "neighbour" and the margin."""
        return f"neighbour, margin {self.margin_px:g} px"

    def next_prompts(
        self, predicted: BoolMask, *, spacing_mm: tuple[float, float], min_area_mm2: float
    ) -> LabelPrompts:
        """Box what was predicted (H, W) on this slice; no boxes where the propagation ends."""
        how: dict[str, Any] = {"spacing_mm": spacing_mm, "min_area_mm2": min_area_mm2}
        components, _ = prompts.label_components(predicted, **how)
        areas_px = np.bincount(components.ravel())[1:]
        largest = np.argsort(-areas_px, kind="stable")[: self.max_boxes] + 1
        kept = np.isin(components, largest)
        return LabelPrompts(prompts.next_slice_boxes(kept, margin_px=self.margin_px, **how))


PromptPlan = OracleBox | OraclePoint | NeighbourBox


def _check_pixels(value: float, *, name: str) -> None:
    if not 0 <= value < np.inf:
        raise InputError(f"{name} is {value}, expected 0 or more pixels; 0 switches it off")


def _generator(seed: int, key: tuple[str | int, ...]) -> np.random.Generator:
    # crc32: the `hash` of a str differs between runs
    words = (part if isinstance(part, int) else zlib.crc32(part.encode()) for part in key)
    return np.random.default_rng([seed, *words])
