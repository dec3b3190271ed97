"""What an analysis of errors measures of every prediction besides the columns of `score_cases`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

from mskseg.case import Case
from mskseg.evaluation.metrics import checked_spacing, surface_distances_mm, surface_points
from mskseg.evaluation.prediction import LabelPrediction
from mskseg.prompts.checks import bounding_slices
from mskseg_studies.errors.biomarkers import BIOMARKERS, Maps, measure_slice
from mskseg_studies.errors.shapes import contour_errors
from mskseg_studies.tissues import RIM_MM

Border = Literal["weak", "clear", ""]

WEAK_BELOW = 1.0
"""`edge_contrast` under which a border is called weak: half of it is a step of less than one
standard deviation of the pixels beside it."""

_ROUNDING = 1 / 12  # variance of what a whole grey level leaves out, in grey levels squared


@dataclass
class ErrorMeasures:
    """Measure surface Dice, contour errors, borders and biomarkers, for `score_cases`' `further`.

    Columns are `surface_dice`, those of `contour_errors`, `edge_contrast` (how clearly the image
    shows the reference's border, in standard deviations) and `border` ("weak" where that is under
    `WEAK_BELOW`, else "clear"), and for each quantity X that is read off a tissue
    "reference X" and "predicted X"; T2 and fat fraction only where there is a map. What depends on
    the reference alone is measured once, however many models and plans follow.
    """

    tolerance_mm: float = 1.0  # of surface Dice: between one and two pixels of the built-in scans
    maps: Maps = field(default_factory=dict)  # from `load_maps`
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
            surfaces = surface_distances_mm(*pair, spacing_mm=at.spacing_mm)
            measured["surface_dice"] = surfaces.surface_dice(tolerance_mm=self.tolerance_mm)
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
                values=None if volume is None else volume.slice(at.plane, at.index),
            )
            for biomarker in BIOMARKERS
            for volume in [self.maps.get((biomarker.quantity, case.dataset, case.subject))]
            if biomarker.quantity != "volume" and biomarker.applies(case.anatomy, kind)
        }


def edge_contrast(image: ArrayLike, mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Median step of the grey levels (H, W) across a mask's border, in standard deviations."""
    # At each pixel of the border the mean of the mask's pixels within `RIM_MM` less the mean of the
    # others there, without its sign. So unlike `mskseg_studies.tissues.contrast`, a border with
    # a brighter neighbour on one side and a darker one on the other stays clear. Of noise alone it
    # is about 0.3 with pixels of 1 mm.
    spacing = checked_spacing(spacing_mm, ndim=2)
    inside, pixels = np.asarray(mask, dtype=bool), np.asarray(image, dtype=np.float64)
    border, reach = surface_points(inside), np.ceil(RIM_MM / spacing).astype(int) + 1
    if not len(border) or inside.all():
        return float("nan")
    start, stop = np.maximum(border.min(0) - reach, 0), border.max(0) + reach + 1
    part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    at, around = tuple((border - start).T), np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
    rows, columns = (steps * mm for steps, mm in zip(around, spacing, strict=True))
    disc = (np.hypot(rows, columns) <= RIM_MM).astype(np.float64)
    sides = [_around(pixels[part], side, disc, at) for side in (inside[part], ~inside[part])]
    (first, first_variance), (second, second_variance) = sides
    noise = np.sqrt((first_variance + second_variance) / 2 + _ROUNDING)
    return float(np.nanmedian(np.abs(first - second) / noise))


def border_of(contrast: float) -> Border:
    """Name a border by its `edge_contrast`; empty where there is none."""
    if np.isnan(contrast):
        return ""
    return "weak" if contrast < WEAK_BELOW else "clear"


def _around(
    pixels: NDArray[np.float64], side: NDArray[np.bool_], disc: NDArray[np.float64], at: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of one side's pixels within the disc around each place; NaN without any."""
    middle = pixels.mean()  # taken off: squares of small numbers lose less
    values = np.where(side, pixels - middle, 0.0)
    number, total, squares = (
        fftconvolve(each, disc, mode="same")[at] for each in (side.astype(float), values, values**2)
    )
    count = np.where(number > 0.5, number.round(), np.nan)
    mean = total / count
    return mean + middle, np.maximum(squares / count - mean**2, 0.0)
