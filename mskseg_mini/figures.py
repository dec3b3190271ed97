"""Pages of many small panels: training scenes, and slices ranked by their score."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mskseg.display.overlays import montage
from mskseg.display.slices import OUTLINE, draw_label_map, show_slice
from mskseg.display.style import PREDICTION, REFERENCE, tissue_colours
from mskseg_mini.assessment.measures import ScoredSlice
from mskseg_mini.scenes import SceneBatch, random_scenes

_PANEL = 2.1  # inches
_COLUMNS, _OUTLINED = 4, 5  # panels in a row, objects of each that are outlined
_SCENES = "Synthetic scenes: exact masks (outlined) of what training may ask for"


def scene_page(scenes: SceneBatch, *, title: str = _SCENES) -> NDArray[Any]:
    """Show training scenes, with the objects of each that show most pixels outlined."""
    count = len(scenes.images)
    n_columns = min(_COLUMNS, count)
    n_rows = math.ceil(count / n_columns)
    size = (n_columns * _PANEL, n_rows * (_PANEL + 0.05) + 0.6)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    colours = list(tissue_colours(range(_OUTLINED)).values())
    for i in range(count):
        image = scenes.images[i].byte().cpu().numpy()
        ax = show_slice(image, spacing_mm=(1.0, 1.0), ax=grid.flat[i])
        group = scenes.weights[i].nonzero()[:, 0]
        masks = scenes.masks(group.new_full(group.shape, i), group).cpu().numpy()
        order = np.argsort(-masks.sum((1, 2)), kind="stable")
        for mask, colour in zip(masks[order], colours, strict=False):
            draw_label_map(ax, mask, colours={1: colour})
    figure.suptitle(title, fontsize=10)
    for ax in grid.flat[count:]:
        ax.set_axis_off()
    axes: NDArray[Any] = grid.flatten()[:count]
    return axes


def random_scene_page(count: int, *, seed: int, title: str = _SCENES) -> NDArray[Any]:
    """Draw `count` scenes as training draws them, and show them with `scene_page`."""
    scenes = random_scenes(count, generator=torch.Generator().manual_seed(seed))
    return scene_page(scenes, title=title)


def ranking_page(ranked: Mapping[str, Sequence[ScoredSlice]], *, title: str = "") -> NDArray[Any]:
    """Show slices of `ranked_slices` with their mean Dice, reference white, prediction orange."""
    shown = [(kind, scored) for kind, slices in ranked.items() for scored in slices]
    titles = [f"{kind} {s.dice:.2f}\n{s.name} {s.case_slice.index}" for kind, s in shown]
    panels = montage([s.case_slice for _, s in shown], titles=titles, columns=5, title=title)
    for ax, (_, scored) in zip(panels, shown, strict=True):
        reference = np.asarray(scored.case_slice.label_map)
        for label_map, colour in ((reference, REFERENCE), (scored.prediction, PREDICTION)):
            labels = np.unique(label_map).tolist()
            draw_label_map(ax, label_map, colours=dict.fromkeys(labels, colour))
        for lines in ax.collections:
            lines.set(linewidth=0.7, path_effects=[])  # panels are small, and outlines lie close
        x0, y0, x1, y1 = _zoom(reference + scored.prediction > 0)
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    lines = [
        Line2D([], [], color=colour, path_effects=OUTLINE, label=role)
        for role, colour in (("reference", REFERENCE), ("prediction", PREDICTION))
    ]
    look = {"ncols": 2, "fontsize": 9, "frameon": False}
    panels[0].figure.legend(handles=lines, loc="outside lower center", **look)
    return panels


def _zoom(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Box (4,) of a mask with a margin of a tenth of its longer side, made square."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    centre = np.array([columns[0] + columns[-1] + 1, rows[0] + rows[-1] + 1]) / 2
    half = 0.6 * max(np.ptp(rows), np.ptp(columns)) + 1
    return np.concatenate([centre - half, centre + half])
