"""What an analysis of errors measures of every prediction besides the columns of `score_cases`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.evaluation.metrics import surface_dice
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.prompts.checks import bounding_slices
from mskseg_studies.errors.biomarkers import BIOMARKERS, measure_slice
from mskseg_studies.errors.borders import border_of, edge_contrast
from mskseg_studies.errors.contour_errors import contour_errors
from mskseg_studies.errors.quantitative_maps import Maps


@dataclass
class ErrorMeasures:
    """Measure surface Dice, contour errors, borders and biomarkers, for `score_cases`' `further`.

    Columns are `surface_dice`, those of `contour_errors`, `edge_contrast` (how clearly the image
    shows the reference's border, in standard deviations) and `border` ("weak" where that is under
    `borders.WEAK_BELOW`, else "clear"), and for each quantity X that is read off a tissue
    "reference X" and "predicted X"; T2 and fat fraction only where there is a map. What depends on
    the reference alone is measured once, however many models and plans follow.

    Attributes
    ----------
    tolerance_mm : float
        Of surface Dice. 1 mm: between one and two pixels of the built-in scans.
    maps : mapping
        Volumes by quantity, data set and subject, from `load_maps`.
    """

    tolerance_mm: float = 1.0
    maps: Maps = field(default_factory=dict)
    _references: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict, repr=False)

    def __call__(self, case: Case, prediction: LabelPrediction) -> Mapping[str, Any]:
        """Give the further columns of one label on one slice."""
        at, label = prediction.case_slice, prediction.label
        key = (case.name, at.plane, at.index, label)
        if key not in self._references:
            clear = edge_contrast(at.image, prediction.reference, spacing_mm=at.spacing_mm)
            self._references[key] = {
                "edge_contrast": clear,
                "border": border_of(clear),
                **self._biomarkers(case, prediction, "reference"),
            }
        measured = {"surface_dice": math.nan}
        if prediction.promptable_px:
            part = bounding_slices(prediction.reference | prediction.prediction)
            pair = (prediction.reference[part], prediction.prediction[part])
            measured["surface_dice"] = surface_dice(
                *pair, spacing_mm=at.spacing_mm, tolerance_mm=self.tolerance_mm
            )
            measured |= contour_errors(*pair, spacing_mm=at.spacing_mm)
        predicted = self._biomarkers(case, prediction, "predicted")
        return measured | self._references[key] | predicted

    def _biomarkers(self, case: Case, prediction: LabelPrediction, role: str) -> dict[str, float]:
        at, kind = prediction.case_slice, case.kind(prediction.label)
        mask = prediction.reference if role == "reference" else prediction.prediction
        return {
            f"{role} {biomarker.quantity}": measure_slice(
                biomarker.quantity,
                mask,
                spacing_mm=at.spacing_mm,
                values=self._map_slice(biomarker.quantity, case, at),
            )
            for biomarker in BIOMARKERS
            if biomarker.quantity != "volume" and biomarker.applies(case.anatomy, kind)
        }

    def _map_slice(self, quantity: str, case: Case, at: CaseSlice) -> NDArray[Any] | None:
        volume = self.maps.get((quantity, case.dataset, case.subject))
        return None if volume is None else volume.slice(at.plane, at.index)
