"""Synthetic MR scans with exact labels: anatomy, signal and acquisition as three rooms.

A subject is a function of position in millimetres (`thigh`, `thigh_body`, `thigh_texture`), drawn
on a voxel grid with partial volume (`anatomy`), turned into signal (`signal`), scanned
(`acquisition`) and named (`scans`).
"""

from __future__ import annotations

from mskseg.data.phantom.scans import (
    PHANTOM_VERSION,
    SHAPE,
    SPLIT,
    make_phantom_set,
    make_thigh,
    scan_thigh,
)
from mskseg.data.phantom.signal import SEQUENCES
from mskseg.data.phantom.thigh import TISSUES

__all__ = [
    "PHANTOM_VERSION",
    "SEQUENCES",
    "SHAPE",
    "SPLIT",
    "TISSUES",
    "make_phantom_set",
    "make_thigh",
    "scan_thigh",
]
