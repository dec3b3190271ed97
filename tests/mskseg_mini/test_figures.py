"""Pages of training scenes."""

from __future__ import annotations

import numpy as np
import torch
from support.figures import headless as headless

from mskseg_mini import figures
from mskseg_mini.scenes import random_scenes


def outlines(ax):
    """Outlines drawn by `draw_label_map`."""
    return [each for each in ax.collections if type(each).__name__ == "QuadContourSet"]


def test_a_page_of_scenes_shows_each_with_its_largest_objects_outlined():
    scenes = random_scenes(5, generator=torch.Generator().manual_seed(1))
    axes = figures.random_scene_page(5, seed=1, title="five scenes")
    assert len(axes) == 5
    for i, ax in enumerate(axes):
        assert np.array_equal(ax.images[0].get_array(), scenes.images[i].numpy())
        assert len(outlines(ax)) == min(5, int((scenes.weights[i] > 0).sum()))
