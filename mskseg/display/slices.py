"""A slice with outlines, boxes and points on it. Every function returns Axes and shows nothing.

The axes of a slice are its pixels in the half-open coordinates of all boxes and points here: pixel
(0, 0) spans 0 to 1 both ways, y grows downwards, and the aspect is the true one in millimetres.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from mskseg.display.style import RGB, chart_axes
from mskseg.errors import InputError
from mskseg.prompts.checks import bounding_slices
from mskseg.volume import Plane

Colour = RGB | str
Linestyle = Literal["solid", "dashed"]
Mask = NDArray[np.bool_]
Labelled = ArrayLike | Mapping[int, ArrayLike]
"""A label map or mask (H, W), or a mask (H, W) for each label; these may overlap."""

# Left, right, top and bottom edge of a slice, see the conventions in `mskseg.volume`.
EDGES: dict[str, tuple[str, str, str, str]] = {
    "axial": ("R", "L", "A", "P"),
    "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}
OUTLINE = [withStroke(linewidth=2.4, foreground="black")]
"""A black rim: what is drawn in a light colour is seen on bright tissue too."""


def show_slice(
    image: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    plane: Plane | None = None,
    zoom_xyxy: ArrayLike | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show a slice (H, W) at its true proportions.

    8-bit images are shown from 0 to 255, so that slices of a volume share one grey scale; others
    from their minimum to their maximum. `plane` marks the edges: R, L for the patient's sides, A,
    P, S, I for front, back, head, feet. Of the slice only the box `zoom_xyxy` (4,) is shown, if
    given.
    """
    pixels = np.asarray(image)
    if pixels.ndim != 2:
        raise InputError(f"expected a slice (H, W), got shape {pixels.shape}; pick one slice")
    ax = chart_axes(ax)
    height, width = pixels.shape
    grey: dict[str, Any] = {"vmin": 0, "vmax": 255} if pixels.dtype == np.uint8 else {}
    ax.imshow(
        pixels,
        cmap="gray",
        interpolation="nearest",
        extent=(0, width, height, 0),
        aspect=spacing_mm[0] / spacing_mm[1],
        **grey,
    )
    if zoom_xyxy is not None:
        x0, y0, x1, y1 = np.asarray(zoom_xyxy, dtype=float)
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    ax.autoscale(False)  # an outline at the border must not widen the axes
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title)
    if plane is not None:
        _mark_edges(ax, plane)
    return ax


def frame_around(
    boxes_xyxy: ArrayLike, *, shape: tuple[int, int], margin: float = 0.4
) -> NDArray[np.float64]:
    """Find the part of a slice that shows boxes (N, 4), with a margin, for `zoom_xyxy`."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    if not len(boxes):
        raise InputError("expected one box to frame or more, got none; show the whole slice")
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    room = margin * (high - low).max()
    return np.concatenate([np.maximum(low - room, 0), np.minimum(high + room, shape[::-1])])


def draw_boxes(ax: Axes, boxes_xyxy: ArrayLike) -> Axes:
    """Draw boxes (N, 4) or (4,) on a slice of `show_slice`, at exactly their coordinates."""
    look: dict[str, Any] = {"fill": False, "edgecolor": "white", "linewidth": 1.2}
    for x0, y0, x1, y1 in np.reshape(boxes_xyxy, (-1, 4)).tolist():
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, path_effects=OUTLINE, **look))
    return ax


def draw_points(ax: Axes, point_coords: ArrayLike, *, point_labels: ArrayLike) -> Axes:
    """Draw points (..., 2), x and y, on a slice: circles inside (label 1), crosses outside (0)."""
    points, inside = np.reshape(point_coords, (-1, 2)), np.ravel(point_labels) == 1
    # Shape as well as colour tells them apart.
    for chosen, marker, colour in ((inside, "o", "#56B4E9"), (~inside, "X", "#D55E00")):
        x, y = points[chosen].T
        ax.scatter(x, y, s=45, marker=marker, c=colour, edgecolors="black", zorder=3)
    return ax


def draw_label_map(
    ax: Axes,
    label_map: Labelled,
    *,
    colours: Mapping[int, Colour],
    linestyle: Linestyle = "solid",
    fill: float = 0.0,
) -> Axes:
    """Draw the outline of each label on a slice, the smallest last, so that none is hidden.

    `colours` are of `tissue_colours`; a label without one is an InputError. `fill` is the opacity.
    """
    masks = masks_by_label(label_map)
    for label in masks:
        if label not in colours:
            raise InputError(
                f"label {label} has no colour; take the colours of all labels: "
                "`tissue_colours(labels)`"
            )
    smallest_first = sorted(masks, key=lambda label: np.count_nonzero(masks[label]))
    if fill:
        taken = np.zeros(np.shape(next(iter(masks.values()), ())), dtype=bool)
        for label in smallest_first:
            visible = masks[label] & ~taken
            if visible.any():
                ax.contourf(
                    *_padded(visible), levels=[0.5, 1.5], colors=[colours[label]], alpha=fill
                )
            taken |= masks[label]
    for label in reversed(smallest_first):
        # Halfway between the centres of pixels inside and outside: along the pixels' edges.
        colour = colours[label]
        line = ax.contour(*_padded(masks[label]), [0.5], colors=[colour], linestyles=linestyle)
        line.set(linewidth=1.3, path_effects=OUTLINE)
    return ax


def _mark_edges(ax: Axes, plane: Plane) -> None:
    places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.98), (0.5, 0.02))
    sides = (("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom"))
    look: dict[str, Any] = {"color": "white", "fontsize": 9, "path_effects": OUTLINE}
    for letter, (x, y), (horizontal, vertical) in zip(EDGES[plane], places, sides, strict=True):
        ax.text(x, y, letter, transform=ax.transAxes, ha=horizontal, va=vertical, **look)


def _padded(mask: Mask) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Pad what a mask holds by one pixel, which closes outlines at the slice's edge; x, y, mask.

    Whatever is drawn keeps its arrays: those of whole slices, for each label, would fill gigabytes.
    """
    rows, columns = bounding_slices(mask)
    padded = np.pad(mask[rows, columns], 1).astype(float)
    starts = (rows.start, columns.start)
    y, x = (start + np.arange(n) - 0.5 for start, n in zip(starts, padded.shape, strict=True))
    return x, y, padded


def masks_by_label(label_map: Labelled) -> dict[int, Mask]:
    """Split a label map into the mask of each label that has a pixel; the background has none."""
    if isinstance(label_map, Mapping):
        masks = {int(label): np.asarray(mask, dtype=bool) for label, mask in label_map.items()}
        return {label: masks[label] for label in sorted(masks) if masks[label].any()}
    labels = np.asarray(label_map).astype(int)
    return {label: labels == label for label in np.unique(labels).tolist() if label != 0}
