"""Maps over a slice: how uncertain a model is, where it is wrong, how much of a muscle is fat.

All maps are in viridis or cividis, whose brightness rises evenly and which colour-blind readers see
as others do; each figure has one scale for all its panels, with a bar that names the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from numpy.typing import ArrayLike, NDArray

from mskseg.case import CaseSlice
from mskseg.display.slices import draw_label_map, show_slice
from mskseg.display.style import PREDICTION, REFERENCE
from mskseg.errors import InputError
from mskseg_studies.uncertainty.entropy import entropy_parts
from mskseg_studies.uncertainty.infiltration import FatLook
from mskseg_studies.uncertainty.map_sources import SliceMaps
from mskseg_studies.uncertainty.selective import auroc


def maps_beside(
    one: CaseSlice,
    maps: Sequence[ArrayLike],
    *,
    titles: Sequence[str],
    unit: str,
    limits: tuple[float, float] | None = None,
    hide_below: float = 0.0,
    outlines: ArrayLike | None = None,
    colour_map: str = "viridis",
    title: str = "",
) -> NDArray[Any]:
    """Show maps over the same slice side by side, on one colour scale.

    Parameters
    ----------
    one : CaseSlice
    maps : sequence of (H, W) float
        Where NaN the slice is seen.
    titles : sequence of str
        One for each map.
    unit : str
        Beside the colour bar.
    limits : (low, high), optional
        Of the scale; default: 0 to the largest value of all.
    hide_below : float
        Where a map is lower the slice is seen.
    outlines : (H, W) int, optional
        Label map whose outlines are drawn in white.
    colour_map : {"viridis", "cividis"}
    title : str
        States the finding.

    Returns
    -------
    (1 + N,) array of Axes
        The slice, then the maps.

    Raises
    ------
    InputError
        If there is not one title for each map, no map, or a map of another shape.
    """
    arrays = [np.asarray(each, dtype=np.float64) for each in maps]
    if not arrays or len(arrays) != len(titles) or {a.shape for a in arrays} != {one.image.shape}:
        raise InputError(
            f"{[a.shape for a in arrays]} maps and {len(titles)} titles came for a slice of "
            f"{one.image.shape}; expected maps of its shape and a title for each"
        )
    low, high = limits or (0.0, max(float(np.nanmax(a)) for a in arrays))
    figure, axes = panels_of(one, 1 + len(arrays))
    show_slice(one.image, spacing_mm=one.spacing_mm, plane=one.plane, title="image", ax=axes[0])
    for ax, values, name in zip(axes[1:], arrays, titles, strict=True):
        show_slice(one.image, spacing_mm=one.spacing_mm, title=name, ax=ax)
        shown = np.ma.masked_where(~(values >= hide_below), values)
        colours = _draw_map(ax, shown, one, limits=(low, high), colour_map=colour_map)
        if outlines is not None:
            draw_outlines(ax, outlines, colour=REFERENCE)
    figure.colorbar(colours, ax=list(axes), shrink=0.75, label=unit)
    figure.suptitle(title, fontsize=11)
    return axes


def maps_below(
    slices: Sequence[CaseSlice],
    maps: Sequence[ArrayLike],
    *,
    titles: Sequence[str],
    unit: str,
    limits: tuple[float, float],
    colour_map: str = "viridis",
    title: str = "",
) -> NDArray[Any]:
    """Show several slices, and under each a map of it, such as the fat fraction.

    Parameters
    ----------
    slices : sequence of CaseSlice
    maps : sequence of (H, W) float
        One for each slice; NaN stays white.
    titles : sequence of str
    unit : str
        Beside the colour bar.
    limits : (low, high)
        Of the one scale.
    colour_map : {"viridis", "cividis"}
    title : str
        States the finding.

    Returns
    -------
    (2, N) array of Axes

    Raises
    ------
    InputError
        If there is not one map and one title for each slice.
    """
    if not slices or not len(slices) == len(maps) == len(titles):
        raise InputError(
            f"{len(slices)} slices, {len(maps)} maps and {len(titles)} titles came; expected one "
            "of each for every slice, and one slice or more"
        )
    n = len(slices)
    figure, axes = plt.subplots(
        2, n, figsize=(3.1 * n + 1.0, 6.4), squeeze=False, layout="constrained"
    )
    for (above, below), one, values, name in zip(axes.T, slices, maps, titles, strict=True):
        show_slice(one.image, spacing_mm=one.spacing_mm, plane=one.plane, title=name, ax=above)
        show_slice(np.full(one.image.shape, 255, np.uint8), spacing_mm=one.spacing_mm, ax=below)
        shown = np.ma.masked_invalid(np.asarray(values, dtype=np.float64))
        colours = _draw_map(below, shown, one, limits=limits, colour_map=colour_map)
    figure.colorbar(colours, ax=list(axes.flat), shrink=0.5, label=unit)
    figure.suptitle(title, fontsize=11)
    panels: NDArray[Any] = axes
    return panels


def fat_page(looks: Sequence[FatLook]) -> NDArray[Any]:
    """Show a slice of each grade of fatty infiltration, and its fat fraction.

    Parameters
    ----------
    looks : sequence of FatLook
        From `mskseg_studies.uncertainty.infiltration.fat_by_grade`.

    Returns
    -------
    (2, N) array of Axes
        The title says how much fat the muscles hold, from the first to the last.
    """
    told = [f"{100 * each.in_muscle:.0f} %" for each in looks]
    return maps_below(
        [each.case_slice for each in looks],
        [each.fraction for each in looks],
        titles=[each.severity for each in looks],
        unit="fat fraction",
        limits=(0, 1),
        title=f"Fat in the muscles of these people: {', '.join(told)}",
    )


def uncertainty_maps(one: SliceMaps, *, title: str | None = None) -> NDArray[Any]:
    """Show the entropy of an ensemble on a slice, split, beside where it is wrong.

    Parameters
    ----------
    one : SliceMaps
        Of two members or more; of one member only its entropy is shown.
    title : str, optional
        Default: how often a wrong pixel of the foreground is the more uncertain one, counted here.

    Returns
    -------
    array of Axes
        The slice with the wrong pixels in orange, then the maps, with the outlines of the reference
        in white.
    """
    parts = entropy_parts(one.members)
    shown = {"all uncertainty": parts.predictive}
    if len(one.members) > 1:
        shown |= {"each member's own": parts.aleatoric, "members disagree": parts.epistemic}
    label_map, found = np.asarray(one.case_slice.label_map), predicted_labels(one)
    if title is None:
        front = (label_map > 0) | (found > 0)
        rank = auroc(parts.predictive[front], (found != label_map)[front])
        title = f"A wrong pixel is more uncertain than a right one in {100 * rank:.0f} % of pairs"
    axes = maps_beside(
        one.case_slice,
        list(shown.values()),
        titles=list(shown),
        unit="entropy (nats)",
        hide_below=0.02,
        outlines=label_map,
        title=title,
    )
    fill_pixels(axes[0], found != label_map, colour=PREDICTION)
    axes[0].set_title("wrong pixels")
    return axes


def predicted_labels(one: SliceMaps) -> NDArray[np.int_]:
    """Label of each pixel (H, W) by the mean of the members; 0 is background."""
    values = np.array([0, *one.labels])
    chosen: NDArray[np.int_] = values[one.members.mean(axis=0).argmax(axis=0)]
    return chosen


def panels_of(one: CaseSlice, n: int) -> tuple[Any, NDArray[Any]]:
    """Make a figure with `n` panels in a row that have the proportions of a slice."""
    height, width = one.image.shape
    tall = height * one.spacing_mm[0] / (width * one.spacing_mm[1])
    figure, axes = plt.subplots(
        1, n, figsize=(3.3 * n + 1.2, 3.3 * tall + 0.7), squeeze=False, layout="constrained"
    )
    return figure, axes[0]


def _draw_map(
    ax: Axes,
    values: NDArray[np.float64],
    one: CaseSlice,
    *,
    limits: tuple[float, float],
    colour_map: str,
) -> Any:
    height, width = values.shape
    return ax.imshow(
        values,
        cmap=colour_map,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect=one.spacing_mm[0] / one.spacing_mm[1],
    )


def draw_outlines(ax: Axes, label_map: ArrayLike, *, colour: str) -> None:
    """Draw the outlines of all labels thinly, in one colour."""
    labels = np.asarray(label_map)
    same = dict.fromkeys(np.unique(labels[labels > 0]).tolist(), colour)
    draw_label_map(ax, labels, colours=same)
    for lines in ax.collections:
        lines.set_linewidth(0.7)


def fill_pixels(ax: Axes, mask: NDArray[np.bool_], *, colour: str) -> None:
    """Colour the pixels of a mask, each as a square."""
    height, width = mask.shape
    ax.imshow(
        np.ma.masked_where(~mask, np.ones(mask.shape)),
        cmap=ListedColormap([colour]),
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect=ax.get_aspect(),
        alpha=0.85,
    )
