"""Reference and prediction on a slice, and slices side by side; nothing is shown by itself."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from mskseg.case import CaseSlice
from mskseg.display.slices import (
    OUTLINE,
    Colour,
    Labelled,
    Linestyle,
    draw_boxes,
    draw_label_map,
    frame_around,
    masks_by_label,
    show_slice,
)
from mskseg.display.style import PREDICTION, REFERENCE, chart_axes, tissue_colours
from mskseg.errors import InputError
from mskseg.volume import Plane

_ROWS_OF_LEGEND = 18
_PANEL = 3.2  # inches, of a montage
_LEGEND_LINE = 0.17
_STYLES: dict[str, Linestyle] = {"reference": "dashed", "prediction": "solid"}
_COLOURS = {"reference": REFERENCE, "prediction": PREDICTION}


def overlay(
    image: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    reference: Labelled | None = None,
    prediction: Labelled | None = None,
    tissues: Mapping[int, str] | None = None,
    boxes_xyxy: ArrayLike | None = None,
    plane: Plane | None = None,
    zoom_xyxy: ArrayLike | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show a slice with the outlines of reference (dashed) and prediction (solid).

    Parameters
    ----------
    image : (H, W) array
    spacing_mm, plane, zoom_xyxy
        As in `show_slice`.
    reference, prediction : (H, W) array, or mapping of label to (H, W) array, optional
        Label maps, or masks, or a mask for each label, which may overlap.
    tissues : mapping of int to str, optional
        Names labels in a legend and fixes their colours, so pass all of the data set; without it a
        mask has the colour of its role.
    boxes_xyxy : (N, 4) float, optional
        Box prompts, drawn.
    """
    masks = {
        role: masks_by_label(label_map)
        for role, label_map in (("reference", reference), ("prediction", prediction))
        if label_map is not None
    }
    labels = sorted(set().union(*masks.values()))
    colours: Mapping[int, Colour] = tissue_colours({*labels, *(tissues or {})})
    # The dashes are explained in grey where the colours stand for tissues.
    greys = _COLOURS if tissues is None else dict.fromkeys(_COLOURS, "0.75")
    entries: list[Line2D | Patch] = [
        Line2D([], [], color=greys[k], linestyle=_STYLES[k], path_effects=OUTLINE, label=k)
        for k in masks
    ]
    entries += tissue_entries(labels, tissues, colours) if tissues is not None else []
    ax = chart_axes(ax, _size(image, spacing_mm, zoom_xyxy, panel=6.0, n_entries=len(entries)))
    show_slice(image, spacing_mm=spacing_mm, plane=plane, zoom_xyxy=zoom_xyxy, title=title, ax=ax)
    for role in masks:
        # Masks without names: the roles differ by colour as well as by dashes.
        of_role = colours if tissues else dict.fromkeys(labels, _COLOURS[role])
        draw_label_map(ax, masks[role], colours=of_role, linestyle=_STYLES[role])
    if boxes_xyxy is not None:
        draw_boxes(ax, boxes_xyxy)
    if entries:
        ax.legend(
            handles=entries,
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            fontsize=8,
            frameon=False,
            ncols=_legend_columns(len(entries)),
        )
    return ax


def predictions_beside(
    case_slice: CaseSlice,
    predictions: Mapping[str, Labelled],
    *,
    tissues: Mapping[int, str],
    title: str,
) -> Figure:
    """Show predictions by their headings on a slice, zoomed to what is there, with one legend.

    The reference is dashed. Of the slice only what it or a prediction labels is shown.
    """
    shown = [*predictions.values(), np.asarray(case_slice.label_map)]
    masks = [mask for each in shown for mask in masks_by_label(each).values()]
    rows, columns = np.nonzero(np.any(masks, axis=0))
    labelled = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    height, width = case_slice.image.shape
    frame = frame_around(labelled, shape=(height, width), margin=0.08)
    size = _size(
        case_slice.image,
        case_slice.spacing_mm,
        frame,
        panel=5.0,
        n_entries=len(tissues) + 2,
        n_panels=len(predictions),
    )
    figure, axes = plt.subplots(
        1, len(predictions), figsize=size, layout="constrained", squeeze=False
    )
    for ax, (heading, prediction) in zip(axes[0], predictions.items(), strict=True):
        overlay(
            case_slice.image,
            spacing_mm=case_slice.spacing_mm,
            reference=case_slice.label_map,
            prediction=prediction,
            tissues=tissues,
            plane=case_slice.plane,
            zoom_xyxy=frame,
            title=heading,
            ax=ax,
        )
    for ax in axes[0, :-1]:
        ax.get_legend().remove()
    figure.suptitle(title)
    return figure


