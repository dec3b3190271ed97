"""The rule that makes one map of the answers to single prompts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit, softmax

from mskseg.errors import InputError
from mskseg_studies.calibration import (
    FLOOR,
    as_classes,
    checked_probabilities,
    multiclass_probabilities,
    temper,
)


@pytest.fixture
def answers():
    return np.random.default_rng(0).uniform(0.01, 0.99, (3, 5, 7)).astype(np.float32)


def test_it_is_a_softmax_over_the_largest_logit_of_each_tissue_and_zero(answers):
    joined = multiclass_probabilities(answers, [4, 9, 4], labels=[4, 9])
    logits = logit(answers.astype(float))
    stacked = np.stack([np.zeros((5, 7)), np.maximum(logits[0], logits[2]), logits[1]])
    assert joined == pytest.approx(softmax(stacked, axis=0), abs=1e-6)
    assert joined.sum(axis=0) == pytest.approx(1)


def test_one_tissue_keeps_the_segmenters_own_probability_and_mask(answers):
    joined = multiclass_probabilities(answers[:1], [4], labels=[4])
    assert joined[1] == pytest.approx(answers[0], abs=1e-6)
    assert ((joined.argmax(axis=0) == 1) == (answers[0] > 0.5)).all()


def test_a_tissue_that_nobody_asked_about_lies_at_the_floor():
    joined = multiclass_probabilities(np.empty((0, 2, 2)), [], labels=[4, 9])
    assert joined[1:] == pytest.approx(FLOOR, rel=1e-3)
    assert (joined[1:] <= FLOOR).all(), "these are the pixels that are counted as clipped"
    assert np.isfinite(np.log(joined)).all()


def test_an_answer_of_exactly_zero_or_one_stays_finite():
    joined = multiclass_probabilities(np.array([[[0.0, 1.0]]]), [4], labels=[4])
    assert joined[1, 0] == pytest.approx([FLOOR, 1 - FLOOR], rel=1e-2)


@pytest.mark.parametrize("labels", [[0, 4], [4, 4], []])
def test_tissues_are_asked_about_once_and_without_the_background(labels):
    with pytest.raises(InputError, match=r"each once, without 0"):
        multiclass_probabilities(np.zeros((1, 2, 2)), [4], labels=labels)


def test_probabilities_that_do_not_sum_to_one_are_refused_with_their_sum():
    maps = np.full((3, 2, 2), 1 / 3)
    assert checked_probabilities(maps).dtype == np.float32
    maps[:, 1, 1] = 0.6
    with pytest.raises(
        InputError, match=r"of a map sum to 1\.8 in a voxel, expected 1; .*softmax over the classes"
    ):
        checked_probabilities(maps)


def test_of_a_volume_the_classes_are_the_first_axis_and_of_stacked_maps_the_last_but_two():
    volume = np.full((2, 3, 4, 5), 0.5)
    assert checked_probabilities(volume, shape=(2, 3, 4, 5), what="s1").shape == (2, 3, 4, 5)
    with pytest.raises(InputError, match=r"sum to 1\.5 in a voxel"):
        checked_probabilities(volume)
    members = np.moveaxis(volume, 0, 1)
    assert checked_probabilities(members).shape == members.shape
    with pytest.raises(InputError, match=r"of s1 sum to 1\.5 in a voxel"):
        checked_probabilities(members, shape=members.shape, what="s1")


def test_half_precision_probabilities_pass():
    maps = softmax(np.random.default_rng(0).normal(0, 4, (13, 20, 20)), axis=0)
    checked = checked_probabilities(maps.astype(np.float16))
    assert checked.dtype == np.float32
    assert checked == pytest.approx(maps, abs=1e-3)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.full((2, 2, 2), np.nan), "no NaN"),
        (np.stack([np.full((2, 2), 1.5), np.full((2, 2), -0.5)]), "0 to 1"),
        (np.ones((1, 2, 2)), "needs two classes"),
    ],
)
def test_what_is_no_map_of_probabilities_is_refused(maps, message):
    with pytest.raises(InputError, match=message):
        checked_probabilities(maps)


def test_a_temperature_divides_the_logits(answers):
    joined = multiclass_probabilities(answers, [4, 9, 4], labels=[4, 9])
    logits = np.log(joined.astype(float)) + 3.0  # what is added to all of them does not matter
    assert temper(joined, 2.5) == pytest.approx(softmax(logits / 2.5, axis=0), abs=1e-6)
    assert (temper(joined, 2.5).argmax(axis=0) == joined.argmax(axis=0)).all()
    with pytest.raises(InputError, match="above 0"):
        temper(joined, 0)


def test_labels_outside_the_map_are_background():
    assert as_classes([[0, 4], [9, 14]], [9, 4]).tolist() == [[0, 2], [1, 0]]
