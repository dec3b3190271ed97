"""From masks to the numbers that a clinician reads, and whether their errors matter.

Some are read off maps of T2 and fat fraction, from further images of the same people. All are sums
or means over slices, so a table with the numbers of each slice is enough: no volume of masks has to
be kept. Agreement is after Bland and Altman (1986).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case, CaseSet, TissueKind
from mskseg.evaluation.metrics import checked_spacing
from mskseg.evaluation.scoring import SCAN
from mskseg.prompts.checks import bounding_slices, checked_mask
from mskseg.volume import Volume
from mskseg_phantom.tissue import TISSUE_SIGNAL, Tissue, tissue_signal
from mskseg_phantom.tissue.relaxometry import MAP_UNIT_MS
from mskseg_phantom.tissue.tissues import FIELDS
from mskseg_studies.charts import check_columns, finish_chart, series_style
from mskseg_studies.errors.shapes import pixel_covariance
from mskseg_studies.panels import add_legend, new_panels
from mskseg_studies.people import load_companions
from mskseg_studies.tissues import largest_component, thickness_mm

Maps = Mapping[tuple[str, str, str], Volume]
"""Maps by quantity, data set and subject."""


def load_maps(sets: Iterable[CaseSet]) -> dict[tuple[str, str, str], Volume]:
    """Load the maps of T2 and fat fraction that belong to the people of some data sets.

    By quantity, data set and subject: T2 in ms, fat fraction in percentage points. Empty where no
    data set has such images.
    """
    maps: dict[tuple[str, str, str], Volume] = {}
    for cases in sets:
        maps |= t2_maps(load_companions(cases, ["t2_map"]))
        maps |= fat_maps(load_companions(cases, ["dixon_water", "dixon_fat"]))
    return maps


def t2_maps(cases: Iterable[Case]) -> dict[tuple[str, str, str], Volume]:
    """Convert cases of the sequence ``t2_map`` to T2 in ms, NaN where none was fitted."""
    maps = {}
    for case in cases:
        values = np.asarray(case.image.array, dtype=np.float64) * MAP_UNIT_MS
        known = case.image.with_array(np.where(values > 0, values, np.nan))
        maps["T2", case.dataset, case.subject] = known
    return maps


def fat_maps(cases: Iterable[Case]) -> dict[tuple[str, str, str], Volume]:
    """Compute fat fraction, in points, from pairs of ``dixon_water`` and ``dixon_fat``."""
    images = {(case.sequence, case.dataset, case.subject): case.image for case in cases}
    maps = {}
    for (sequence, dataset, subject), water in images.items():
        if sequence == "dixon_water":
            fat = images["dixon_fat", dataset, subject]
            points = 100 * fat_fraction(water.array, fat.array)
            maps["fat fraction", dataset, subject] = water.with_array(points)
    return maps


def fat_fraction(water: ArrayLike, fat: ArrayLike) -> NDArray[np.float64]:
    """Divide fat by fat plus water, both magnitudes of one shape; NaN without any signal."""
    w, f = np.asarray(water, dtype=np.float64), np.asarray(fat, dtype=np.float64)
    total, unknown = w + f, np.full(w.shape, np.nan)
    fraction: NDArray[np.float64] = np.divide(f, total, out=unknown, where=total > 0)
    return fraction


def two_point_readings(true_percent: Sequence[float] = (0, 5, 10, 20, 40)) -> pd.DataFrame:
    """Compute what a two-point Dixon of the phantoms reads in muscle that holds so much fat.

    Without noise. The in-phase echo comes later, and water decays in between: the difference is
    taken for fat. Fat's smaller peaks are not opposed when the main one is and count as water.
    Rows are `true fat fraction`, of all protons, with a reading for each field strength; points.
    """
    muscle, fat = (TISSUE_SIGNAL[tissue] for tissue in (Tissue.MUSCLE, Tissue.FAT))
    rows = []
    for percent in true_percent:
        # Voxels mix by volume, fat fractions count protons.
        protons = percent / 100 / fat.fat_fraction
        volume = protons / fat.proton_density
        volume /= volume + (1 - protons) / muscle.proton_density
        mixed: list[tuple[Tissue, Any]] = [(Tissue.MUSCLE, np.float32(1 - volume))]
        mixed.append((Tissue.FAT, np.float32(volume)))
        row = {}
        for field in FIELDS:
            images = [
                abs(sum(part * tissue_signal(t, sequence=name, field=field) for t, part in mixed))
                for name in ("dixon_water", "dixon_fat")
            ]
            row[field] = 100 * float(fat_fraction(*images))
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(true_percent, name="true fat fraction"))


def mean_inside(values: ArrayLike, mask: ArrayLike) -> float:
    """Average a map inside a mask of the same shape; NaN, also in the map, is no value."""
    numbers, inside = np.asarray(values, dtype=np.float64), checked_mask(mask, what="the mask")
    known = numbers[inside & np.isfinite(numbers)]
    return float(known.mean()) if known.size else float("nan")


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
    anatomy: str  # word that the case's anatomy has to hold; "" for any

    def applies(self, anatomy: str, kind: str) -> bool:
        """Whether it is read off tissues of this kind in this anatomy."""
        return self.anatomy in anatomy and kind == self.kind


_TABLE = pd.read_csv(Path(__file__).with_name("biomarkers.csv"), keep_default_na=False)
BIOMARKERS = tuple(Biomarker(**row) for row in _TABLE.to_dict("records"))
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


def split_by_box(biomarkers: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Tell apart, by the biomarker's name, tissues that fill less than half of their box.

    Of `biomarker_table` and of the table that it was made of. Only a biomarker that is read off
    both kinds is split: into ", curved" (the filled box has a Dice below 0.5) and ", compact".
    """
    of_box = scores.groupby(["dataset", "tissue"])["filled_box_dice"].mean().rename("box")
    curved = biomarkers.join(of_box, on=["dataset", "tissue"])["box"] < 0.5
    both = curved.groupby(biomarkers["biomarker"]).transform("nunique") > 1
    kind = curved.map({True: ", curved", False: ", compact"})
    return biomarkers.assign(biomarker=biomarkers["biomarker"] + kind.where(both, ""))


