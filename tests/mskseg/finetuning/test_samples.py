"""Slices, objects and prompts: fresh at each visit, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mskseg.finetuning.questions import answer, ask
from mskseg.finetuning.samples import (
    draw_visit,
    gather_slices,
    n_prompts,
    oracle_visit,
    positions_of,
    shown_at,
)
from mskseg.prompts import boxes_from_mask


@pytest.fixture(scope="module")
def slices(train, tiny):
    return gather_slices(train, tiny, step=1).slices


def test_objects_are_the_components_with_their_tight_boxes(slices):
    at = slices[0]
    assert (at.labels, at.tissues) == ((1, 2), ("muscle", "bone"))
    for number, label in enumerate(at.labels):
        mask = at.masks(np.array([number]))[0]
        assert np.array_equal(mask, at.label_map == label)
        box = boxes_from_mask(mask, spacing_mm=at.spacing_mm)
        np.testing.assert_array_equal(at.boxes_xyxy[number], box[0])


def test_components_below_the_least_area_are_not_asked_for(train, tiny):
    gathered = gather_slices(train, replace(tiny, min_area_mm2=1e5), step=1)
    assert gathered.slices == ()
    assert len(gather_slices(train, tiny, step=2).slices) == 2


def test_each_slice_is_shown_once_before_any_is_shown_again(slices, tiny):
    n = len(slices)
    for start in (0, n, 2 * n):
        shown = [shown_at(p, slices, tiny).name for p in range(start, start + n)]
        assert len(set(shown)) == n
    steps = [positions_of(step, tiny, n=n) for step in range(3)]
    assert [p for step in steps for p in step] == list(range(6))


def test_the_order_follows_the_seed(slices, tiny):
    def order(seed):
        config = replace(tiny, seed=seed)
        return [shown_at(p, slices, config).name for p in range(12)]

    assert order(0) == order(0)
    assert order(0) != order(1)


def test_jitter_is_drawn_anew_at_each_visit_and_is_the_same_for_the_same_one(slices, tiny):
    config = replace(tiny, jitter_px=4.0, prompts_per_slice=None)
    first = shown_at(0, slices, config)
    again = next(p for p in range(4, 8) if shown_at(p, slices, config) is first)
    boxes = [draw_visit(p, slices, config).prompts.boxes_xyxy for p in (0, again, 0)]
    assert not np.array_equal(boxes[0], boxes[1])
    assert np.array_equal(boxes[0], boxes[2])
    assert 0 < np.abs(boxes[0] - first.boxes_xyxy).max() <= 4


def test_without_jitter_boxes_are_tight_and_objects_are_drawn(slices, tiny):
    config = replace(tiny, prompts_per_slice=1)
    chosen = set()
    for position in range(12):
        visit = draw_visit(position, slices, config)
        assert n_prompts(visit.of, config) == len(visit.chosen) == len(visit.prompts) == 1
        np.testing.assert_array_equal(visit.prompts.boxes_xyxy, visit.of.boxes_xyxy[visit.chosen])
        chosen |= set(visit.chosen.tolist())
    assert chosen == {0, 1}


def test_points_lie_in_their_objects(slices, tiny):
    config = replace(tiny, prompt="point", points=3)
    for visit in (
        *(draw_visit(p, slices, config) for p in range(4)),
        oracle_visit(slices[0], config),
    ):
        for mask, points in zip(
            visit.of.masks(visit.chosen), visit.prompts.point_coords, strict=True
        ):
            assert all(mask[int(y), int(x)] for x, y in points)


def test_what_selects_is_asked_with_as_many_points_as_what_trains(slices, tiny):
    config = replace(tiny, prompt="point", points=3)
    first, again = (oracle_visit(slices[0], config).prompts.point_coords for _ in range(2))
    assert first.shape == (len(slices[0].labels), 3, 2)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", ["small", "small_medsam", "mini"])
@pytest.mark.parametrize("prompt", ["box", "point"])
def test_training_asks_the_model_what_predict_asks(name, prompt, request, slices, tiny):
    """Token by token: same logits for the same prompts, so that tuning and use agree."""
    segmenter = request.getfixturevalue(name)
    visits = [draw_visit(p, slices, replace(tiny, prompt=prompt, jitter_px=2.5)) for p in (0, 1)]
    asked = ask(visits, segmenter.model, segmenter.preprocessing)
    embedded = [segmenter.embed(v.of.image) for v in visits]
    with torch.no_grad():
        logits, iou = answer(
            segmenter.model, torch.cat([e.features for e in embedded]), asked.image, asked.coords,
            asked.kinds,
        )  # fmt: skip
    for number, visit in enumerate(visits):
        given = visit.prompts
        found = segmenter.predict(
            embedded[number], boxes_xyxy=given.boxes_xyxy, point_coords=given.point_coords,
            point_labels=given.point_labels,
        )  # fmt: skip
        rows = asked.image.numpy() == number
        np.testing.assert_allclose(
            logits.numpy()[rows], found.low_res_logits[:, 0], atol=2e-4, rtol=1e-4
        )
        if segmenter.learned_iou:
            np.testing.assert_allclose(iou.numpy()[rows], found.predicted_iou[:, 0], atol=1e-4)
