"""10: a scan of one's own, what was followed through it, and a second reader's mask beside it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.datasets import load_some
from mskseg.display import draw_label_map, frame_around, overlay
from mskseg.display.style import chart_axes
from mskseg.errors import InputError
from mskseg.evaluation import Propagation
from mskseg.evaluation.propagation import BOX_COLUMNS
from mskseg.io import load_image, load_label_map
from mskseg.prompts import OracleBox, fill_boxes
from mskseg.prompts.checks import bounding_slices
from mskseg.volume import LabelMap, Plane
from mskseg_studies.charts import finish_chart, series_style
from mskseg_studies.panels import new_panels
from mskseg_studies.people import describe_scans as describe_scans

DRAWN_PX = 2.0  # people draw boxes too large rather than too small
COMPACT = 0.6  # of its box; a curved sheet or a ring fills less
_SIDE: dict[Plane, Plane] = {"axial": "coronal", "coronal": "axial", "sagittal": "coronal"}


def load_scan(
    scan: str | os.PathLike[str] = "",
    *,
    reference: str | os.PathLike[str] = "",
    datasets: Sequence[str] = (),
) -> Case:
    """Load a file or a DICOM folder, or without one the first person of the first data set.

    `reference` is a second reader's label map on the scan's grid; a data set has its own.
    """
    if scan:
        case = Case(subject=Path(scan).name, image=load_image(scan))
    else:
        case = load_some(datasets[0])[0]
    return replace(case, reference=load_label_map(reference)) if reference else case


def choose_start(case: Case, *, label: int = 0, box: Sequence[float] = ()) -> tuple[int, int]:
    """Choose label and slice: those given, or the reference's largest structure that fills its box.

    `box` is a slice and x0, y0, x1, y1 (else InputError); without it and without a reference, the
    middle slice; of slices nearly as large as the largest the middle one.
    """
    if box and len(box) != 5:
        raise InputError(f"expected a box as slice, x0, y0, x1, y1, got {[*box]}")
    if case.reference is None or box:
        return label or 1, int(box[0]) if box else case.image.n_slices(case.plane) // 2
    stack = case.reference.stack(case.plane)
    sizes = {known: (stack == known).sum(axis=(1, 2)) for known in case.reference.labels}

    def compact_and_large(known: int) -> tuple[bool, int]:
        mask = stack[int(np.argmax(sizes[known]))] == known
        return bool(mask[bounding_slices(mask)].mean() > COMPACT), int(sizes[known].max())

    chosen = label or max(sizes, key=compact_and_large)
    near = np.flatnonzero(sizes[chosen] >= 0.95 * sizes[chosen].max())
    return chosen, int(near[len(near) // 2])


def read_box(case: Case, label: int, k: int) -> list[float]:
    """Draw the box of a careful reader: `DRAWN_PX` around the reference, or mid-slice without one.

    A place holder where there is no reference: draw your own. InputError if it is not on the slice.
    """
    case_slice = case.slice(k)
    height, width = case_slice.image.shape
    if case_slice.label_map is None:
        return [width * 0.4, height * 0.4, width * 0.6, height * 0.6]
    if not (case_slice.label_map == label).any():
        raise InputError(f"no {case.tissue(label)} on slice {k}; choose one that the reference has")
    prompt = OracleBox(margin_px=DRAWN_PX).prompt_for(
        case_slice.label_map == label, spacing_mm=case_slice.spacing_mm, min_area_mm2=0, key=()
    )
    boxes = np.asarray(prompt.boxes_xyxy)
    return [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]


def compare_slices(found: Propagation, case: Case, label: int, *, start: int) -> pd.DataFrame:
    """Compare what was followed with the reference, slice by slice; NaN without a reference.

    A row for each slice: `steps` and `mm` from the prompted one, pixels predicted, of the reference
    and shared, `dice`, the same of the filled box that was asked there (`box_px`, `box_shared_px`,
    `filled_box_dice`), and the `reason`.
    """
    rows = []
    table = found.table[found.table["label"] == label].set_index("slice")
    for k, row in table.iterrows():
        mask = found.label_map.slice(case.plane, int(k)) == label
        reference = case.slice(int(k)).label_map
        box = fill_boxes(row[list(BOX_COLUMNS)].to_numpy(float), mask.shape) if row["x1"] > 0 else 0
        drawn = np.zeros(mask.shape, bool) | (box if row["area_mm2"] else 0)
        truth = None if reference is None else reference == label
        counts = [mask.sum(), drawn.sum(), *([np.nan] * 3)]
        if truth is not None:
            counts[2:] = truth.sum(), (mask & truth).sum(), (drawn & truth).sum()
        steps = int(k) - start
        rows.append([k, steps, steps * case.image.slice_thickness_mm(case.plane), *counts])
    names = ["slice", "steps", "mm", "predicted_px", "box_px", "reference_px", "shared_px"]
    compared = pd.DataFrame(rows, columns=[*names, "box_shared_px"])
    return compared.assign(
        dice=_dice(compared, "predicted_px", "shared_px"),
        filled_box_dice=_dice(compared, "box_px", "box_shared_px"),
        reason=table["reason"].to_numpy(),
    )


def sum_up(compared: pd.DataFrame, *, within: int | None = None) -> pd.Series:
    """Sum the slices, or those within some of the prompted one, to volumes and their Dice."""
    near = compared if within is None else compared[compared["steps"].abs() <= within]
    total = near.select_dtypes("number").sum(min_count=1)
    return pd.Series(
        {
            "slices": int((near["predicted_px"] > 0).sum()),
            "slices_of_reference": int((near["reference_px"] > 0).sum()),
            "volume_dice": _dice(total, "predicted_px", "shared_px"),
            "filled_box_volume_dice": _dice(total, "box_px", "box_shared_px"),
        }
    )


def _dice(table: Any, predicted: str, shared: str) -> Any:
    """Dice of columns of pixels; NaN where both are empty."""
    return 2 * table[shared] / (table[predicted] + table["reference_px"])


def slice_to_correct(compared: pd.DataFrame, *, below: float = 0.9) -> int | None:
    """Find the first slice, outwards from the prompted one, that is clearly worse than it.

    Its Dice is less than `below` of the prompted slice's, and the reference is on it; None if there
    is no such slice.
    """
    at_start = compared.loc[compared["steps"] == 0, "dice"].max()
    outwards = compared.iloc[compared["steps"].abs().argsort(kind="stable")]
    worse = outwards[(outwards["reference_px"] > 0) & (outwards["dice"] < below * at_start)]
    return int(worse["slice"].iloc[0]) if len(worse) else None


def show_slices(
    case: Case, found: Propagation, compared: pd.DataFrame, label: int, *, n: int = 8
) -> NDArray[Any]:
    """Show slices from one end to the other, the prompted one among them, with why each is so."""
    reached = compared[compared["predicted_px"] > 0]["slice"]
    home = compared.loc[compared["steps"] == 0, "slice"]
    low, high = min([*reached, *home]) - 1, max([*reached, *home]) + 1
    even = np.linspace(max(low, 0), min(high, compared["slice"].max()), n - 1).round()
    rows = compared.set_index("slice").loc[sorted({*even.astype(int), *home})]
    asked = found.table[found.table["label"] == label].set_index("slice")[list(BOX_COLUMNS)]
    _, panels = new_panels(len(rows), columns=4, size=(3.4, 3.6))
    frame = frame_around(asked.dropna(), shape=case.slice(int(home.iloc[0])).image.shape)
    for ax, (k, row) in zip(panels, rows.iterrows(), strict=True):
        shown, box = case.slice(int(k)), asked.loc[k].to_numpy(float)
        overlay(
            shown.image,
            spacing_mm=shown.spacing_mm,
            reference=None if shown.label_map is None else shown.label_map == label,
            prediction=found.label_map.slice(case.plane, int(k)) == label,
            boxes_xyxy=None if np.isnan(box).any() else box,
            zoom_xyxy=frame,
            ax=ax,
        )
        if legend := ax.get_legend():
            legend.remove()
        score = "" if np.isnan(row["dice"]) else f", Dice {row['dice']:.2f}"
        ax.set_title(f"slice {k}{score}\n{row['reason'].replace(': ', ':' + chr(10))}", fontsize=9)
    return panels


def show_side(
    case: Case, found: Mapping[str, Propagation], label: int, *, start: int
) -> NDArray[Any]:
    """Show in another plane how far each propagation went; a white frame is the slice prompted.

    Of the views that show much of the object it is the one in which first and last differ most.
    """
    side, first = _SIDE[case.plane], next(iter(found.values()))
    before, after = (each.label_map.stack(side) == label for each in (first, [*found.values()][-1]))
    size, differ = before.sum(axis=(1, 2)), (before != after).sum(axis=(1, 2))
    k = int(np.lexsort((size, np.where(size >= size.max() / 2, differ, -1)))[-1])
    stack = np.zeros(case.image.stack(case.plane).shape, np.uint8)
    stack[start] = first.label_map.stack(case.plane)[start] == label
    prompted = LabelMap.from_slices(stack, case.plane, image=case.image).slice(side, k) > 0
    shown = case.slice(k, side)
    masks = {name: each.label_map.slice(side, k) == label for name, each in found.items()}
    truth = None if shown.label_map is None else shown.label_map == label
    all_pixels = np.any([*masks.values(), *([] if truth is None else [truth])], axis=0)
    rows, columns = np.nonzero(all_pixels)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    _, panels = new_panels(len(masks), columns=3, size=(4.2, 3.8))
    for ax, (name, mask) in zip(panels, masks.items(), strict=True):
        overlay(
            shown.image,
            spacing_mm=shown.spacing_mm,
            reference=truth,
            prediction=mask,
            plane=side,
            zoom_xyxy=frame_around(box, shape=shown.image.shape),
            title=f"{name}\n{first.table.loc[first.table['label'] == label, 'tissue'].iloc[0]}, "
            f"{side} slice {k}",
            ax=ax,
        )
        draw_label_map(ax, prompted, colours={1: "white"})
    return panels


def drift_chart(compared: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw Dice, or without a reference the area, over the distance from the prompted slice."""
    ax = chart_axes(ax, (7.5, 4.0))
    scored = any(table["dice"].notna().any() for table in compared.values())
    column = "dice" if scored else "predicted_px"
    for number, (name, table) in enumerate(compared.items()):
        style = series_style(number) | {"markersize": 3}
        ax.plot(table["steps"], table[column], label=name, **style)
    if scored:
        last = list(compared.values())[-1]
        ax.plot(last["steps"], last["filled_box_dice"], "--", color="0.5", label="its filled boxes")
        ax.set_ylim(0, 1)
    ax.set(xlabel="slices from the prompted one", ylabel="Dice" if scored else "area (pixels)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    sums = {name: sum_up(table)["volume_dice"] for name, table in compared.items()}
    said = "; ".join(f"{name} {value:.2f}" for name, value in sums.items())
    finish_chart(ax, f"Dice of the volume: {said}" if scored else "Area on each slice")
    return ax
