"""Synthetic MR scans with exact labels: anatomy, signal and acquisition as three rooms.

A subject is a function of position in millimetres (`thigh_body`, `knee_body`, `spine_body`,
`hip_body`), drawn on a voxel grid with partial volume (`anatomy`), turned into signal (`signal`),
scanned (`scanning`) and named (`anatomies`, `scans`).
"""

from __future__ import annotations

from mskseg_phantom.anatomies import ANATOMIES
from mskseg_phantom.knee_map_scans import scan_knee_map
from mskseg_phantom.scans import (
    PHANTOM_VERSION,
    SPLIT,
    make_phantom,
    make_phantom_set,
    make_thigh,
    scan_phantom,
    split_of,
)
from mskseg_phantom.signal import SEQUENCES

__all__ = [
    "ANATOMIES",
    "PHANTOM_VERSION",
    "SEQUENCES",
    "SPLIT",
    "make_phantom",
    "make_phantom_set",
    "make_thigh",
    "scan_knee_map",
    "scan_phantom",
    "split_of",
]
