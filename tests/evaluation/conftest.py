"""Segmenters whose answers are known, for the tests of this folder."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.prompts import fill_boxes


class Filling:
    """Answers a box with its filling."""

    name, miniature, learned_iou = "filling", True, True

    def embed(self, image):
        return image

    def predict(self, embedding, *, boxes_xyxy):
        masks = np.stack([fill_boxes(box, embedding.shape) for box in boxes_xyxy])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.ones((len(masks), 1)))


class Nothing(Filling):
    """Finds nothing."""

    name = "nothing"

    def predict(self, embedding, *, boxes_xyxy):
        masks = np.zeros((len(boxes_xyxy), 1, *embedding.shape), dtype=bool)
        return SimpleNamespace(masks=masks, predicted_iou=np.zeros((len(masks), 1)))


class ThreeAnswers:
    """Answers with everything bright, its left half, or nothing; rates the half highest."""

    name, miniature, learned_iou = "three", True, True
    ratings = (0.5, 0.9, 0.1)

    def embed(self, image):
        return image

    def predict(
        self, embedding, *, boxes_xyxy=None, point_coords=None, point_labels=None, multimask=False
    ):
        n = len(boxes_xyxy if boxes_xyxy is not None else point_coords)
        whole = embedding > 128
        half = whole.copy()
        half[:, embedding.shape[1] // 2 :] = False
        three = np.stack([whole, half, np.zeros_like(whole)])[: 3 if multimask else 1]
        ratings = np.array(self.ratings)[: len(three)]
        return SimpleNamespace(
            masks=np.repeat(three[None], n, axis=0),
            predicted_iou=np.repeat(ratings[None], n, axis=0),
        )


@pytest.fixture
def filling():
    return Filling()


@pytest.fixture
def finds_nothing():
    return Nothing()


@pytest.fixture
def three_answers():
    return ThreeAnswers()
