"""What an evaluation asks of a segmenter, and what it hands on for each label and slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError

if TYPE_CHECKING:
    from mskseg.data.cases import Case, CaseSlice

BoolMask = NDArray[np.bool_]


class PromptableSegmenter(Protocol):
    """What an evaluation asks of a segmenter; `mskseg.load_segmenter` returns one."""

    @property
    def name(self) -> str:
        """Name for tables and figures."""

    @property
    def miniature(self) -> bool:
        """Whether it is one of this project's miniatures and not a published model."""

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
