"""Scores of masks, prompt plans, and tidy tables of segmenter x cases x plans.

The names are imported when they are first used, so that the metrics do not wait for pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskseg.evaluation.bootstrap import compare_models, paired_bootstrap
    from mskseg.evaluation.committed import average_committed, committed_results
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
    from mskseg.evaluation.reported import beside_casali
    from mskseg.evaluation.summary import dice_table, summarise
    from mskseg.evaluation.tables import score_cases, write_table
    from mskseg.evaluation.tissues import tissue_means, tissue_properties
    from mskseg.evaluation.uncertainty.calibration import Calibration, ReliabilityBins
    from mskseg.evaluation.uncertainty.case_tables import (
        average_subjects,
        measure_uncertainty,
    )
    from mskseg.evaluation.uncertainty.map_sources import VolumeMaps
    from mskseg.evaluation.uncertainty.multiclass import (
        as_classes,
        checked_probabilities,
        multiclass_probabilities,
    )
    from mskseg.evaluation.uncertainty.prompted_maps import PromptedMaps
    from mskseg.evaluation.uncertainty.selective import doubt_and_error, referral_curves
    from mskseg.evaluation.uncertainty.temperature import temperatures_of
    from mskseg.evaluation.volumes import volume_table

_NAMES = {
    "mskseg.evaluation.bootstrap": ("compare_models", "paired_bootstrap"),
    "mskseg.evaluation.uncertainty.calibration": ("Calibration", "ReliabilityBins"),
    "mskseg.evaluation.committed": ("average_committed", "committed_results"),
    "mskseg.evaluation.uncertainty.map_sources": ("VolumeMaps",),
    "mskseg.evaluation.uncertainty.multiclass": (
        "as_classes",
        "checked_probabilities",
        "multiclass_probabilities",
    ),
    "mskseg.evaluation.uncertainty.prompted_maps": ("PromptedMaps",),
    "mskseg.evaluation.reported": ("beside_casali",),
    "mskseg.evaluation.uncertainty.selective": ("doubt_and_error", "referral_curves"),
    "mskseg.evaluation.uncertainty.temperature": ("temperatures_of",),
    "mskseg.evaluation.uncertainty.case_tables": (
        "average_subjects",
        "measure_uncertainty",
    ),
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
    "Calibration",
    "NeighbourBox",
    "OracleBox",
    "OraclePoint",
    "PromptedMaps",
    "ReliabilityBins",
    "SpecialistBox",
    "SurfaceDistances",
    "VolumeMaps",
    "as_classes",
    "assd_mm",
    "average_committed",
    "average_subjects",
    "beside_casali",
    "checked_probabilities",
    "committed_results",
    "compare_models",
    "dice",
    "dice_table",
    "doubt_and_error",
    "hd95_mm",
    "iou",
    "measure_uncertainty",
    "multiclass_probabilities",
    "paired_bootstrap",
    "referral_curves",
    "relative_volume_error",
    "score_cases",
    "score_label_maps",
    "summarise",
    "surface_dice",
    "surface_distances_mm",
    "temperatures_of",
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
