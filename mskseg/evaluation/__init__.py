"""Scores of masks, prompt plans, and tidy tables of segmenter x cases x plans.

The names are imported when they are first used, so that the metrics do not wait for pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskseg.evaluation.label_maps import score_label_maps
    from mskseg.evaluation.metrics import (
        SurfaceDistances,
        assd_mm,
        dice,
        hd95_mm,
        iou,
        relative_volume_error,
        surface_dice,
        surface_distances_mm,
        volume_ml,
    )
    from mskseg.evaluation.plans import NeighbourBox, OracleBox, OraclePoint, SpecialistBox
    from mskseg.evaluation.summary import dice_table, summarise
    from mskseg.evaluation.tables import score_cases, write_table
    from mskseg.evaluation.tissues import tissue_means, tissue_properties
    from mskseg.evaluation.volumes import volume_table

_NAMES = {
    "mskseg.evaluation.metrics": (
        "SurfaceDistances",
        "assd_mm",
        "dice",
        "hd95_mm",
        "iou",
        "relative_volume_error",
        "surface_dice",
        "surface_distances_mm",
        "volume_ml",
    ),
    "mskseg.evaluation.label_maps": ("score_label_maps",),
    "mskseg.evaluation.plans": ("NeighbourBox", "OracleBox", "OraclePoint", "SpecialistBox"),
    "mskseg.evaluation.summary": ("dice_table", "summarise"),
    "mskseg.evaluation.tables": ("score_cases", "write_table"),
    "mskseg.evaluation.tissues": ("tissue_means", "tissue_properties"),
    "mskseg.evaluation.volumes": ("volume_table",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "NeighbourBox",
    "OracleBox",
    "OraclePoint",
    "SpecialistBox",
    "SurfaceDistances",
    "assd_mm",
    "dice",
    "dice_table",
    "hd95_mm",
    "iou",
    "relative_volume_error",
    "score_cases",
    "score_label_maps",
    "summarise",
    "surface_dice",
    "surface_distances_mm",
    "tissue_means",
    "tissue_properties",
    "volume_ml",
    "volume_table",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mskseg.evaluation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
