"""What a model made of a slice and of prompts: its embedding, its masks, its own estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from mskseg.case import CaseSlice
from mskseg.display.montage import montage
from mskseg.display.slices import draw_label_map, draw_points
from mskseg.display.style import PALETTE, PREDICTION, tissue_colours
from mskseg.errors import InputError

_MARKERS = ("o", "s", "^", "D")


def estimate_chart(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show a model's own estimate of each mask against what the mask turned out to be.

    Parameters
    ----------
    groups : mapping of str to (predicted_iou, iou)
        Name, for the legend, and two arrays (N,) each. Pairs with NaN are left out.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        True IoU on x, predicted on y; on the line the model is right about itself.

    Raises
    ------
    InputError
        If there is no group.
    """
    if not groups:
        raise InputError("no estimates came, expected one group of pairs or more")
    if ax is None:
        ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")[1]
    ax.plot((0, 1), (0, 1), color="0.4", linewidth=1)
    for number, (name, (predicted, true)) in enumerate(groups.items()):
        ax.scatter(
            np.asarray(true, dtype=float),
            np.asarray(predicted, dtype=float),
            s=16,
            alpha=0.6,
            marker=_MARKERS[number % len(_MARKERS)],
            color=PALETTE[number % len(PALETTE)],
            edgecolors="none",
            label=name,
        )
    ax.set(xlabel="IoU with the reference", ylabel="IoU that the model predicted", xlim=(0, 1))
    ax.set_aspect("equal")
    ax.set_title(title, loc="left", fontsize=11)
    ax.legend(frameon=False, fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def draw_masks(ax: Axes, masks: ArrayLike, *, fill: float = 0.35) -> Axes:
    """Draw many masks on a slice, each in a colour of its own, large ones first.

    Parameters
    ----------
    ax : Axes
        From `show_slice`.
    masks : (N, H, W) bool
    fill : float
        Opacity of the areas, 0 to 1.

    Returns
    -------
    Axes
        `ax`.
    """
    stack = np.asarray(masks, dtype=bool)
    colours = tuple(tissue_colours(range(21)).values())
    for number, index in enumerate(np.argsort(-stack.sum(axis=(1, 2)))):
        colour = colours[number % len(colours)]
        draw_label_map(ax, stack[index], colours={1: colour}, fill=fill)
    return ax


def masks_beside(
    one: CaseSlice,
    masks: ArrayLike,
    *,
    titles: Sequence[str],
    point: ArrayLike | None = None,
    title: str = "",
) -> NDArray[Any]:
    """Show several masks of one slice side by side.

    Parameters
    ----------
    one : CaseSlice
    masks : (N, H, W) bool
    titles : (N,) sequence of str
    point : (2,) float, optional
        x, y of a click inside the object, drawn in every panel.
    title : str
        States the finding.

    Returns
    -------
    (N,) array of Axes
    """
    stack = np.asarray(masks, dtype=bool)
    panels = montage([one] * len(stack), titles=titles, columns=len(stack), title=title)
    for ax, mask in zip(panels, stack, strict=True):
        draw_label_map(ax, mask, colours={1: PREDICTION}, fill=0.3)
        if point is not None:
            draw_points(ax, point, point_labels=[1])
    return panels


def embedding_beside(
    one: CaseSlice,
    *,
    colours: ArrayLike,
    likeness: ArrayLike,
    cell_px: tuple[float, float],
    point: ArrayLike,
    title: str = "",
) -> NDArray[Any]:
    """Show a slice, its embedding in false colours, and the likeness of its cells to one of them.

    Parameters
    ----------
    one : CaseSlice
    colours : (rows, columns, 3) float
        From `mskseg_studies.model_parts.views.embedding_colours`.
    likeness : (rows, columns) float
        How much each cell is like the one under the point.
    cell_px : (x, y)
        Pixels of the slice that a cell covers. The last cells may reach beyond the slice.
    point : (2,) float
        x, y of the cell that the others were compared with.
    title : str
        States the finding.

    Returns
    -------
    (3,) array of Axes
    """
    names = ["slice", "embedding in false colours", "likeness to the point's cell"]
    panels = montage([one] * 3, titles=names, columns=3, title=title)
    height, width = one.image.shape
    for panel, cells, colour_map in (
        (panels[1], np.asarray(colours), None),
        (panels[2], np.asarray(likeness), "cividis"),
    ):
        extent = (0, cells.shape[1] * cell_px[0], cells.shape[0] * cell_px[1], 0)
        panel.imshow(cells, extent=extent, cmap=colour_map)
        panel.set(xlim=(0, width), ylim=(height, 0))
    draw_points(panels[2], point, point_labels=[1])
    return panels
