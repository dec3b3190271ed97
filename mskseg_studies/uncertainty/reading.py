"""The page for a reader: what the model proposes, what to check, and what was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from mskseg.display.slices import OUTLINE, show_slice
from mskseg.display.style import REFERENCE
from mskseg_studies.uncertainty.map_figures import (
    draw_outlines,
    fill_pixels,
    panels_of,
    predicted_labels,
)
from mskseg_studies.uncertainty.map_sources import SliceMaps

CHECK, DOUBTFUL = 0.7, 0.9
"""Probability of the shown tissue below which a pixel is "doubtful", and below which "check"."""

_CHECK, _DOUBTFUL = "#D55E00", "#F0E442"


def reading_page(
    one: SliceMaps,
    *,
    tissues: Mapping[int, str],
    zoom_xyxy: ArrayLike | None = None,
    title: str | None = None,
) -> NDArray[Any]:
    """Show a reader what to check, in one figure and without a formula.

    Parameters
    ----------
    one : SliceMaps
    tissues : mapping of int to str
        Names of the labels.
    zoom_xyxy : (4,) float, optional
        Show only this box of the slice.
    title : str, optional
        Default: how many of the errors lie in how much of the slice's foreground, counted here.

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
    figure, axes = panels_of(at, 3)
    how: dict[str, Any] = {"spacing_mm": at.spacing_mm, "zoom_xyxy": zoom_xyxy}
    show_slice(at.image, title="image", ax=axes[0], plane=at.plane, **how)
    show_slice(at.image, title="proposal, and what to check", ax=axes[1], **how)
    fill_pixels(axes[1], (sure < DOUBTFUL) & (sure >= CHECK), colour=_DOUBTFUL)
    fill_pixels(axes[1], sure < CHECK, colour=_CHECK)
    draw_outlines(axes[1], found, colour=REFERENCE)
    show_slice(at.image, title="what was wrong", ax=axes[2], **how)
    fill_pixels(axes[2], found != label_map, colour=_CHECK)
    draw_outlines(axes[2], label_map, colour=REFERENCE)
    figure.legend(
        handles=[*_reading_legend(), *_ranked(found, sure, tissues)],
        loc="outside right center",
        frameon=False,
        fontsize=8,
    )
    figure.suptitle(_caught(sure, found, label_map) if title is None else title, fontsize=11)
    return axes


def _caught(sure: NDArray[np.float32], found: NDArray[np.int_], label_map: NDArray[np.int_]) -> str:
    """Say how many errors lie where the page tells the reader to look."""
    front, wrong = (found > 0) | (label_map > 0), found != label_map
    marked = sure < DOUBTFUL
    if not wrong.any() or not front.any():
        return "Nothing was wrong"
    part, area = (marked & wrong).sum() / wrong.sum(), (marked & front).sum() / front.sum()
    return (
        f"{100 * part:.0f} % of the errors lie in the {100 * area:.0f} % of the area that is marked"
    )


def _reading_legend() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=REFERENCE, path_effects=OUTLINE, label="outline"),
        Patch(facecolor=_DOUBTFUL, label=f"less than {100 * DOUBTFUL:.0f} % sure"),
        Patch(facecolor=_CHECK, label=f"less than {100 * CHECK:.0f} % sure, or wrong"),
        Patch(alpha=0, label=""),
        Patch(alpha=0, label="mean certainty:"),
    ]


def _ranked(
    found: NDArray[np.int_], sure: NDArray[np.float32], tissues: Mapping[int, str]
) -> list[Line2D | Patch]:
    means = {k: float(sure[found == k].mean()) for k in np.unique(found[found > 0]).tolist()}
    return [
        Patch(alpha=0, label=f"{100 * means[k]:.0f} %  {tissues.get(k, f'label {k}')}")
        for k in sorted(means, key=lambda k: means[k])
    ]
