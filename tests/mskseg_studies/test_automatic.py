"""Automatic masks: the same as upstream's generator with the same filters."""

from __future__ import annotations

import numpy as np
import pytest
from segment_anything import SamAutomaticMaskGenerator

import mskseg
from mskseg.errors import InputError
from mskseg_studies.automatic import Candidates, grid_candidates

SIZE = 96


@pytest.fixture(scope="module")
def segmenter():
    return mskseg.load_segmenter("sam_vit_mini")


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[:SIZE, :SIZE]
    drawn = np.full((SIZE, SIZE), 40, dtype=np.uint8)
    drawn[np.hypot(x - 30, y - 30) < 18] = 220
    drawn[60:90, 50:90] = 130
    return drawn


@pytest.fixture(scope="module")
def candidates(segmenter, image):
    return grid_candidates(segmenter, image, points_per_side=6)


def test_filters_one_by_one_give_what_upstream_gives_at_once(segmenter, image, candidates):
    limit, stability = np.median(candidates.predicted_iou), np.median(candidates.stability)
    ours = candidates.where(candidates.predicted_iou > limit)
    ours = ours.where(ours.stability >= stability).without_duplicates(box_iou=0.7)
    upstream = SamAutomaticMaskGenerator(
        segmenter.model,
        points_per_side=6,
        pred_iou_thresh=limit,
        stability_score_thresh=stability,
        box_nms_thresh=0.7,
    ).generate(np.repeat(image[..., None], 3, axis=2))
    theirs = {each["segmentation"].tobytes() for each in upstream}
    assert len(theirs) >= 2
    assert {mask.tobytes() for mask in ours.masks} == theirs


def test_there_are_three_masks_for_every_point_of_the_grid(candidates):
    assert 36 < len(candidates) <= 3 * 36
    assert candidates.masks.any(axis=(1, 2)).all()
    centres = (np.arange(6) + 0.5) / 6 * SIZE
    assert set(np.unique(candidates.points[:, 0]).round(6)) <= set((centres + 0.5).round(6))


def test_of_two_masks_in_one_place_the_better_stays():
    masks = np.zeros((3, 20, 20), dtype=bool)
    masks[0, 2:10, 2:10] = masks[1, 2:10, 2:11] = masks[2, 12:18, 12:18] = True
    both = Candidates(masks, np.array([0.4, 0.9, 0.3]), np.ones(3), np.zeros((3, 2)))
    assert sorted(both.without_duplicates().predicted_iou) == [0.3, 0.9]


def test_nothing_found_stays_nothing():
    none = Candidates(np.zeros((0, 5, 5), bool), np.zeros(0), np.zeros(0), np.zeros((0, 2)))
    assert len(none.without_duplicates()) == 0


def test_a_grid_without_points_is_refused(segmenter, image):
    with pytest.raises(InputError, match="expected 1 grid point a side or more, got 0"):
        grid_candidates(segmenter, image, points_per_side=0)


def test_of_the_grid_only_the_points_within_a_mask_are_asked(segmenter, image, candidates):
    within = np.zeros(image.shape, dtype=bool)
    within[:48, 50:] = True
    some = grid_candidates(segmenter, image, points_per_side=6, within=within)
    inside = within[candidates.points[:, 1].astype(int), candidates.points[:, 0].astype(int)]
    expected = candidates.where(inside)
    assert 0 < len(expected) < len(candidates)
    key = lambda c: sorted(zip(c.points.tolist(), c.predicted_iou.round(4), strict=True))  # noqa: E731
    assert key(some) == key(expected)
    assert len(grid_candidates(segmenter, image, points_per_side=6, within=within & False)) == 0
    with pytest.raises(InputError, match="expected `within` of shape"):
        grid_candidates(segmenter, image, within=within[1:])
