"""ECE, NLL and Brier: by hand, streamed, and beside torchmetrics, MONAI and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import calibration_binning
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_calibration_error

from mskseg.errors import InputError
from mskseg_studies.calibration import (
    FLOOR,
    Calibration,
    ReliabilityBins,
    candidate_region,
    multiclass_probabilities,
    temper,
)


@pytest.fixture
def maps():
    """Probabilities (5, 40, 30) and the true classes, more often right than not."""
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 5, (40, 30))
    logits = rng.normal(0, 1.5, (5, 40, 30))
    logits[reference, *np.indices(reference.shape)] += 1.0
    return softmax(logits, axis=0).astype(np.float32), reference


def as_torch(probabilities, reference):
    flat = torch.as_tensor(probabilities).reshape(len(probabilities), -1).T
    return flat, torch.as_tensor(reference).ravel()


@pytest.mark.parametrize("n_bins", [1, 10, 15])
def test_ece_is_that_of_torchmetrics(maps, n_bins, monkeypatch):
    monkeypatch.setattr("mskseg_studies.calibration.N_BINS", n_bins)
    flat, true = as_torch(*maps)
    theirs = multiclass_calibration_error(flat, true, 5, n_bins=n_bins, norm="l1")
    assert Calibration.of(*maps).ece == pytest.approx(float(theirs), abs=1e-5)


def test_known_difference_torchmetrics_gives_a_confidence_of_one_a_bin_of_its_own():
    """Ours is 0 to 1 in B bins; theirs puts exactly 1.0 into a further one."""
    p = torch.tensor([[1.0, 0.0], [0.95, 0.05]])
    true = torch.tensor([1, 0])  # wrong at 1.0, right at 0.95
    theirs = float(multiclass_calibration_error(p, true, 2, n_bins=15, norm="l1"))
    ours = ReliabilityBins.of([1.0, 0.95], [0, 1]).ece
    assert theirs == pytest.approx((1.0 + 0.05) / 2)
    assert ours == pytest.approx((1.95 - 1) / 2)


def test_bins_of_one_class_are_those_of_monai(maps):
    """MONAI bins each class's own probability; so may ours. Its edges belong to the lower bin."""
    probabilities, reference = maps
    one_hot = np.stack([reference == k for k in range(5)]).astype(np.float32)
    p, true, n = calibration_binning(
        torch.as_tensor(probabilities[None]), torch.as_tensor(one_hot[None]), num_bins=15
    )
    ours = ReliabilityBins.of(probabilities[2], one_hot[2])
    assert ours.n == pytest.approx(n[0, 2].numpy())
    assert ours.confidence / ours.n == pytest.approx(p[0, 2].numpy(), nan_ok=True, abs=1e-5)
    assert ours.hits / ours.n == pytest.approx(true[0, 2].numpy(), nan_ok=True, abs=1e-5)


def test_nll_and_brier_are_those_of_torch_and_of_the_definition(maps):
    flat, true = as_torch(*maps)
    found = Calibration.of(*maps)
    assert found.nll == pytest.approx(float(torch.nn.functional.nll_loss(flat.log(), true)))
    one_hot = torch.nn.functional.one_hot(true, 5)
    assert found.brier == pytest.approx(float(((flat - one_hot) ** 2).sum(1).mean()), rel=1e-5)


def test_nll_and_brier_are_those_of_scikit_learn(maps):
    sklearn = pytest.importorskip("sklearn.metrics", reason="comes with MONAI's extras only")
    flat, true = (each.numpy() for each in as_torch(*maps))
    found = Calibration.of(*maps)
    flat = flat.astype(np.float64)
    flat /= flat.sum(axis=1, keepdims=True)
    assert found.nll == pytest.approx(sklearn.log_loss(true, flat), rel=1e-5)
    brier = sklearn.brier_score_loss(true, flat, scale_by_half=False)
    assert found.brier == pytest.approx(brier, rel=1e-5)


