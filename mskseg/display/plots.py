"""Slices with masks, boxes and points on them. Every function returns Axes and shows nothing.

The axes of a slice are its pixels in the half-open coordinates of all boxes and points here: pixel
(0, 0) spans 0 to 1 both ways, y grows downwards, and the aspect is the true one in millimetres.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from mskseg.display.colours import PREDICTION, REFERENCE, RGB, tissue_colours
from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.provenance import PNG_KEY, png_text

if TYPE_CHECKING:
    from mskseg.data.volume import Plane

Colour = RGB | str

# Left, right, top and bottom edge of a slice, see the conventions in `mskseg.data.volume`.
_EDGES: dict[str, tuple[str, str, str, str]] = {
    "axial": ("R", "L", "A", "P"),
    "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}
_OUTLINE = [withStroke(linewidth=2.2, foreground="black")]


def show_slice(
    image: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    plane: Plane | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show a slice at its true proportions.

    Parameters
    ----------
    image : (H, W) any real dtype
        8-bit images are shown from 0 to 255, so that slices of a volume share one grey scale;
        others from their minimum to their maximum.
    spacing_mm : (row, column)
        Distance of rows and of columns.
    plane : {"axial", "coronal", "sagittal"}, optional
        Marks the edges: R, L for the patient's sides, A, P, S, I for front, back, head, feet.
    title : str
        Says what the figure shows.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        In pixels: x from 0 to W, y from 0 (top) to H.

    Raises
    ------
    InputError
        If the image is not (H, W).
    """
    pixels = np.asarray(image)
    if pixels.ndim != 2:
        raise InputError(f"a slice is (H, W), this image has shape {pixels.shape}; pick one slice")
    ax = _axes(ax)
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
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title)
    if plane is not None:
        _mark_edges(ax, plane)
    return ax


def draw_boxes(
    ax: Axes, boxes_xyxy: ArrayLike, *, colour: Colour = "white", label: str = ""
) -> Axes:
    """Draw boxes on a slice, at exactly their half-open coordinates.

    Parameters
    ----------
    ax : Axes
        From `show_slice`.
    boxes_xyxy : (N, 4) or (4,) float
        Pixels of the slice.
    colour : colour
        Of the line.
    label : str
        For a legend; once for all boxes.

    Returns
    -------
    Axes
        `ax`.
    """
    for number, (x0, y0, x1, y1) in enumerate(np.reshape(boxes_xyxy, (-1, 4)).tolist()):
        ax.add_patch(
            Rectangle(
                (x0, y0),
                x1 - x0,
                y1 - y0,
                fill=False,
                edgecolor=colour,
                linewidth=1.2,
                label=label if number == 0 else "",
                path_effects=_OUTLINE,
            )
        )
    return ax


def draw_points(ax: Axes, point_coords: ArrayLike, *, point_labels: ArrayLike) -> Axes:
    """Draw point prompts on a slice: filled circles inside, crosses outside.

    Parameters
    ----------
    ax : Axes
        From `show_slice`.
    point_coords : (..., 2) float
        x, y in pixels of the slice.
    point_labels : (...) int
        1 for inside the object, 0 for outside.

    Returns
    -------
    Axes
        `ax`.
    """
    points, inside = np.reshape(point_coords, (-1, 2)), np.ravel(point_labels) == 1
    # Shape as well as colour tells them apart.
    ax.scatter(*points[inside].T, s=45, marker="o", c="#56B4E9", edgecolors="black", zorder=3)
    ax.scatter(*points[~inside].T, s=45, marker="X", c="#D55E00", edgecolors="black", zorder=3)
    return ax


