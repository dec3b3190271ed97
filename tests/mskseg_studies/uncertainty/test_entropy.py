"""Entropy and its parts, the ensemble as one segmenter, and the temperature."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from mskseg.errors import InputError
from mskseg.prompts import Prompt
from mskseg_studies.uncertainty.ensembles import Ensemble
from mskseg_studies.uncertainty.probability_maps import entropy, entropy_parts
from mskseg_studies.uncertainty.temperature import fit_temperature


def members(seed, m=4, c=5):
    return softmax(np.random.default_rng(seed).normal(0, 2, (m, c, 6, 4)), axis=1)


def test_entropy_is_that_of_scipy():
    maps = members(0)[0]
    assert entropy(maps) == pytest.approx(scipy_entropy(maps, axis=0), abs=1e-5)
    assert entropy(np.array([1.0, 0.0])[:, None, None]).item() == 0


@given(st.integers(0, 1000))
def test_the_parts_add_up_and_none_is_negative(seed):
    parts = entropy_parts(members(seed))
    assert parts.predictive == pytest.approx(parts.aleatoric + parts.epistemic, abs=1e-5)
    assert (parts.epistemic >= 0).all()
    assert (parts.predictive <= math.log(5) + 1e-5).all()


def test_members_that_agree_have_no_epistemic_part():
    same = np.repeat(members(0)[:1], 3, axis=0)
    assert entropy_parts(same).epistemic == pytest.approx(0, abs=1e-6)


def test_members_that_are_certain_and_differ_are_all_epistemic():
    split = np.zeros((2, 2, 1, 1))
    split[0, 0] = split[1, 1] = 1
    parts = entropy_parts(split)
    assert parts.aleatoric.item() == 0
    assert parts.epistemic.item() == pytest.approx(math.log(2))


def test_an_ensemble_of_one_cannot_disagree_so_its_epistemic_part_is_not_a_number():
    one = members(0, m=1)
    parts = entropy_parts(one)
    assert np.isnan(parts.epistemic).all()
    assert (parts.predictive == parts.aleatoric).all()


class Fixed:
    """Answers every box with one probability."""

    def __init__(self, probability, name="a", miniature=False):
        self.probability, self.name, self.miniature = probability, name, miniature

    def embed(self, image):
        return image

    def predict(self, embedding, prompt):
        p = np.full((len(prompt), 1, *embedding.shape), self.probability, np.float32)
        iou = np.full((len(prompt), 1), self.probability, np.float32)
        return SimpleNamespace(masks=p > 0.5, probabilities=p, predicted_iou=iou)


def test_an_ensemble_answers_with_the_mean_of_its_members():
    ensemble = Ensemble([Fixed(0.4), Fixed(0.4), Fixed(0.9, miniature=True)])
    prediction = ensemble.predict(
        ensemble.embed(np.zeros((4, 5))), Prompt(boxes_xyxy=np.zeros((2, 4)))
    )
    assert prediction.probabilities.shape == (2, 1, 4, 5)
    assert prediction.probabilities == pytest.approx(1.7 / 3)
    assert prediction.masks.all(), "two of three say no, the mean says yes"
    assert prediction.predicted_iou == pytest.approx(1.7 / 3)
    assert (ensemble.name, ensemble.miniature) == ("ensemble of 3: a", True)


def test_an_ensemble_of_one_is_its_member_and_of_none_is_refused():
    assert Ensemble([Fixed(0.4)]).name == "a"
    with pytest.raises(InputError, match="one segmenter or more, got none"):
        Ensemble([])


def drawn(temperature, n=20_000, m=1):
    """Members whose logits are `temperature` times what the classes were drawn from."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (4, n))
    honest = softmax(logits, axis=0)
    true = (rng.random(n) > honest.cumsum(axis=0)).sum(axis=0)
    return np.repeat(softmax(logits * temperature, axis=0)[None], m, axis=0), true


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("m", [1, 2])
def test_the_temperature_by_which_logits_are_too_large_is_found(temperature, m):
    fitted = fit_temperature(*drawn(temperature, m=m))
    assert fitted == pytest.approx(temperature, rel=0.05)
