"""Slices, objects and prompts: fresh at each visit, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mskseg.finetuning.dataset import SliceDataset
from mskseg.finetuning.prompt_tokens import decode_prompts
from mskseg.finetuning.trainer import Batch
from mskseg.prompts import boxes_from_mask


@pytest.fixture(scope="module")
def dataset(train, tiny):
    return SliceDataset.from_cases(train, tiny)


def test_objects_are_the_components_with_their_tight_boxes(dataset):
    at = dataset.slices[0]
    assert (at.labels, at.tissues) == ((1, 2), ("muscle", "bone"))
    for number, label in enumerate(at.labels):
        mask = at.masks(np.array([number]))[0]
        assert np.array_equal(mask, at.label_map == label)
        box = boxes_from_mask(mask, spacing_mm=at.spacing_mm)
        np.testing.assert_array_equal(at.boxes_xyxy[number], box[0])


def test_components_below_the_least_area_are_not_asked_for(train, tiny):
    assert len(SliceDataset.from_cases(train, replace(tiny, min_area_mm2=1e5))) == 0
    assert len(SliceDataset.from_cases(train, tiny, step=2)) == 2


def test_each_slice_is_shown_once_before_any_is_shown_again(dataset, tiny):
    n = len(dataset)
    for start in (0, n, 2 * n):
        shown = [dataset.slice_at(p) for p in range(start, start + n)]
        assert len({(each.case, each.index) for each in shown}) == n
    steps = [dataset.positions(step) for step in range(3)]
    assert [p for step in steps for p in step] == list(range(6))


def test_the_order_follows_the_seed(dataset, tiny):
    def order(seed):
        seeded = replace(dataset, config=replace(tiny, seed=seed))
        shown = [seeded.slice_at(p) for p in range(12)]
        return [(each.case, each.index) for each in shown]

    assert order(0) == order(0)
    assert order(0) != order(1)


def test_jitter_is_drawn_anew_at_each_visit_and_is_the_same_for_the_same_one(dataset, tiny):
    jittered = replace(dataset, config=replace(tiny, jitter_px=4.0, prompts_per_slice=None))
    first = jittered.slice_at(0)
    again = next(p for p in range(4, 8) if jittered.slice_at(p) is first)
    boxes = [jittered.sample_at(p).prompt.boxes_xyxy for p in (0, again, 0)]
    assert not np.array_equal(boxes[0], boxes[1])
    assert np.array_equal(boxes[0], boxes[2])
    assert 0 < np.abs(boxes[0] - first.boxes_xyxy).max() <= 4


def test_without_jitter_boxes_are_tight_and_objects_are_drawn(dataset, tiny):
    single = replace(dataset, config=replace(tiny, prompts_per_slice=1))
    chosen = set()
    for position in range(12):
        sample = single.sample_at(position)
        assert single.n_prompts_at(position) == len(sample.chosen) == len(sample.prompt) == 1
        np.testing.assert_array_equal(
            sample.prompt.boxes_xyxy, sample.source.boxes_xyxy[sample.chosen]
        )
        chosen |= set(sample.chosen.tolist())
    assert chosen == {0, 1}


def test_points_lie_in_their_objects(dataset, tiny):
    by_points = replace(dataset, config=replace(tiny, prompt="point", points=3))
    samples = [by_points.sample_at(p) for p in range(4)]
    for sample in (*samples, by_points.oracle_sample(dataset.slices[0])):
        masks = sample.source.masks(sample.chosen)
        for mask, points in zip(masks, sample.prompt.point_coords, strict=True):
            assert all(mask[int(y), int(x)] for x, y in points)


def test_what_selects_is_asked_with_as_many_points_as_what_trains(dataset, tiny):
    by_points = replace(dataset, config=replace(tiny, prompt="point", points=3))
    labelled = dataset.slices[0]
    first, again = (by_points.oracle_sample(labelled).prompt.point_coords for _ in range(2))
    assert first.shape == (len(labelled.labels), 3, 2)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", ["small", "small_medsam", "mini"])
@pytest.mark.parametrize("prompt", ["box", "point"])
def test_training_asks_the_model_what_predict_asks(name, prompt, request, dataset, tiny):
    """Token by token: same logits for the same prompts, so that tuning and use agree."""
    segmenter = request.getfixturevalue(name)
    drawn = replace(dataset, config=replace(tiny, prompt=prompt, jitter_px=2.5))
    samples = [drawn.sample_at(p) for p in (0, 1)]
    batch = Batch.of(samples, segmenter)
    embedded = [segmenter.embed(sample.source.image) for sample in samples]
    features = torch.cat([e.features for e in embedded])
    with torch.no_grad():
        logits, iou = decode_prompts(segmenter.model, features[batch.image], batch.tokens)
    for number, sample in enumerate(samples):
        prediction = segmenter.predict(embedded[number], sample.prompt)
        rows = batch.image.numpy() == number
        np.testing.assert_allclose(
            logits[:, 0].numpy()[rows], prediction.low_res_logits[:, 0], atol=2e-4, rtol=1e-4
        )
        if segmenter.learned_iou:
            expected = prediction.predicted_iou[:, 0]
            np.testing.assert_allclose(iou[:, 0].numpy()[rows], expected, atol=1e-4)
