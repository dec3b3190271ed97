"""Maps over a slice: how uncertain a model is, where it is wrong, how much of a muscle is fat.

All maps are in viridis or cividis, whose brightness rises evenly and which colour-blind readers see
as others do; each figure has one scale for all its panels, with a bar that names the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from mskseg.data.cases import CaseSlice
from mskseg.display.colours import PREDICTION, REFERENCE
from mskseg.display.slices import OUTLINE, draw_label_map, show_slice
from mskseg.errors import InputError
from mskseg.evaluation.entropy import entropy_parts
from mskseg.evaluation.map_sources import SliceMaps

CHECK, DOUBTFUL = 0.7, 0.9
"""Probability of the shown tissue below which a pixel is "doubtful", and below which "check"."""

_CHECK, _DOUBTFUL = "#D55E00", "#F0E442"


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
    figure, axes = _panels(one, 1 + len(arrays))
    show_slice(one.image, spacing_mm=one.spacing_mm, plane=one.plane, title="image", ax=axes[0])
    for ax, values, name in zip(axes[1:], arrays, titles, strict=True):
        show_slice(one.image, spacing_mm=one.spacing_mm, title=name, ax=ax)
        shown = np.ma.masked_where(~(values >= hide_below), values)
        colours = _draw_map(ax, shown, one, limits=(low, high), colour_map=colour_map)
        if outlines is not None:
            _draw_outlines(ax, outlines, colour=REFERENCE)
    figure.colorbar(colours, ax=list(axes), shrink=0.75, label=unit)
    figure.suptitle(title, fontsize=11)
    return axes


def uncertainty_maps(one: SliceMaps, *, title: str = "") -> NDArray[Any]:
    """Show the entropy of an ensemble on a slice, split, beside where it is wrong.

    Parameters
    ----------
    one : SliceMaps
        Of two members or more; of one member only its entropy is shown.
    title : str
        States the finding.

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
    label_map = np.asarray(one.case_slice.label_map)
    axes = maps_beside(
        one.case_slice,
        list(shown.values()),
        titles=list(shown),
        unit="entropy (nats)",
        hide_below=0.02,
        outlines=label_map,
        title=title,
    )
    _fill(axes[0], predicted_labels(one) != label_map, colour=PREDICTION)
    axes[0].set_title("wrong pixels")
    return axes


def reading_page(
    one: SliceMaps,
    *,
    tissues: Mapping[int, str],
    zoom_xyxy: ArrayLike | None = None,
    title: str = "",
) -> NDArray[Any]:
    """Show a reader what to check, in one figure and without a formula.

    Parameters
    ----------
    one : SliceMaps
    tissues : mapping of int to str
        Names of the labels.
    zoom_xyxy : (4,) float, optional
        Show only this box of the slice.
    title : str
        States the finding.

    Returns
    -------
    (3,) array of Axes
        The image; the proposed outlines with what the model is less than 90 per cent (yellow) and
        less than 70 per cent sure of (orange); and, since this is a study, what really was wrong.
        Beside them the outlines named, the least certain first.
    """
    at = one.case_slice
    sure, found = one.members.mean(axis=0).max(axis=0), predicted_labels(one)
    label_map = np.asarray(at.label_map)
    figure, axes = _panels(at, 3)
    how: dict[str, Any] = {"spacing_mm": at.spacing_mm, "zoom_xyxy": zoom_xyxy}
    show_slice(at.image, title="image", ax=axes[0], plane=at.plane, **how)
    show_slice(at.image, title="proposal, and what to check", ax=axes[1], **how)
    _fill(axes[1], (sure < DOUBTFUL) & (sure >= CHECK), colour=_DOUBTFUL)
    _fill(axes[1], sure < CHECK, colour=_CHECK)
    _draw_outlines(axes[1], found, colour=REFERENCE)
    show_slice(at.image, title="what was wrong", ax=axes[2], **how)
    _fill(axes[2], found != label_map, colour=_CHECK)
    _draw_outlines(axes[2], label_map, colour=REFERENCE)
    figure.legend(
        handles=[*_reading_legend(), *_ranked(found, sure, tissues)],
        loc="outside right center",
        frameon=False,
        fontsize=8,
    )
    figure.suptitle(title, fontsize=11)
    return axes


def predicted_labels(one: SliceMaps) -> NDArray[np.int_]:
    """Label of each pixel (H, W) by the mean of the members; 0 is background."""
    values = np.array([0, *one.labels])
    chosen: NDArray[np.int_] = values[one.members.mean(axis=0).argmax(axis=0)]
    return chosen


def _panels(one: CaseSlice, n: int) -> tuple[Any, NDArray[Any]]:
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


def _draw_outlines(ax: Axes, label_map: ArrayLike, *, colour: str) -> None:
    labels = np.asarray(label_map)
    same = dict.fromkeys(np.unique(labels[labels > 0]).tolist(), colour)
    draw_label_map(ax, labels, colours=same)
    for lines in ax.collections:
        lines.set_linewidth(0.7)


def _fill(ax: Axes, mask: NDArray[np.bool_], *, colour: str) -> None:
    height, width = mask.shape
    ax.imshow(
        np.ma.masked_where(~mask, np.ones(mask.shape)),
        cmap=ListedColormap([colour]),
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect=ax.get_aspect(),
        alpha=0.85,
    )


def _reading_legend() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=REFERENCE, path_effects=OUTLINE, label="outline"),
        Patch(facecolor=_DOUBTFUL, label=f"less than {DOUBTFUL:.0%} sure"),
        Patch(facecolor=_CHECK, label=f"less than {CHECK:.0%} sure, or wrong"),
        Patch(alpha=0, label=""),
        Patch(alpha=0, label="mean certainty:"),
    ]


def _ranked(
    found: NDArray[np.int_], sure: NDArray[np.float32], tissues: Mapping[int, str]
) -> list[Line2D | Patch]:
    means = {k: float(sure[found == k].mean()) for k in np.unique(found[found > 0]).tolist()}
    return [
        Patch(alpha=0, label=f"{means[k]:.0%}  {tissues.get(k, f'label {k}')}")
        for k in sorted(means, key=lambda k: means[k])
    ]
