"""What an evaluation asks of a segmenter, and what it hands on for each label and slice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.prompts import label_components
from mskseg.prompts.checks import bounding_slices

if TYPE_CHECKING:
    from mskseg.case import Case, CaseSlice

BoolMask = NDArray[np.bool_]


class Named(Protocol):
    """A model as far as a table names it."""

    @property
    def name(self) -> str:
        """Name for tables and figures."""

    @property
    def miniature(self) -> bool:
        """Whether it is one of this project's miniatures and not a published model."""


class PromptableSegmenter(Named, Protocol):
    """What an evaluation asks of a segmenter; `mskseg.load_segmenter` returns one."""

    def embed(self, image: NDArray[Any]) -> Any:
        """Encode one slice (H, W)."""

    def predict(
        self,
        embedding: Any,
        /,
        *,
        boxes_xyxy: Any = None,
        point_coords: Any = None,
        point_labels: Any = None,
    ) -> Any:
        """Masks (N, M, H, W) and predicted_iou (N, M) for N prompts, as attributes."""


@dataclass(frozen=True, eq=False)
class LabelPrediction:
    """What a plan gave for one label on one slice.

    Attributes
    ----------
    case_slice : CaseSlice
        The slice: image, spacing, plane, index.
    label : int
        Value in the label map.
    reference : (H, W) bool
        The reference, with the components too small for a prompt.
    prediction : (H, W) bool
        Union of the masks of all the label's prompts; empty where there was none.
    boxes_xyxy : (N, 4) float64
        The boxes given; for points the tight boxes of the components the points lie in.
    promptable_px : int
        Pixels of the reference in components of the minimum area or more.
    predicted_iou : float
        Mean of the segmenter's own estimate over the prompts; NaN without one.
    encode_s : float
        Seconds the encoder took for the slice, once for all labels and plans; NaN where the slice
        was not needed.
    decode_s : float
        This label's share of the decoder call for the slice, in seconds, by number of prompts.
    missing : bool
        There is no prediction for the whole case: `prediction` is empty because a run failed.
    """

    case_slice: CaseSlice
    label: int
    reference: BoolMask
    prediction: BoolMask
    boxes_xyxy: NDArray[np.float64]
    promptable_px: int
    predicted_iou: float
    encode_s: float
    decode_s: float
    missing: bool = False


def check_has_reference(case: Case) -> None:
    """Make sure that there is something to score against.

    Raises
    ------
    InputError
        If the case has no reference.
    """
    if case.reference is None:
        raise InputError(
            f"{case.name} has no reference, expected one to score against; "
            "give the label map with the case"
        )


def areas_px(case_slice: CaseSlice) -> dict[int, int]:
    """Pixels of each label on a slice, background left out, in the order of the labels."""
    if case_slice.label_map is None:
        return {}
    values, counts = np.unique(case_slice.label_map, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts, strict=True) if v != 0}


def promptable_px(mask: BoolMask, *, spacing_mm: tuple[float, float], min_area_mm2: float) -> int:
    """Count the pixels of a mask (H, W) in components of the minimum area or more."""
    if not mask.any():
        return 0
    components, _ = label_components(
        mask[bounding_slices(mask)], spacing_mm=spacing_mm, min_area_mm2=min_area_mm2
    )
    return int(np.count_nonzero(components))


def check_run(case: Case, *, min_area_mm2: float, slice_step: int) -> None:
    """Make sure that a case can be scored like this (InputError)."""
    check_has_reference(case)
    if slice_step < 1:
        raise InputError(f"slice_step is {slice_step}, expected 1 or more; 1 takes every slice")
    if not 0 <= min_area_mm2 < math.inf:
        raise InputError(f"min_area_mm2 is {min_area_mm2}, expected 0 or more square millimetres")
