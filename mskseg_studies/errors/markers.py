"""Which biomarker is read off which tissue, measured slice by slice while the masks are at hand.

All five are sums or means over slices, so a table with the numbers of each slice is enough: no
volume of masks has to be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.evaluation.scoring import SCAN
from mskseg.evaluation.tissues import thickness_mm
from mskseg.prompts.checks import bounding_slices
from mskseg_studies.errors.biomarker_maps import Maps
from mskseg_studies.errors.biomarkers import agreement_table, height_mm, mean_inside

Quantity = Literal["volume", "thickness", "height", "T2", "fat fraction"]


@dataclass(frozen=True)
class Biomarker:
    """A number that a clinician reads, where it is read, and which change of it matters.

    Attributes
    ----------
    name : str
    quantity : {"volume", "thickness", "height", "T2", "fat fraction"}
    unit : str
        Of reference, prediction and difference; "%" where differences are parts of the reference.
    smallest_change : float
        Smallest change worth seeing, in `unit`.
    source : str
        Where that change comes from.
    anatomy : str
        Word that the case's anatomy has to hold; "" for any.
    words, without : tuple of str
        Words of which the tissue's name has to hold one (none given: any tissue), and none.
    """

    name: str
    quantity: Quantity
    unit: str
    smallest_change: float
    source: str
    anatomy: str = ""
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def applies(self, anatomy: str, tissue: str) -> bool:
        """Whether it is read off this tissue."""
        fits = not self.words or any(word in tissue for word in self.words)
        return self.anatomy in anatomy and fits and not any(word in tissue for word in self.without)


_NO_MUSCLE = ("femur", "fat", "bone", "cortex", "marrow", "vessel", "skin")

BIOMARKERS = (
    Biomarker(
        name="cartilage thickness",
        quantity="thickness",
        unit="mm",
        words=("cartilage",),
        smallest_change=0.1,
        source="commonly quoted as the smallest detectable change in knees; not checked here",
    ),
    Biomarker(
        name="cartilage T2",
        quantity="T2",
        unit="%",
        anatomy="knee",
        words=("cartilage",),
        smallest_change=14.0,
        source="minimum detectable change, QIBA: Chalian 2021, doi:10.1148/radiol.2021204587",
    ),
    Biomarker(
        name="disc height",
        quantity="height",
        unit="mm",
        anatomy="spine",
        words=("disc",),
        smallest_change=0.85,
        source="seen with 95 % confidence: Boos 1996, doi:10.1097/00007632-199603010-00006",
    ),
    Biomarker(
        name="muscle volume",
        quantity="volume",
        unit="%",
        anatomy="thigh",
        without=_NO_MUSCLE,
        smallest_change=5.0,
        source="thigh loss in five years of old age: Cameron 2020, doi:10.1007/s40520-019-01248-w",
    ),
    Biomarker(
        name="muscle fat fraction",
        quantity="fat fraction",
        unit="points",
        anatomy="thigh",
        without=_NO_MUSCLE,
        smallest_change=1.6,
        source="yearly rise in calves with two neuropathies: Doherty 2024, doi:10.1002/acn3.51979",
    ),
)
"""The five of this project; "points" are hundredths of fat fraction."""


def measure_slice(
    quantity: Quantity,
    mask: NDArray[np.bool_],
    *,
    spacing_mm: tuple[float, float],
    values: NDArray[Any] | None = None,
) -> float:
    """Measure one quantity of a mask on one slice.

    Parameters
    ----------
    quantity : str
        As in `Biomarker`.
    mask : (H, W) bool
    spacing_mm : (row, column)
    values : (H, W) float, optional
        The map's slice, for "T2" and "fat fraction".

    Returns
    -------
    float
        Thickness and height in mm, the mean of the map inside, or for "volume" the area in mm²;
        NaN where nothing is drawn (a volume is then 0) or there is no map.
    """
    part = bounding_slices(mask)
    drawn = mask[part]
    if quantity == "volume":
        return float(drawn.sum() * spacing_mm[0] * spacing_mm[1])
    if not drawn.any():
        return float("nan")
    if quantity in ("T2", "fat fraction"):
        return float("nan") if values is None else mean_inside(values[part], drawn)
    measured = thickness_mm if quantity == "thickness" else height_mm
    return measured(drawn, spacing_mm=spacing_mm)


def map_slice(maps: Maps, quantity: str, case: Case, one: CaseSlice) -> NDArray[Any] | None:
    """Give the slice of a case's map, None if it has none."""
    found = maps.get((quantity, case.dataset, case.subject))
    return None if found is None else found.slice(one.plane, one.index)