def montage(
    slices: Iterable[CaseSlice],
    *,
    titles: Sequence[str],
    tissues: Sequence[Mapping[int, str]] | None = None,
    columns: int = 4,
    title: str = "",
) -> NDArray[Any]:
    """Show slices in a grid, with their labels below each where their tissues are given.

    Each panel has the proportions of its own pixels in millimetres, and one of the `titles`.
    `tissues` names the labels of each slice: then a second panel below it shows the outlines, with
    a legend, in the colours of `overlay`. `columns` is the most in a row. Gives the Axes (n,) of
    the images, in the order of the slices; InputError if the numbers do not fit.
    """
    shown = list(slices)
    names = [{} for _ in shown] if tissues is None else list(tissues)
    if not shown or not len(shown) == len(titles) == len(names):
        raise InputError(
            f"got {len(shown)} slices, {len(titles)} titles and tissues for {len(names)}; "
            "expected one of each for every slice, and one slice or more"
        )
    per_slice = 1 if tissues is None else 2
    n_columns = min(columns, len(shown))
    n_groups = math.ceil(len(shown) / n_columns)
    legend_height = 0.0
    if tissues is not None:
        most_labels = max(len(masks_by_label(np.asarray(k.label_map))) for k in shown)
        legend_height = (most_labels // 2 + 2) * _LEGEND_LINE
    size = (n_columns * _PANEL, n_groups * (per_slice * (_PANEL + 0.3) + legend_height))
    figure, grid = plt.subplots(
        n_groups * per_slice, n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    for ax in grid.flat:
        ax.set_axis_off()
    panels = []
    for number, (case_slice, heading) in enumerate(zip(shown, titles, strict=True)):
        row, column = divmod(number, n_columns)
        panels.append(_panel(grid[row * per_slice, column], case_slice, title=heading))
        if tissues is not None:
            below = _panel(grid[row * per_slice + 1, column], case_slice)
            _draw_tissues(below, case_slice, names[number])
    figure.suptitle(title)
    figure.draw_without_rendering()  # legends below panels: the layout is right from the second on
    return np.array(panels, dtype=object)


def tissue_entries(
    labels: Iterable[int], tissues: Mapping[int, str], colours: Mapping[int, Colour]
) -> list[Line2D | Patch]:
    """Make a legend's entries, a patch for each name; labels of one name get one entry together."""
    of_name: dict[str, list[int]] = {}
    for label in labels:
        of_name.setdefault(tissues.get(label, f"label {label}"), []).append(label)
    return [
        Patch(facecolor=colours[found[0]], edgecolor="0.2", label=name)
        if len(found) == 1
        else Patch(facecolor="none", edgecolor="0.2", label=f"{name} ({len(found)}, a colour each)")
        for name, found in of_name.items()
    ]


def _size(
    image: ArrayLike,
    spacing_mm: tuple[float, float],
    zoom_xyxy: ArrayLike | None,
    *,
    panel: float,
    n_entries: int,
    n_panels: int = 1,
) -> tuple[float, float]:
    """Give the width and height in inches that panels of a width, a legend and the titles need."""
    height, width = np.shape(image)
    x0, y0, x1, y1 = (0, 0, width, height) if zoom_xyxy is None else np.asarray(zoom_xyxy)
    panel_height = panel * (y1 - y0) * spacing_mm[0] / ((x1 - x0) * spacing_mm[1])
    columns = _legend_columns(n_entries)
    legend_height = 0.18 * math.ceil(n_entries / columns)
    total_width = n_panels * panel + (2.1 * columns if n_entries else 0)
    return total_width, min(max(panel_height, legend_height, 1.0), 14.0) + 0.7


def _legend_columns(n_entries: int) -> int:
    return max(1, math.ceil(n_entries / _ROWS_OF_LEGEND))


def _panel(ax: Axes, case_slice: CaseSlice, *, title: str = "") -> Axes:
    ax.set_axis_on()
    show_slice(case_slice.image, spacing_mm=case_slice.spacing_mm, plane=case_slice.plane, ax=ax)
    ax.set_title(title, fontsize=10)
    return ax


def _draw_tissues(ax: Axes, case_slice: CaseSlice, tissues: Mapping[int, str]) -> None:
    masks = masks_by_label(np.asarray(case_slice.label_map))
    colours = tissue_colours({*masks, *tissues})
    draw_label_map(ax, masks, colours=colours, fill=0.25)
    ax.legend(
        handles=tissue_entries(masks, tissues, colours),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=2,
        fontsize=7,
        frameon=False,
        columnspacing=1.0,
        handlelength=1.2,
    )
