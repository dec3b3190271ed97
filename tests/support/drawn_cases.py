"""Drawn cases, and segmenters whose answers are known beforehand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mskseg.case import Case
from mskseg.prompts import Prompt, fill_boxes
from mskseg.volume import LabelMap, Volume


class DiscSegmenter:
    """Answers a point with discs around the inner points, without those around outer ones.

    Of three masks the radii are `radii`; of one it is the middle of them. A box is answered by its
    filling. Every call is kept in `calls`.
    """

    name = "discs"
    prompt_kinds = frozenset({"box", "point"})

    def __init__(self, *, radii=(2.0, 4.0, 8.0), ratings=(0.5, 0.9, 0.7)):
        self.radii, self.ratings, self.calls = radii, ratings, []

    def embed(self, image):
        return image

    def predict(self, embedding, prompt=None, *, multimask=False, **arrays):
        prompt = prompt or Prompt(**arrays)
        self.calls.append(
            SimpleNamespace(
                points=prompt.point_coords,
                labels=prompt.point_labels,
                logits=prompt.mask_logits,
                multimask=multimask,
            )
        )
        shape = embedding.shape[:2]
        if prompt.boxes_xyxy is not None:
            masks = np.stack([fill_boxes(box, shape) for box in prompt.boxes_xyxy])[:, None]
            ratings = [0.8]
        else:
            radii = self.radii if multimask else self.radii[1:2]
            ratings = self.ratings if multimask else self.ratings[1:2]
            masks = np.stack(
                [
                    [self._discs(shape, points, labels, radius) for radius in radii]
                    for points, labels in zip(prompt.point_coords, prompt.point_labels, strict=True)
                ]
            )
        return SimpleNamespace(
            masks=masks,
            probabilities=masks.astype(np.float32),
            predicted_iou=np.tile(np.array(ratings, np.float32), (len(masks), 1)),
            low_res_logits=np.where(masks, 1.0, -1.0).astype(np.float32),
        )

    @staticmethod
    def _discs(shape, points, labels, radius):
        y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
        near = [np.hypot(x - px, y - py) <= radius for px, py in points]
        inside = [disc for disc, label in zip(near, labels, strict=True) if label]
        outside = [disc for disc, label in zip(near, labels, strict=True) if not label]
        return np.any(inside, axis=0) & ~np.any([np.zeros(shape, bool), *outside], axis=0)


@pytest.fixture
def discs():
    """Give the class, to be made with one's own radii and ratings."""
    return DiscSegmenter


@pytest.fixture
def draw_case():
    """Give a function that makes a case of axial slices (slice, row, column) out of labels."""

    def draw(labels, *, subject="s1", row_mm=1.0, column_mm=1.0, **more):
        labels = np.asarray(labels, np.int16)
        n, height, width = labels.shape
        grid = Volume(np.zeros((width, height, n)), np.diag([column_mm, row_mm, 6.0, 1.0]))
        levels = 100 * labels + np.arange(width) + 1 + np.arange(n)[:, None, None]
        more = {"tissues": {1: "muscle", 2: "bone"}} | more
        return Case(
            subject=subject,
            image=grid.with_array(grid.from_stack(levels, "axial").array.astype(np.int16)),
            reference=LabelMap(grid.from_stack(labels, "axial").array, grid.affine),
            **more,
        )

    return draw


class Filling:
    """Answers a box with its filling."""

    name, miniature, learned_iou = "filling", True, True
    prompt_kinds = frozenset({"box"})

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        masks = np.stack([fill_boxes(box, embedding.shape) for box in prompt.boxes_xyxy])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.ones((len(masks), 1)))


class Nothing(Filling):
    """Finds nothing."""

    name = "nothing"

    def predict(self, embedding, prompt):
        masks = np.zeros((len(prompt), 1, *embedding.shape), dtype=bool)
        return SimpleNamespace(masks=masks, predicted_iou=np.zeros((len(masks), 1)))


class BrightFilling:
    """Answers a box with its filling, where the image is bright."""

    name, miniature = "filling", True
    prompt_kinds = frozenset({"box", "point"})

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        bright = embedding > 128
        masks = np.stack([fill_boxes(box, bright.shape) & bright for box in prompt.boxes_xyxy])
        return SimpleNamespace(masks=masks[:, None], predicted_iou=np.ones((len(masks), 1)))


class ThreeAnswers:
    """Answers with everything bright, its left half, or nothing; rates the half highest."""

    name, miniature, learned_iou = "three", True, True
    ratings = (0.5, 0.9, 0.1)

    def embed(self, image):
        return image

    def predict(self, embedding, prompt=None, *, multimask=False, **arrays):
        n = len(prompt or Prompt(**arrays))
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


def strip_case(subject: str, width: int) -> Case:
    """Three slices that show a strip of label 1, the middle one a square of label 7 too."""
    labels = np.zeros((3, 60, 400), dtype=np.int16)
    labels[:, 20 : 20 + width, 10:390] = 1
    labels[1, 45:55, 100:110] = 7
    grid = Volume(np.zeros((400, 60, 3)), np.diag([1.0, 1.0, 5.0, 1.0]))
    reference = LabelMap(grid.from_stack(labels, "axial").array, grid.affine)
    noise = np.random.default_rng(0).normal(100, 10, reference.array.shape)
    image = noise + 60.0 * (reference.array > 0)
    return Case(
        subject=subject,
        image=Volume(image, grid.affine),
        reference=reference,
        tissues={1: "strip", 7: "square"},
        dataset="phantom_knee",
        anatomy="knee",
        sequence="drawn",
    )
