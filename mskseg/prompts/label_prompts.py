"""The prompts of one label on one slice, and how those of several labels share a decoder call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

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
