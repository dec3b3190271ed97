"""Several labels on one slice: who gets which pixel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from mskseg.models.segmenter import predict_label_map
from mskseg.prompts import Prompt, fill_boxes

SHAPE = (20, 30)


class _BoxFiller:
    """Answers each box with the filled box, the surer the smaller it is."""

    embedded = 0

    def embed(self, image: np.ndarray) -> SimpleNamespace:
        self.embedded += 1
        return SimpleNamespace(original_size=image.shape)

    def predict(self, embedding: Any, prompt: Prompt) -> SimpleNamespace:
        boxes = np.asarray(prompt.boxes_xyxy, float).reshape(-1, 1, 4)
        masks = np.array([[fill_boxes(box, SHAPE)] for box in boxes], bool).reshape(-1, 1, *SHAPE)
        surer = 1 / (1 + masks.sum(axis=(2, 3), keepdims=True))
        return SimpleNamespace(masks=masks, probabilities=(masks * surer).astype(np.float32))


def box_prompt(*box_xyxy: float) -> Prompt:
    return Prompt(boxes_xyxy=np.array([box_xyxy]))


def test_the_surer_label_has_the_pixel_whatever_the_order():
    large, small = (1, box_prompt(0, 0, 20, 20)), (2, box_prompt(5, 5, 8, 8))
    first = predict_label_map(_BoxFiller(), np.zeros(SHAPE), [large, small])
    second = predict_label_map(_BoxFiller(), np.zeros(SHAPE), [small, large])
    assert np.array_equal(first, second)
    assert (first == 2).sum() == 9
    assert (first == 1).sum() == 400 - 9
    assert first.dtype == np.uint16


def test_a_label_gets_what_all_its_prompts_find_and_the_slice_is_embedded_once():
    filler = _BoxFiller()
    boxes = [(300, box_prompt(0, 0, 2, 2)), (300, box_prompt(9, 9, 12, 12))]
    assert (predict_label_map(filler, np.zeros(SHAPE), boxes) == 300).sum() == 4 + 9
    assert filler.embedded == 1


def test_no_prompt_and_no_box_give_an_empty_map():
    assert not predict_label_map(_BoxFiller(), np.zeros(SHAPE), []).any()
    none = [(1, Prompt(boxes_xyxy=np.empty((0, 4))))]
    assert not predict_label_map(_BoxFiller(), np.zeros(SHAPE), none).any()