def draw_label_map(
    ax: Axes,
    label_map: ArrayLike,
    *,
    colours: Mapping[int, Colour],
    linestyle: str = "solid",
    fill: float = 0.0,
) -> Axes:
    """Draw the outline of each label on a slice.

    Parameters
    ----------
    ax : Axes
        From `show_slice`.
    label_map : (H, W) int or bool
        0 is background.
    colours : mapping of int to colour
        From `tissue_colours`; labels without a colour are an error, not left out.
    linestyle : str
        Of the outlines.
    fill : float
        Opacity of the area, 0 to 1.

    Returns
    -------
    Axes
        `ax`.

    Raises
    ------
    InputError
        If a label has no colour.
    """
    labels = np.asarray(label_map).astype(int)
    for label in _labels_in(labels):
        if label not in colours:
            raise InputError(
                f"label {label} has no colour; take the colours of all labels: "
                "`tissue_colours(labels)`"
            )
        _draw_mask(ax, labels == label, colour=colours[label], linestyle=linestyle, fill=fill)
    return ax


def overlay(
    image: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    reference: ArrayLike | None = None,
    prediction: ArrayLike | None = None,
    tissues: Mapping[int, str] | None = None,
    boxes_xyxy: ArrayLike | None = None,
    plane: Plane | None = None,
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
    reference, prediction : (H, W) int or bool, optional
        Label maps, or masks.
    tissues : mapping of int to str, optional
        Names for the legend. It fixes the colours too, so pass all tissues of the data set. Without
        it a mask is drawn in one colour per role.
    boxes_xyxy : (N, 4) float, optional
        Box prompts to draw.
    plane : {"axial", "coronal", "sagittal"}, optional
        Marks the edges.
    title : str
        States the finding.
    ax : Axes, optional
        Default: of a new figure.

    Returns
    -------
    Axes
        With a legend of the tissues on this slice, right of it.
    """
    ax = show_slice(image, spacing_mm=spacing_mm, plane=plane, title=title, ax=ax)
    roles = {"reference": (reference, "dashed"), "prediction": (prediction, "solid")}
    given = {role: (np.asarray(m).astype(int), s) for role, (m, s) in roles.items() if m is not None}
    found = _labels_in(*(label_map for label_map, _ in given.values()))
    colours = tissue_colours({*found, *(tissues or {})})
    by_role: dict[str, Colour] = {"reference": REFERENCE, "prediction": PREDICTION}
    for role, (label_map, style) in given.items():
        # One mask without a name: the roles differ by colour as well as by dashes.
        one = dict.fromkeys(found, by_role[role])
        draw_label_map(ax, label_map, colours=colours if tissues else one, linestyle=style)
    if boxes_xyxy is not None:
        draw_boxes(ax, boxes_xyxy)
    lines: list[Any] = [
        Line2D([], [], color="0.3" if tissues else by_role[role], linestyle=style, label=role)
        for role, (_, style) in given.items()
    ]
    _legend(ax, [*lines, *_patches(found, tissues, colours)])
    return ax


def triptych(
    image: ArrayLike,
    reference: ArrayLike,
    prediction: ArrayLike,
    *,
    spacing_mm: tuple[float, float],
    tissues: Mapping[int, str] | None = None,
    boxes_xyxy: ArrayLike | None = None,
    plane: Plane | None = None,
    title: str = "",
) -> NDArray[Any]:
    """Show image, reference and prediction side by side, in the same colours.

    Parameters
    ----------
    image : (H, W) any real dtype
        As in `show_slice`.
    reference, prediction : (H, W) int or bool
        Label maps, or masks.
    spacing_mm : (row, column)
        Distance of rows and of columns.
    tissues : mapping of int to str, optional
        Names for the legend; they fix the colours too, as in `overlay`.
    boxes_xyxy : (N, 4) float, optional
        Box prompts, drawn on the image.
    plane : {"axial", "coronal", "sagittal"}, optional
        Marks the edges.
    title : str
        States the finding.

    Returns
    -------
    (3,) array of Axes
        Image, reference, prediction; the legend is right of the last.
    """
    height, width = np.shape(image)
    tall = height * spacing_mm[0] / (width * spacing_mm[1])
    size = (14.0, min(max(4.1 * tall, 2.0), 9.0) + 0.8)
    figure, axes = plt.subplots(1, 3, figsize=size, layout="constrained")
    maps = {"reference": np.asarray(reference).astype(int)}
    maps["prediction"] = np.asarray(prediction).astype(int)
    found = _labels_in(*maps.values())
    colours = tissue_colours({*found, *(tissues or {})})
    show_slice(image, spacing_mm=spacing_mm, plane=plane, title="image", ax=axes[0])
    if boxes_xyxy is not None:
        draw_boxes(axes[0], boxes_xyxy)
    for ax, (role, label_map) in zip(axes[1:], maps.items(), strict=True):
        show_slice(image, spacing_mm=spacing_mm, plane=plane, title=role, ax=ax)
        draw_label_map(ax, label_map, colours=colours, fill=0.35)
    _legend(axes[2], _patches(found, tissues, colours))
    figure.suptitle(title)
    panels: NDArray[Any] = axes
    return panels


def save_figure(
    figure: Figure | Axes,
    path: str | os.PathLike[str],
    *,
    provenance: Mapping[str, Any],
    dpi: int = 150,
) -> None:
    """Write a figure as PNG that carries its provenance.

    Parameters
    ----------
    figure : Figure or Axes
        What to write; of Axes the whole figure.
    path : path-like
        Ends in ``.png``. Written completely or not at all.
    provenance : mapping
        From `mskseg.provenance.provenance`; `read_provenance` gives it back.
    dpi : int
        Dots per inch.

    Raises
    ------
    InputError
        If the path does not end in ``.png``.
    OutputError
        If the file cannot be written.
    """
    if not os.fspath(path).lower().endswith(".png"):
        raise InputError(f"{path} is no PNG path; give one that ends in .png, which holds metadata")
    whole = figure if isinstance(figure, Figure) else figure.get_figure(root=True)
    if whole is None:
        raise InputError("these axes belong to no figure any more; draw them anew")
    with written_atomically(path) as target:
        whole.savefig(
            target,
            dpi=dpi,
            format="png",
            bbox_inches="tight",  # keeps a legend beside the axes inside the file
            metadata={PNG_KEY: png_text(provenance)},
        )


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def _mark_edges(ax: Axes, plane: Plane) -> None:
    places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.98), (0.5, 0.02))
    sides = (("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom"))
    for letter, place, (horizontal, vertical) in zip(_EDGES[plane], places, sides, strict=True):
        ax.text(
            *place,
            letter,
            transform=ax.transAxes,
            ha=horizontal,
            va=vertical,
            color="white",
            fontsize=9,
            path_effects=_OUTLINE,
        )


def _draw_mask(
    ax: Axes, mask: NDArray[np.bool_], *, colour: Colour, linestyle: str, fill: float
) -> None:
    """Draw the line half way between the centres of pixels inside and outside."""
    padded = np.pad(mask, 1).astype(float)  # closes the outline at the border of the slice
    y, x = (np.arange(n) - 0.5 for n in padded.shape)
    if fill:
        ax.contourf(x, y, padded, levels=[0.5, 1.5], colors=[colour], alpha=fill)
    ax.contour(x, y, padded, levels=[0.5], colors=[colour], linestyles=linestyle, linewidths=1.3)


def _labels_in(*label_maps: NDArray[np.int_]) -> list[int]:
    return sorted(set().union(*(np.unique(each).tolist() for each in label_maps)) - {0})


def _patches(
    labels: Iterable[int], tissues: Mapping[int, str] | None, colours: Mapping[int, Colour]
) -> list[Patch]:
    names = tissues or {}
    return [
        Patch(facecolor=colours[label], edgecolor="0.2", label=names.get(label, f"label {label}"))
        for label in labels
        if tissues is not None
    ]


def _legend(ax: Axes, entries: list[Any]) -> None:
    if entries:
        ax.legend(
            handles=entries,
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            fontsize=8,
            frameon=False,
            ncols=1 + (len(entries) - 1) // 18,
        )
