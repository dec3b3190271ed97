"""Reference and prediction on a slice. Every function returns Axes and shows nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from mskseg.display.slices import (
    OUTLINE,
    Colour,
    Labelled,
    Linestyle,
    Mask,
    draw_boxes,
    draw_label_map,
    masks_of,
    show_slice,
)
from mskseg.display.style import PREDICTION, REFERENCE, tissue_colours

if TYPE_CHECKING:
    from mskseg.volume import Plane

_ROWS_OF_LEGEND = 18
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
    image : (H, W) any real dtype
        As in `show_slice`.
    spacing_mm : (row, column)
        Distance of rows and of columns.
    reference, prediction : (H, W) int or bool, or mapping of int to (H, W) bool, optional
        Label maps, or masks, or a mask for each label.
    tissues : mapping of int to str, optional
        Names for the legend. It fixes the colours too, so pass all tissues of the data set. Without
        it a mask is drawn in one colour per role.
    boxes_xyxy : (N, 4) float, optional
        Box prompts to draw.
    plane : {"axial", "coronal", "sagittal"}, optional
        Marks the edges.
    zoom_xyxy : (4,) float, optional
        Show only this box of the slice.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        With a legend of the tissues on this slice, right of it.
    """
    given = {
        role: masks_of(label_map)
        for role, label_map in (("reference", reference), ("prediction", prediction))
        if label_map is not None
    }
    found = _labels(given)
    colours = tissue_colours({*found, *(tissues or {})})
    entries = _lines(given, named=tissues is not None) + _patches(found, tissues, colours)
    if ax is None:
        size = _figure_size(image, spacing_mm, zoom_xyxy, panel=6.0, n_entries=len(entries))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    show_slice(image, spacing_mm=spacing_mm, plane=plane, zoom_xyxy=zoom_xyxy, title=title, ax=ax)
    for role, masks in given.items():
        # Masks without names: the roles differ by colour as well as by dashes.
        of_role: Mapping[int, Colour] = dict.fromkeys(found, _COLOURS[role])
        draw_label_map(ax, masks, colours=colours if tissues else of_role, linestyle=_STYLES[role])
    if boxes_xyxy is not None:
        draw_boxes(ax, boxes_xyxy)
    _legend(ax, entries)
    return ax


def triptych(
    image: ArrayLike,
    reference: Labelled,
    prediction: Labelled,
    *,
    spacing_mm: tuple[float, float],
    tissues: Mapping[int, str] | None = None,
    boxes_xyxy: ArrayLike | None = None,
    plane: Plane | None = None,
    zoom_xyxy: ArrayLike | None = None,
    title: str = "",
) -> NDArray[Any]:
    """Show image, reference and prediction side by side, in the same colours.

    Small tissues are drawn over large ones: a predicted ring that came out as a disc hides nothing.

    Parameters
    ----------
    image : (H, W) any real dtype
        As in `show_slice`.
    reference, prediction : (H, W) int or bool, or mapping of int to (H, W) bool
        Label maps, or masks, or a mask for each label; these may overlap.
    spacing_mm : (row, column)
        Distance of rows and of columns.
    tissues : mapping of int to str, optional
        Names for the legend; they fix the colours too, as in `overlay`.
    boxes_xyxy : (N, 4) float, optional
        Box prompts, drawn on the image.
    plane : {"axial", "coronal", "sagittal"}, optional
        Marks the edges.
    zoom_xyxy : (4,) float, optional
        Show only this box of the slice.
    title : str
        States the finding.

    Returns
    -------
    (3,) array of Axes
        Image, reference, prediction; the legend is right of the last.
    """
    given = {"reference": masks_of(reference), "prediction": masks_of(prediction)}
    found = _labels(given)
    colours = tissue_colours({*found, *(tissues or {})})
    entries = _patches(found, tissues, colours)
    size = _figure_size(image, spacing_mm, zoom_xyxy, panel=3.8, n_entries=len(entries), n_panels=3)
    figure, axes = plt.subplots(1, 3, figsize=size, layout="constrained")
    how: dict[str, Any] = {"spacing_mm": spacing_mm, "plane": plane, "zoom_xyxy": zoom_xyxy}
    show_slice(image, title="image", ax=axes[0], **how)
    if boxes_xyxy is not None:
        draw_boxes(axes[0], boxes_xyxy)
    for ax, (role, masks) in zip(axes[1:], given.items(), strict=True):
        show_slice(image, title=role, ax=ax, **how)
        draw_label_map(ax, masks, colours=colours, fill=0.35)
    _legend(axes[2], entries)
    figure.suptitle(title)
    panels: NDArray[Any] = axes
    return panels


def _labels(given: Mapping[str, Mapping[int, Mask]]) -> list[int]:
    return sorted(set().union(*given.values()))


def _figure_size(
    image: ArrayLike,
    spacing_mm: tuple[float, float],
    zoom_xyxy: ArrayLike | None,
    *,
    panel: float,
    n_entries: int,
    n_panels: int = 1,
) -> tuple[float, float]:
    """Give the inches that panels of a width, a legend and the titles need."""
    height, width = np.shape(image)
    x0, y0, x1, y1 = (0, 0, width, height) if zoom_xyxy is None else np.asarray(zoom_xyxy)
    tall = (y1 - y0) * spacing_mm[0] / ((x1 - x0) * spacing_mm[1])
    columns = _legend_columns(n_entries)
    legend_high = 0.18 * -(-n_entries // columns)
    high = max(panel * tall, legend_high, 1.0)
    return n_panels * panel + (2.1 * columns if n_entries else 0), min(high, 14.0) + 0.7


def _legend_columns(n_entries: int) -> int:
    return max(1, -(-n_entries // _ROWS_OF_LEGEND))


def _lines(roles: Iterable[str], *, named: bool) -> list[Line2D | Patch]:
    """Explain the dashes, in grey where the colours stand for tissues."""
    return [
        Line2D(
            [],
            [],
            color="0.75" if named else _COLOURS[role],
            linestyle=_STYLES[role],
            path_effects=OUTLINE,
            label=role,
        )
        for role in roles
    ]


def _patches(
    labels: Iterable[int], tissues: Mapping[int, str] | None, colours: Mapping[int, Colour]
) -> list[Line2D | Patch]:
    names = tissues or {}
    return [
        Patch(facecolor=colours[label], edgecolor="0.2", label=names.get(label, f"label {label}"))
        for label in labels
        if tissues is not None
    ]


def _legend(ax: Axes, entries: list[Line2D | Patch]) -> None:
    if entries:
        ax.legend(
            handles=entries,
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            fontsize=8,
            frameon=False,
            ncols=_legend_columns(len(entries)),
        )
