"""Automatic masks of a whole slice: a grid of points, three masks each, and their filters.

`segment_anything.SamAutomaticMaskGenerator` does the work (Kirillov 2023, section 5 and appendix
B); here its filters are applied one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms, masks_to_boxes

from mskseg.errors import InputError
from mskseg.models.preprocessing import as_rgb_uint8
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import SamAutomaticMaskGenerator, build_point_grid


@dataclass(frozen=True, eq=False)
class Candidates:
    """Masks from a grid of points, before or after a filter."""

    masks: NDArray[np.bool_]  # (N, H, W)
    predicted_iou: NDArray[np.float64]  # (N,) the model's own estimate
    stability: NDArray[np.float64]  # (N,) IoU of a higher and a lower cut: near 1 if sharp
    points: NDArray[np.float64]  # (N, 2) x, y of the grid point that each came from

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        return f"Candidates({len(self)} masks of {self.masks.shape[1]} x {self.masks.shape[2]})"

    def where(self, chosen: NDArray[Any]) -> Candidates:
        """Keep those at `chosen`, which are indices or (N,) bool."""
        return Candidates(
            self.masks[chosen],
            self.predicted_iou[chosen],
            self.stability[chosen],
            self.points[chosen],
        )

    def without_duplicates(self, *, box_iou: float = 0.7) -> Candidates:
        """Of masks whose boxes overlap by more than `box_iou` keep the best by predicted IoU."""
        if not len(self):
            return self
        # To the largest index, not one more, as upstream: the overlap of boxes depends on it.
        boxes = masks_to_boxes(torch.as_tensor(self.masks)).double()
        scores = torch.as_tensor(self.predicted_iou)
        kept = batched_nms(boxes, scores, torch.zeros(len(self)), box_iou)
        return self.where(kept.numpy())


def grid_candidates(
    segmenter: Segmenter,
    image: NDArray[Any],
    *,
    points_per_side: int = 32,
    within: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Predict three masks for every point of a grid, and leave out nothing but empty ones.

    Memory grows with the square of `points_per_side` (published: 32). `within` (H, W) bool asks
    only at points in this mask. InputError for a model that did not learn points and its own IoU.
    """
    if not segmenter.learned_iou or segmenter.preprocessing.name != "sam":
        raise InputError(
            f"{segmenter.name} was tuned for boxes alone; automatic masks need a model that "
            "learned points and predicted IoU, such as sam_vit_mini or sam_vit_b"
        )
    if points_per_side < 1:
        raise InputError(f"expected 1 grid point a side or more, got {points_per_side}")
    rgb = as_rgb_uint8(image)
    grid = build_point_grid(points_per_side)
    if within is not None:
        if within.shape != rgb.shape[:2]:
            raise InputError(f"expected `within` of shape {rgb.shape[:2]}, got {within.shape}")
        columns, rows = (grid * within.shape[::-1]).astype(int).T
        grid = grid[within[rows, columns]]
    generator = SamAutomaticMaskGenerator(
        segmenter.model,
        points_per_side=None,
        point_grids=[grid],
        pred_iou_thresh=0.0,
        stability_score_thresh=0.0,
        box_nms_thresh=1.0,
    )
    records = [r for r in generator.generate(rgb) if r["area"] > 0] if len(grid) else []
    points = [record["point_coords"][0] for record in records]
    return Candidates(
        masks=np.array([r["segmentation"] for r in records], bool).reshape(-1, *rgb.shape[:2]),
        predicted_iou=np.array([r["predicted_iou"] for r in records], np.float64),
        stability=np.array([r["stability_score"] for r in records], np.float64),
        points=np.array(points, np.float64).reshape(-1, 2) + 0.5,
    )
