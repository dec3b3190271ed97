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
prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mskseg import prompts
from mskseg.errors import InputError
from mskseg.prompts.label_prompts import BoolMask, LabelPrompts, PromptKind, predict_arguments
from mskseg.prompts.oracle_plans import OracleBox, OraclePlan, OraclePoint, check_pixels
from mskseg.volume import check_same_grid

if TYPE_CHECKING:
    from mskseg.case import Case, CaseSlice
    from mskseg.volume import Array, LabelMap

__all__ = [
    "LabelPrompts",
    "NeighbourBox",
    "OracleBox",
    "OraclePlan",
    "OraclePoint",
    "PromptKind",
    "PromptPlan",
    "SpecialistBox",
    "predict_arguments",
]


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
        check_pixels(self.margin_px, name="margin_px")
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
        kept = _largest_components(predicted, self.max_boxes, how)
        return LabelPrompts(prompts.next_slice_boxes(kept, margin_px=self.margin_px, **how))


@dataclass(frozen=True, eq=False)
class SpecialistBox:
    """Boxes around what a specialist found by itself, so that nothing comes from the reference.

    A label is prompted on every slice on which the specialist predicted it, and on no other: what
    the specialist misses is lost (Dice 0), what it makes up is predicted beyond the structure's end
    (see `mskseg.evaluation.tables`). Components of the specialist's prediction under the minimum
    area get no box, as everywhere.

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

    def __post_init__(self) -> None:
        check_pixels(self.margin_px, name="margin_px")
        if self.max_boxes < 1:
            raise InputError(f"SpecialistBox got max_boxes={self.max_boxes}, expected 1 or more")

    @property
    def prompt(self) -> PromptKind:
        """Kind of prompt: "box"."""
        return "box"

    @property
    def box_source(self) -> str:
        """Whose prediction the boxes are around, with the margin."""
        return self.source + (f", margin {self.margin_px:g} px" if self.margin_px else "")

    def has(self, case: Case) -> bool:
        """Whether the specialist predicted this case."""
        return case.name in self.label_maps

    def found_on(self, case: Case, at: CaseSlice) -> Array:
        """Give what the specialist predicted on a slice, (H, W) integers; 0 where it is missing.

        Raises InputError if its label map lies on another grid than the case's image.
        """
        if not self.has(case):
            return np.zeros(at.image.shape, np.uint8)
        check_same_grid(case.image, self.label_maps[case.name])
        return self.label_maps[case.name].slice(at.plane, at.index)

    def prompts_for(
        self,
        mask: BoolMask,
        *,
        spacing_mm: tuple[float, float],
        min_area_mm2: float,
        key: tuple[str | int, ...],
    ) -> LabelPrompts:
        """Boxes for the components of the specialist's `mask`; see `OraclePlan.prompts_for`."""
        how: dict[str, Any] = {"spacing_mm": spacing_mm, "min_area_mm2": min_area_mm2}
        kept = _largest_components(mask, self.max_boxes, how)
        return OracleBox(margin_px=self.margin_px).prompts_for(kept, **how, key=key)


PromptPlan = OracleBox | OraclePoint | NeighbourBox | SpecialistBox


def _largest_components(mask: BoolMask, n: int, how: dict[str, Any]) -> BoolMask:
    """Keep the n largest components of a mask, at least the minimum area each."""
    components, _ = prompts.label_components(mask, **how)
    areas_px = np.bincount(components.ravel())[1:]
    largest = np.argsort(-areas_px, kind="stable")[:n] + 1
    return np.isin(components, largest)