_CHANGE = ["unit", "smallest_change"]
_FOUND = ["within", "n", "n_missing", "source"]
_MEASURED_IN = {"volume": "ml", "T2": "ms", "fat": "points"}


def biomarker_agreement(biomarkers: pd.DataFrame) -> pd.DataFrame:
    """Set bias and limits of agreement beside the smallest change that matters.

    Of `biomarker_table`. A row for each biomarker and segmenter: `bias` (mean difference), `low`
    and `high` (bias -+ 1.96 standard deviations; NaN with one pair), `unit`, `smallest_change`,
    `within` (whether both limits are), `n`, `n_missing` and `source` (of that change). A structure
    that was not found counts in `n_missing`; a biomarker that a segmenter found nowhere is left
    out.
    """
    differences = biomarkers.groupby(["biomarker", "segmenter", *_CHANGE], sort=False)["difference"]
    found = differences.agg(bias="mean", sd="std", n="count", size="size").reset_index()
    found = found[found["n"] > 0]
    reach, change = 1.96 * found["sd"].astype(float), found["smallest_change"]
    limits = found.assign(low=found["bias"] - reach, high=found["bias"] + reach)
    return limits.assign(
        within=(limits["low"] > -change) & (limits["high"] < change),
        n_missing=found["size"] - found["n"],
        source=found["biomarker"]
        .str.split(",")
        .str[0]
        .map({each.name: each.source for each in BIOMARKERS}),
    )[["biomarker", "segmenter", "bias", "low", "high", *_CHANGE, *_FOUND]].reset_index(drop=True)


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
        rows = biomarkers[biomarkers["biomarker"] == name]
        reach, unit = rows.iloc[0][["smallest_change", "unit"]]
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
    add_legend(figure, panels[0], title)
    return panels
