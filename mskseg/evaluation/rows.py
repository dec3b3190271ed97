"""The parts of a row of `score_cases`: which model, which case, what became of one label."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mskseg.evaluation import metrics
from mskseg.evaluation.prediction import LabelPrediction, Named
from mskseg.prompts import fill_boxes
from mskseg.prompts.checks import bounding_slices

if TYPE_CHECKING:
    from mskseg.case import Case

SCAN = ("dataset", "subject", "sequence", "site", "side", "visit")
"""Columns that together name one scan; the last three are "" where nothing is known of them."""

_NOT_SCORED = dict.fromkeys(("dice", "iou", "hd95_mm", "assd_mm", "filled_box_dice"), math.nan)


def described_model(model: Named) -> dict[str, Any]:
    """Columns of a row that say which model."""
    return {"segmenter": model.name, "miniature": model.miniature}


def described_scan(case: Case) -> dict[str, str]:
    """Columns of a row that name the scan."""
    return {name: getattr(case, name) for name in SCAN}


def described_case(case: Case) -> dict[str, Any]:
    """Columns of a row that copy the case."""
    return described_scan(case) | {
        "anatomy": case.anatomy,
        "severity": case.severity,
        "reference_provenance": case.reference_provenance,
    }


def scores_of(each: LabelPrediction) -> dict[str, Any]:
    """Columns of a row from `label` on: what became of one label on one slice."""
    n_reference, n_prediction = int(each.reference.sum()), int(each.prediction.sum())
    pixel_mm2 = math.prod(each.case_slice.spacing_mm)
    status = _status(each, n_reference=n_reference, n_prediction=n_prediction)
    return {
        "label": each.label,
        "plane": each.case_slice.plane,
        "slice": each.case_slice.index,
        "status": status,
        "n_prompts": len(each.boxes_xyxy),
        "area_mm2": n_reference * pixel_mm2,
        "predicted_area_mm2": n_prediction * pixel_mm2,
        "overlap_mm2": int((each.reference & each.prediction).sum()) * pixel_mm2,
        "unprompted_px": n_reference - each.promptable_px,
        "predicted_iou": each.predicted_iou,
        "encode_s": each.encode_s,
        "decode_s": each.decode_s,
    } | (_NOT_SCORED if status == "too_small" else _agreement(each))


def _agreement(each: LabelPrediction) -> dict[str, float]:
    filled = fill_boxes(each.boxes_xyxy, each.reference.shape)
    # Only the part of the slice where there is something: a muscle fills a fiftieth of it.
    part = bounding_slices(each.reference | each.prediction | filled)
    reference, prediction = each.reference[part], each.prediction[part]
    surfaces = metrics.surface_distances_mm(
        reference, prediction, spacing_mm=each.case_slice.spacing_mm
    )
    return {
        "dice": metrics.dice(reference, prediction),
        "iou": metrics.iou(reference, prediction),
        "hd95_mm": surfaces.hd95_mm,
        "assd_mm": surfaces.assd_mm,
        "filled_box_dice": metrics.dice(reference, filled[part]),
    }


def _status(each: LabelPrediction, *, n_reference: int, n_prediction: int) -> str:
    if n_reference and each.promptable_px:
        return "missing" if each.missing else "scored"
    if n_reference:
        return "too_small"
    return "beyond_end" if n_prediction else "both_empty"
