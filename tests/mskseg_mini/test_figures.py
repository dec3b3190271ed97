"""Pages of scenes and of ranked slices."""

from __future__ import annotations

import numpy as np
import pytest
from support.figures import headless as headless

from mskseg_mini import figures

IMAGE = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)


@pytest.fixture
def label_map():
    label_map = np.zeros(IMAGE.shape, dtype=np.int16)
    label_map[2:6, 3:9] = 1
    label_map[7:11, 12:20] = 5  # touches the right border
    return label_map


def outlines(ax):
    """Outlines drawn by `draw_label_map`."""
    return [each for each in ax.collections if type(each).__name__ == "QuadContourSet"]


def tiny_scenes():
    import torch

    from mskseg_mini.scenes import random_scenes

    return random_scenes(5, generator=torch.Generator().manual_seed(1), size=64)


def test_a_page_of_scenes_shows_each_with_its_largest_objects_outlined():
    scenes = tiny_scenes()
    axes = figures.scene_page(scenes)
    assert len(axes) == 5
    for i, ax in enumerate(axes):
        assert np.array_equal(ax.images[0].get_array(), scenes.images[i].numpy())
        assert len(outlines(ax)) == min(5, int((scenes.weights[i] > 0).sum()))


def test_ranked_slices_are_zoomed_to_what_is_labelled_and_titled_with_their_dice(label_map):
    from mskseg.case import CaseSlice
    from mskseg_mini.assessment.measures import ScoredSlice

    one = CaseSlice(IMAGE, label_map, (1.0, 1.0), "axial", 7)
    scored = ScoredSlice(one, np.roll(label_map, 1, axis=1).astype(int), 0.5, "own")
    axes = figures.ranking_page({"best": [scored], "worst": [scored] * 3})
    assert [ax.get_title() for ax in axes] == ["best 0.50\nown 7"] + ["worst 0.50\nown 7"] * 3
    (x0, x1), (y1, y0) = axes[0].get_xlim(), axes[0].get_ylim()
    assert x0 < 0 < 20 < x1  # label 5 reaches the right border, the prediction the left one
    assert (x0 + x1) / 2 == pytest.approx(10)
    assert (y0 + y1) / 2 == pytest.approx(6.5)
