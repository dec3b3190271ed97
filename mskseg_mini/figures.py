"""Pages of many small panels of training scenes."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray

from mskseg.display.slices import draw_label_map, show_slice
from mskseg.display.style import tissue_colours
from mskseg_mini.scenes import random_scenes

_PANEL = 2.1  # inches
_COLUMNS, _OUTLINED = 4, 5  # panels in a row, objects of each that are outlined


def random_scene_page(count: int, *, seed: int, title: str) -> NDArray[Any]:
    """Draw scenes as training draws them, and show them with their largest objects outlined."""
    scenes = random_scenes(count, generator=torch.Generator().manual_seed(seed))
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
