"""What an analysis of errors measures of every prediction besides the columns of `score_cases`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.evaluation import metrics
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.prompts.checks import bounding_slices
from mskseg_studies.errors.biomarker_maps import Maps
from mskseg_studies.errors.forms import form_errors
from mskseg_studies.errors.markers import BIOMARKERS, map_slice, measure_slice


@dataclass
class Measures:
    """Measure surface Dice, forms of error and biomarkers, for `score_cases(..., further=)`.

    What depends on the reference alone is measured once, however many models and plans follow.

    Attributes
    ----------
    tolerance_mm : float
        Of surface Dice. 1 mm: between one and two pixels of the built-in scans.
    maps : mapping
        Maps by quantity, data set and subject, see `mskseg_studies.errors.biomarker_maps`.
    """

    tolerance_mm: float = 1.0
    maps: Maps = field(default_factory=dict)
    _references: dict[tuple[Any, ...], dict[str, float]] = field(default_factory=dict, repr=False)

    def __call__(self, case: Case, each: LabelPrediction) -> Mapping[str, float]:
        """Give `surface_dice`, `area_error`, `solidity_gain`, `roughness_gain`, biomarkers.

        Biomarkers have a column "reference X" and one "predicted X" for each quantity X that is
        read off the tissue; T2 and fat fraction only where there is a map.
        """
        part = bounding_slices(each.reference | each.prediction)
        pair = (each.reference[part], each.prediction[part])
        spacing_mm = each.case_slice.spacing_mm
        distances = metrics.surface_distances_mm(*pair, spacing_mm=spacing_mm)
        scored = bool(each.promptable_px)
        forms = form_errors(*pair, spacing_mm=spacing_mm) if scored else {}
        key = (case.name, each.case_slice.plane, each.case_slice.index, each.label)
        if key not in self._references:
            self._references[key] = self._read(case, each, each.reference, "reference")
        return {
            "surface_dice": distances.surface_dice(tolerance_mm=self.tolerance_mm)
            if scored
            else math.nan,
            **forms,
            **self._references[key],
            **self._read(case, each, each.prediction, "predicted"),
        }

    def _read(
        self, case: Case, each: LabelPrediction, mask: NDArray[np.bool_], role: str
    ) -> dict[str, float]:
        one, tissue = each.case_slice, case.tissue(each.label)
        found = {}
        for marker in BIOMARKERS:
            if marker.quantity == "volume" or not marker.applies(case.anatomy, tissue):
                continue
            values = map_slice(self.maps, marker.quantity, case, one)
            found[f"{role} {marker.quantity}"] = measure_slice(
                marker.quantity, mask, spacing_mm=one.spacing_mm, values=values
            )
        return found
