"""Boxes and points for a promptable model: from masks, jittered, simulated clicks.

Everything is in pixels of the slice: boxes ``(x0, y0, x1, y1)`` half-open in continuous
coordinates, points ``(x, y)`` with pixel centres at .5 (see `mskseg.volume`). Components are
8-connected: a muscle that hangs together over a corner is one muscle and gets one box.
"""

from __future__ import annotations

from mskseg.prompts.boxes import (
    MIN_AREA_MM2,
    boxes_from_mask,
    fill_boxes,
    jitter_boxes,
    label_components,
    next_slice_boxes,
    pad_boxes,
)
from mskseg.prompts.checks import check_boxes, check_points
from mskseg.prompts.points import central_point, error_point, random_points

__all__ = [
    "MIN_AREA_MM2",
    "boxes_from_mask",
    "central_point",
    "check_boxes",
    "check_points",
    "error_point",
    "fill_boxes",
    "jitter_boxes",
    "label_components",
    "next_slice_boxes",
    "pad_boxes",
    "random_points",
]