def biomarker_table(table: pd.DataFrame, *, slice_distance_mm: Mapping[str, float]) -> pd.DataFrame:
    """Join slices to the biomarker of each structure, from the reference and from the prediction.

    Parameters
    ----------
    table : pandas.DataFrame
        From `score_cases` with `mskseg_studies.errors.measures.Measures`. Slices beyond the
        structure's end, where a plan predicted something, count for the prediction.
    slice_distance_mm : mapping of str to float
        For each data set the distance between the slices that were scored.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter, plan, scan and tissue off which a biomarker is read: `biomarker`,
        `unit`, `smallest_change`, `reference`, `prediction` (mm, ms, points or ml; means are over
        slices, weighted by area) and `difference` (in `unit`). NaN where nothing was predicted.
    """
    keys = ["segmenter", "box_source", *SCAN, "tissue"]
    rows = []
    for marker in BIOMARKERS:
        fits = [
            marker.applies(a, t) for a, t in zip(table["anatomy"], table["tissue"], strict=True)
        ]
        chosen = table[np.array(fits, dtype=bool)]
        for key, group in chosen.groupby(keys, sort=False):
            named = dict(zip(keys, key, strict=True))
            distance = slice_distance_mm[named["dataset"]]
            pair = [_of_structure(group, marker, role, distance) for role in _ROLES]
            if np.isfinite(pair[0]) and pair[0] > 0:  # what was only invented has no reference
                rows.append(named | _compared(marker, *pair))
    return pd.DataFrame(rows, columns=[*keys, *_COMPARED])


_ROLES = {"reference": "area_mm2", "predicted": "predicted_area_mm2"}
_COMPARED = ("biomarker", "unit", "smallest_change", "reference", "prediction", "difference")


def _of_structure(group: pd.DataFrame, marker: Biomarker, role: str, distance_mm: float) -> float:
    areas = group[_ROLES[role]]
    if marker.quantity == "volume":
        return float(areas.sum() * distance_mm / 1000)
    if f"{role} {marker.quantity}" not in group:
        return float("nan")  # there was no map of it
    values = group[f"{role} {marker.quantity}"]
    known = values.notna() & (areas > 0)
    return float(np.average(values[known], weights=areas[known])) if known.any() else float("nan")


def _compared(marker: Biomarker, reference: float, prediction: float) -> dict[str, Any]:
    difference = prediction - reference
    if marker.unit == "%":
        difference *= 100 / reference
    return {
        "biomarker": marker.name,
        "unit": marker.unit,
        "smallest_change": marker.smallest_change,
        "reference": reference,
        "prediction": prediction,
        "difference": difference,
    }


def biomarker_agreement(pairs: pd.DataFrame) -> pd.DataFrame:
    """Set bias and limits of agreement beside the smallest change that matters.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `biomarker_table`.

    Returns
    -------
    pandas.DataFrame
        A row for each biomarker and segmenter: `bias`, `low`, `high`, `unit`, `n`, `n_missing`,
        `smallest_change`, `within` (whether both limits are) and `source` (of that change). Empty
        if there is no pair. A structure that was not found counts in `n_missing`; a biomarker that
        a segmenter found nowhere is left out.
    """
    shown = ["bias", "low", "high", "unit", "smallest_change", "within", "n", "n_missing", "source"]
    if pairs.empty:
        return pd.DataFrame(columns=["biomarker", "segmenter", *shown])
    keys = ["biomarker", "segmenter", "unit", "smallest_change"]
    found_once = pairs.groupby(keys, sort=False)["difference"].transform("count") > 0
    compared = pairs[found_once].assign(equal=0.0)
    if compared.empty:
        return biomarker_agreement(compared)
    found = agreement_table(compared, by=keys, reference="equal", prediction="difference")
    inside = (found["low"] > -found["smallest_change"]) & (found["high"] < found["smallest_change"])
    sources = {marker.name: marker.source for marker in BIOMARKERS}
    named = found.assign(within=inside, source=found["biomarker"].map(sources))
    return named[["biomarker", "segmenter", *shown]]
