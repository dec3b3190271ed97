"""From masks to the numbers that a clinician reads, and whether their errors matter.

All are sums or means over slices, so a table with the numbers of each slice is enough: no volume of
masks has to be kept. Agreement is after Bland and Altman (1986).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from mskseg.case import TissueKind
from mskseg.display.style import check_columns, finish_chart, series_style
from mskseg.evaluation.metrics import checked_spacing
from mskseg.evaluation.scoring import SCAN
from mskseg.prompts.checks import bounding_slices, checked_mask
from mskseg_studies.errors.quantitative_maps import mean_inside
from mskseg_studies.errors.shape_classes import pixel_covariance
from mskseg_studies.panels import add_legend, new_panels
from mskseg_studies.tissues import largest_component, thickness_mm

Quantity = Literal["volume", "thickness", "height", "T2", "fat fraction"]


@dataclass(frozen=True)
class Biomarker:
    """A number that a clinician reads, where it is read, and which change of it matters."""

    name: str
    quantity: Quantity
    unit: str  # of reference, prediction and difference; "%": differences as parts of the reference
    smallest_change: float  # worth seeing, in `unit`
    source: str  # of that change
    kind: TissueKind  # of the tissues that it is read off
    anatomy: str = ""  # word that the case's anatomy has to hold; "" for any

    def applies(self, anatomy: str, kind: str) -> bool:
        """Whether it is read off tissues of this kind in this anatomy."""
        return self.anatomy in anatomy and kind == self.kind


BIOMARKERS = (
    Biomarker(
        name="cartilage thickness",
        quantity="thickness",
        unit="mm",
        kind="cartilage",
        smallest_change=0.1,
        source="commonly quoted as the smallest detectable change in knees; not checked here",
    ),
    Biomarker(
        name="cartilage T2",
        quantity="T2",
        unit="%",
        anatomy="knee",
        kind="cartilage",
        smallest_change=14.0,
        source="minimum detectable change, QIBA: Chalian 2021, doi:10.1148/radiol.2021204587",
    ),
    Biomarker(
        name="disc height",
        quantity="height",
        unit="mm",
        anatomy="spine",
        kind="disc",
        smallest_change=0.85,
        source="seen with 95 % confidence: Boos 1996, doi:10.1097/00007632-199603010-00006",
    ),
    Biomarker(
        name="muscle volume",
        quantity="volume",
        unit="%",
        anatomy="thigh",
        kind="muscle",
        smallest_change=5.0,
        source="thigh loss in five years of old age: Cameron 2020, doi:10.1007/s40520-019-01248-w",
    ),
    Biomarker(
        name="muscle fat fraction",
        quantity="fat fraction",
        unit="points",
        anatomy="thigh",
        kind="muscle",
        smallest_change=1.6,
        source="yearly rise in calves with two neuropathies: Doherty 2024, doi:10.1002/acn3.51979",
    ),
)
"""The five of this project; "points" are hundredths of fat fraction."""


def height_mm(mask: ArrayLike, *, spacing_mm: tuple[float, float]) -> float:
    """Mean height in mm of a flat body (H, W) such as a disc: its area over its length."""
    # Radiology measures discs in several ways, and the same discs have 9.1 mm in the middle, 7.5 mm
    # as a mean of three heights and 6.7 mm as a mean of front and back (doi:10.1055/a-1994-0879):
    # compare a height only with its own kind.
    inside = largest_component(checked_mask(mask, what="the mask"))
    spacing = checked_spacing(spacing_mm, ndim=2)
    if inside.sum() < 2:
        return float("nan")
    axis = np.linalg.eigh(pixel_covariance(inside, spacing))[1][:, -1]
    # From the middles of the outermost pixels to their ends: a pixel's length along the axis.
    length = np.ptp(np.argwhere(inside) * spacing @ axis) + axis**2 @ spacing
    return float(inside.sum() * spacing.prod() / length)


def measure_slice(
    quantity: Quantity,
    mask: NDArray[np.bool_],
    *,
    spacing_mm: tuple[float, float],
    values: NDArray[Any] | None = None,
) -> float:
    """Measure one quantity of a mask (H, W): mm, of a volume its area in mm², of a map the mean."""
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


def biomarker_table(table: pd.DataFrame, *, slice_distance_mm: Mapping[str, float]) -> pd.DataFrame:
    """Join slices to the biomarker of each structure, from the reference and from the prediction.

    Of a table of `score_cases` with `ErrorMeasures`, and for each data set the distance between the
    slices that were scored. Slices beyond the structure's end, where a plan predicted something,
    count for the prediction. A row for each segmenter, plan, scan and tissue off which a biomarker
    is read: `biomarker`, `unit`, `smallest_change`, `reference`, `prediction` (mm, ms, points or
    ml; means are over slices, weighted by area) and `difference` (in `unit`). NaN where nothing was
    predicted.
    """
    rows = []
    for biomarker in BIOMARKERS:
        fits = (table["group"] == biomarker.kind) & table["anatomy"].str.contains(biomarker.anatomy)
        for key, slices in table[fits].groupby(_KEYS, sort=False):
            distance_mm = slice_distance_mm[slices["dataset"].iloc[0]]
            reference, prediction = (
                _of_structure(slices, biomarker, role, distance_mm)
                for role in ("reference", "predicted")
            )
            if np.isfinite(reference) and reference > 0:  # else it was only invented
                difference = prediction - reference
                if biomarker.unit == "%":
                    difference = 100 * difference / reference
                about = (biomarker.name, biomarker.unit, biomarker.smallest_change)
                rows.append((*key, *about, reference, prediction, difference))
    return pd.DataFrame(rows, columns=[*_KEYS, *_COMPARED])


_KEYS = ["segmenter", "box_source", *SCAN, "tissue", "label"]
_COMPARED = ("biomarker", "unit", "smallest_change", "reference", "prediction", "difference")


def _of_structure(
    slices: pd.DataFrame, biomarker: Biomarker, role: str, distance_mm: float
) -> float:
    areas = slices["area_mm2" if role == "reference" else "predicted_area_mm2"]
    if biomarker.quantity == "volume":
        return float(areas.sum() * distance_mm / 1000)
    if f"{role} {biomarker.quantity}" not in slices:
        return float("nan")  # there was no map of it
    values = slices[f"{role} {biomarker.quantity}"]
    known = values.notna() & (areas > 0)
    return float(np.average(values[known], weights=areas[known])) if known.any() else float("nan")


_AGREEMENT_KEYS = ["biomarker", "segmenter", "unit", "smallest_change"]
_AGREEMENT = [
    "bias",
    "low",
    "high",
    "unit",
    "smallest_change",
    "within",
    "n",
    "n_missing",
    "source",
]
_MEASURED_IN = {"volume": "ml", "T2": "ms", "fat": "points"}


def biomarker_agreement(biomarkers: pd.DataFrame) -> pd.DataFrame:
    """Set bias and limits of agreement beside the smallest change that matters.

    Of `biomarker_table`. A row for each biomarker and segmenter: `bias` (mean difference), `low`
    and `high` (bias -+ 1.96 standard deviations; NaN with one pair), `unit`, `smallest_change`,
    `within` (whether both limits are), `n`, `n_missing` and `source` (of that change). A structure
    that was not found counts in `n_missing`; a biomarker that a segmenter found nowhere is left
    out.
    """
    differences = biomarkers.groupby(_AGREEMENT_KEYS, sort=False)["difference"]
    found = differences.agg(bias="mean", sd="std", n="count", size="size").reset_index()
    found = found[found["n"] > 0]
    reach, change = 1.96 * found["sd"].astype(float), found["smallest_change"]
    limits = found.assign(low=found["bias"] - reach, high=found["bias"] + reach)
    return limits.assign(
        within=(limits["low"] > -change) & (limits["high"] < change),
        n_missing=found["size"] - found["n"],
        source=found["biomarker"].map({each.name: each.source for each in BIOMARKERS}),
    )[["biomarker", "segmenter", *_AGREEMENT]].reset_index(drop=True)


def bland_altman_panels(biomarkers: pd.DataFrame, *, title: str = "") -> NDArray[Any]:
    """Draw the difference of two measurements against their mean, after Bland and Altman.

    A panel for each biomarker of `biomarker_table`: dots are structures, lines the bias of each
    segmenter with its limits of agreement (thin), the grey band what is smaller than the smallest
    change that matters.
    """
    check_columns(biomarkers, ["biomarker", "segmenter", "reference", "prediction", "difference"])
    names = list(dict.fromkeys(biomarkers["biomarker"]))
    figure, panels = new_panels(len(names), columns=3, size=(3.9, 3.1))
    for ax, name in zip(panels, names, strict=True):
        _draw_agreement(ax, biomarkers[biomarkers["biomarker"] == name])
    add_legend(figure, panels[0], title)
    return panels


def _draw_agreement(ax: Axes, rows: pd.DataFrame) -> None:
    name, reach, unit = rows.iloc[0][["biomarker", "smallest_change", "unit"]]
    ax.axhspan(-reach, reach, color="0.87", zorder=0, label="smaller than what matters")
    for number, (model, group) in enumerate(rows.groupby("segmenter", sort=False)):
        style, known = series_style(number), group.dropna(subset=["difference"])
        dashes = style.pop("linestyle")
        mean = (known["reference"] + known["prediction"]) / 2
        look = {"s": 20, "alpha": 0.6, "linewidths": 0, **style}
        ax.scatter(mean, known["difference"], label=str(model), **look)
        for limits in biomarker_agreement(group).itertuples():
            for height, width in ((limits.bias, 1.8), (limits.low, 0.7), (limits.high, 0.7)):
                ax.axhline(height, linewidth=width, color=style["color"], linestyle=dashes)
    measured = next((u for word, u in _MEASURED_IN.items() if word in name), "mm")
    ax.set(xlabel=f"mean of the two ({measured})", ylabel=f"prediction less reference ({unit})")
    finish_chart(ax, legend=None)
    ax.set_title(name, fontsize=10)
