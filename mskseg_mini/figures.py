"""Pages of many small panels: training scenes, and slices ranked by their score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mskseg.display.slices import OUTLINE, draw_label_map, show_slice
from mskseg.display.style import PREDICTION, REFERENCE, tissue_colours
from mskseg.errors import InputError

if TYPE_CHECKING:
    from mskseg_mini.assessment.scans import ScoredSlice
    from mskseg_mini.scenes.batch import SceneBatch

_PANEL = 2.1  # inches
_SCENES = "Synthetic scenes: exact masks (outlined) of what training may ask for"


def scene_page(
    scenes: SceneBatch, *, columns: int = 4, outlined: int = 5, title: str = _SCENES
) -> NDArray[Any]:
    """Show training scenes, `columns` in a row, some of their objects outlined.

    In each scene the `outlined` objects that show most pixels; parts and wholes may overlap. 0
    shows the images alone. Returns the axes of each scene.
    """
    count = len(scenes.images)
    n_columns = min(columns, count)
    n_rows = math.ceil(count / n_columns)
    figure, grid = _grid(n_rows, n_columns, above=0.05)
    colours = list(tissue_colours(range(1, outlined + 1)).values())
    for i in range(count):
        image = scenes.images[i].byte().cpu().numpy()
        ax = show_slice(image, spacing_mm=(1.0, 1.0), ax=grid.flat[i])
        for mask, colour in zip(_largest(scenes, i, outlined), colours, strict=False):
            draw_label_map(ax, mask, colours={1: colour})
    figure.suptitle(title, fontsize=10)
    for ax in grid.flat[count:]:
        ax.set_axis_off()
    axes: NDArray[Any] = grid.flatten()[:count]
    return axes


def random_scene_page(count: int, *, seed: int, title: str = _SCENES) -> NDArray[Any]:
    """Draw `count` scenes as training draws them, and show them with `scene_page`."""
    import torch  # here: the other pages need none

    from mskseg_mini.scenes import random_scenes

    scenes = random_scenes(count, generator=torch.Generator().manual_seed(seed))
    return scene_page(scenes, title=title)


def _largest(scenes: SceneBatch, index: int, count: int) -> list[NDArray[np.bool_]]:
    """Masks of the objects of a scene that show most pixels."""
    group = scenes.weights[index].nonzero()[:, 0]
    masks = scenes.masks(group.new_full(group.shape, index), group).cpu().numpy()
    order = np.argsort(-masks.sum((1, 2)), kind="stable")[:count]
    return [masks[k] for k in order]


def ranking_page(
    ranked: Mapping[str, Sequence[ScoredSlice]], *, columns: int = 10, title: str = ""
) -> NDArray[Any]:
    """Show slices of `ranked_slices`, reference white and prediction orange, with their mean Dice.

    Returns the axes of each slice, kind after kind; InputError if there is none.
    """
    rows = [
        (kind, list(slices[start : start + columns]))
        for kind, slices in ranked.items()
        for start in range(0, len(slices), columns)
    ]
    if not rows:
        raise InputError("expected one slice or more, got none; score a real scan first")
    figure, grid = _grid(len(rows), max(len(slices) for _, slices in rows), above=0.35)
    axes = []
    for (kind, slices), row in zip(rows, grid, strict=True):
        for scored, ax in zip(slices, row, strict=False):
            axes.append(_scored_panel(ax, scored, kind))
        for ax in row[len(slices) :]:
            ax.set_axis_off()
    lines = [
        Line2D([], [], color=colour, path_effects=OUTLINE, label=role)
        for role, colour in (("reference", REFERENCE), ("prediction", PREDICTION))
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    figure.suptitle(title)
    return np.array(axes, dtype=object)


def _scored_panel(ax: Axes, scored: ScoredSlice, kind: str) -> Axes:
    shown = scored.case_slice
    zoom = _zoom(np.asarray(shown.label_map) + scored.prediction > 0)
    show_slice(shown.image, spacing_mm=shown.spacing_mm, zoom_xyxy=zoom, ax=ax)
    for label_map, colour in ((shown.label_map, REFERENCE), (scored.prediction, PREDICTION)):
        labels = np.unique(np.asarray(label_map)).tolist()
        draw_label_map(ax, np.asarray(label_map), colours=dict.fromkeys(labels, colour))
    for lines in ax.collections:
        lines.set(linewidth=0.7, path_effects=[])  # panels are small, and outlines lie close
    ax.set_title(f"{kind} {scored.dice:.2f}\n{scored.name} {shown.index}", fontsize=7)
    return ax


def _zoom(mask: NDArray[np.bool_], *, margin: float = 0.1) -> NDArray[np.float64]:
    """Box (4,) of a mask with a margin, a share of its longer side, made square."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    centre = np.array([columns[0] + columns[-1] + 1, rows[0] + rows[-1] + 1]) / 2
    half = (0.5 + margin) * max(np.ptp(rows), np.ptp(columns)) + 1
    return np.concatenate([centre - half, centre + half])


def _grid(n_rows: int, n_columns: int, *, above: float) -> tuple[Any, NDArray[Any]]:
    """Give a figure and its axes; `above` each panel are so many inches for a title."""
    size = (n_columns * _PANEL, n_rows * (_PANEL + above) + 0.6)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    return figure, grid
