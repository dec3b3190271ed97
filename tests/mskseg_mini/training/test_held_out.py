"""Scores on held-out scenes are those that the segmenter would get on the same objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mskseg
from mskseg.evaluation.metrics import dice
from mskseg_mini.scenes import random_scenes
from mskseg_mini.training.held_out import SELECTION_SEED, score_held_out_scenes
from mskseg_mini.training.interactive import tight_boxes


def test_the_score_by_box_is_the_segmenters_own():
    segmenter = mskseg.load_segmenter("sam_vit_mini")
    scores = score_held_out_scenes(segmenter.model, batches=1)
    generator = torch.Generator().manual_seed(SELECTION_SEED)
    scenes = random_scenes(8, generator=generator)
    scene, masks = scenes.draw_objects(4, generator=generator)
    boxes = tight_boxes(masks).numpy()
    found = []
    for i, box, mask in zip(scene.tolist(), boxes, masks.numpy(), strict=True):
        embedding = segmenter.embed(scenes.images[i].byte().numpy())
        found.append(dice(mask, segmenter.predict(embedding, boxes_xyxy=box).masks[0, 0]))
    assert scores["n_objects"] == len(found)
    assert scores["box"] == pytest.approx(float(np.mean(found)), abs=0.002)


def test_other_seeds_give_other_scenes_and_a_point_less_than_a_box():
    sam = mskseg.load_segmenter("sam_vit_mini").model
    first, second = (score_held_out_scenes(sam, batches=2, seed=seed) for seed in (11, 12))
    assert first["box"] != second["box"]
    assert first["filled_box"] < first["box"]
    assert first["point"] < first["box"]