def test_slices_seen_one_by_one_add_up_to_the_whole(maps):
    probabilities, reference = maps
    parts = [
        Calibration.of(probabilities[:, i : i + 7], reference[i : i + 7]) for i in range(0, 40, 7)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    whole = Calibration.of(probabilities, reference)
    for name in ("n", "ece", "nll", "brier", "n_clipped"):
        assert getattr(total, name) == pytest.approx(getattr(whole, name)), name
    assert total.bins.n.shape == whole.bins.n.shape, "the sums do not grow"


def test_a_model_as_right_as_it_says_has_no_error():
    confidence = np.full(100, 0.8)
    assert ReliabilityBins.of(confidence, np.arange(100) < 80).ece == pytest.approx(0)
    assert ReliabilityBins.of(confidence, np.arange(100) < 50).ece == pytest.approx(0.3)


def test_ece_of_a_constant_prediction_is_its_distance_from_the_hit_rate():
    probabilities = np.empty((2, 10, 10))
    probabilities[0], probabilities[1] = 0.9, 0.1
    reference = np.zeros((10, 10), dtype=int)
    reference[:3] = 1
    found = Calibration.of(probabilities, reference)
    assert (found.bins.n > 0).sum() == 1
    assert found.ece == pytest.approx(0.2)


def test_no_candidate_is_nan_and_no_pixel():
    probabilities = np.stack([np.full((4, 4), 0.995), np.full((4, 4), 0.005)])
    nothing = np.zeros((4, 4), dtype=int)
    found = Calibration.of(probabilities, nothing, where=candidate_region(probabilities))
    assert found.n == 0
    assert all(math.isnan(each) for each in (found.ece, found.nll, found.brier))
    assert Calibration.of(probabilities, nothing).ece == pytest.approx(0.005)


def test_candidates_are_where_all_tissues_together_pass_one_per_cent():
    probabilities = np.array([[[0.995, 0.985, 0.2]], [[0.003, 0.008, 0.4]], [[0.002, 0.007, 0.4]]])
    assert candidate_region(probabilities).tolist() == [[False, True, True]]


def several_tissues(n=200, coherent=False, size=16, k=3):
    """Maps (1 + k, n size, size), calibrated by making, and what came true.

    Each pixel is drawn by itself, or all of a map together: one number decides them.
    """
    rng = np.random.default_rng(7)
    middles = rng.uniform(2, size - 2, (k, n, 2, 1, 1))
    y, x = np.indices((size, size)) + 0.5
    far = np.hypot(y - middles[:, :, 0], x - middles[:, :, 1])
    maps = softmax(np.concatenate([np.zeros((1, *far.shape[1:])), 4 - 1.5 * far]), axis=0)
    dealt = (rng.permutation(n) + 0.5)[:, None, None] / n
    drawn = np.broadcast_to(dealt, maps.shape[1:]) if coherent else rng.random(maps.shape[1:])
    true = (drawn > maps.cumsum(axis=0)[:-1]).sum(axis=0)
    return maps.reshape(1 + k, -1, size).astype(np.float32), true.reshape(-1, size)


@pytest.mark.parametrize("coherent", [False, True])
def test_several_tissues_calibrated_by_making_have_no_error_and_any_temperature_adds_one(coherent):
    maps, true = several_tissues(coherent=coherent)
    where = candidate_region(maps)
    assert 0.2 < where.mean() < 0.9
    temperatures = [0.6, 0.8, 1, 1.3, 1.6, 2]
    eces = [Calibration.of(temper(maps, t), true, where=where).ece for t in temperatures]
    assert eces[2] == min(eces) <= 0.01
    for softer in (0.7, 1.5):  # as a model of its own, with candidates of its own
        copy = temper(maps, softer)
        assert Calibration.of(copy, true, where=candidate_region(copy)).ece > eces[2] + 0.005


def test_the_reference_moves_no_pixel_and_no_confidence():
    maps, true = several_tissues(n=5)
    where = candidate_region(maps)
    seen = [Calibration.of(maps, each, where=where).bins for each in (true, np.zeros_like(true))]
    assert (seen[0].n == seen[1].n).all()
    assert (seen[0].confidence == seen[1].confidence).all()
    assert not (seen[0].hits == seen[1].hits).all()


def test_what_the_region_cannot_see_is_as_the_docstring_says():
    maps, _ = several_tissues()
    nothing = np.zeros(maps.shape[1:], dtype=int)
    own = Calibration.of(maps, nothing, where=candidate_region(maps))
    thin = 0.98 * maps + 0.02 * np.array([0, 1, 1, 1])[:, None, None] / 3
    spread = Calibration.of(thin, nothing, where=candidate_region(thin))
    assert spread.n > own.n
    assert spread.ece < own.ece, "doubt about all the air dilutes the error"
    halves = multiclass_probabilities(np.full((2, 1, 1), 0.5), [1, 2], labels=(1, 2))
    assert halves == pytest.approx(1 / 3), "one half each, joined by the rule"


def test_background_makes_an_error_look_small():
    """The same wrong square in a small and in a large field of easy background."""
    found = {}
    for size in (20, 100):
        probabilities = np.zeros((2, size, size))
        probabilities[0] = 1.0
        probabilities[:, :10, :10] = np.array([0.05, 0.95])[:, None, None]
        reference = np.zeros((size, size), dtype=int)
        reference[:10, :5] = 1
        front = candidate_region(probabilities)
        found[size] = [
            Calibration.of(probabilities, reference, where=where).ece for where in (None, front)
        ]
    assert found[20][1] == pytest.approx(found[100][1]) == pytest.approx(0.45)
    assert found[100][0] < found[20][0] < found[20][1]


def test_a_true_class_at_the_floor_is_clipped_and_counted():
    probabilities = np.array([[[1.0, 0.5]], [[0.0, 0.5]]])
    found = Calibration.of(probabilities, [[1, 1]])
    assert found.n_clipped == 1
    assert found.nll == pytest.approx((-math.log(FLOOR) - math.log(0.5)) / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ReliabilityBins.of([1.5], [1]), "got one outside"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
