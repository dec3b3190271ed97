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
from mskseg.evaluation.calibration import Calibration, ReliabilityBins, foreground, outline_band
from mskseg.evaluation.multiclass import FLOOR


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
def test_ece_is_that_of_torchmetrics(maps, n_bins):
    flat, true = as_torch(*maps)
    theirs = multiclass_calibration_error(flat, true, 5, n_bins=n_bins, norm="l1")
    assert Calibration.of(*maps, n_bins=n_bins).ece == pytest.approx(float(theirs), abs=1e-5)


def test_known_difference_torchmetrics_gives_a_confidence_of_one_a_bin_of_its_own():
    """Ours is 0 to 1 in B bins; theirs puts exactly 1.0 into a further one."""
    p = torch.tensor([[1.0, 0.0], [0.95, 0.05]])
    true = torch.tensor([1, 0])  # wrong at 1.0, right at 0.95
    theirs = float(multiclass_calibration_error(p, true, 2, n_bins=10, norm="l1"))
    ours = ReliabilityBins.of([1.0, 0.95], [0, 1], n_bins=10).ece
    assert theirs == pytest.approx((1.0 + 0.05) / 2)
    assert ours == pytest.approx((1.95 - 1) / 2)


def test_bins_of_one_class_are_those_of_monai(maps):
    """MONAI bins each class's own probability; so may ours. Its edges belong to the lower bin."""
    probabilities, reference = maps
    one_hot = np.stack([reference == k for k in range(5)]).astype(np.float32)
    p, true, n = calibration_binning(
        torch.as_tensor(probabilities[None]), torch.as_tensor(one_hot[None]), num_bins=10
    )
    ours = ReliabilityBins.of(probabilities[2], one_hot[2], n_bins=10)
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


def test_no_foreground_is_nan_and_no_pixel():
    probabilities = np.stack([np.full((4, 4), 0.9), np.full((4, 4), 0.1)])
    nothing = np.zeros((4, 4), dtype=int)
    where = foreground(probabilities, nothing)
    found = Calibration.of(probabilities, nothing, where=where)
    assert found.n == 0
    assert all(math.isnan(each) for each in (found.ece, found.nll, found.brier))
    assert Calibration.of(probabilities, nothing).ece == pytest.approx(0.1)


def test_foreground_holds_false_alarms_as_well_as_misses():
    probabilities = np.array([[[0.9, 0.2, 0.9]], [[0.1, 0.8, 0.1]]])
    assert foreground(probabilities, [[1, 0, 0]]).tolist() == [[True, True, False]]


def test_background_makes_an_error_look_small():
    """The same wrong square in a small and in a large field of easy background."""
    found = {}
    for size in (20, 100):
        probabilities = np.zeros((2, size, size))
        probabilities[0] = 1.0
        probabilities[:, :10, :10] = np.array([0.05, 0.95])[:, None, None]
        reference = np.zeros((size, size), dtype=int)
        reference[:10, :5] = 1
        front = foreground(probabilities, reference)
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


def test_the_band_is_measured_in_millimetres_on_both_sides():
    reference = np.zeros((9, 20), dtype=int)
    reference[:, 10:] = 3
    band = outline_band(reference, spacing_mm=(5.0, 2.0), width_mm=4.0)
    assert np.flatnonzero(band[4]).tolist() == [7, 8, 9, 10, 11, 12]
    assert not outline_band(np.zeros((4, 4)), spacing_mm=(1, 1), width_mm=3).any()


def test_the_band_runs_between_tissues_as_well():
    reference = np.array([[1, 1, 1, 2, 2, 2]])
    band = outline_band(reference, spacing_mm=(1, 1), width_mm=0)
    assert band.tolist() == [[False, False, True, True, False, False]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ReliabilityBins.of([0.5], [1, 0]), "1 confidences, 2 outcomes"),
        (lambda: ReliabilityBins.of([1.5], [1]), "got one outside"),
        (lambda: ReliabilityBins.of([0.5], [1], n_bins=0), "one bin or more"),
        (
            lambda: ReliabilityBins.of([1], [1], n_bins=2) + ReliabilityBins.of([1], [1]),
            "equally many bins",
        ),
        (
            lambda: Calibration.of(np.ones((2, 3, 3)), np.zeros((2, 2), int)),
            r"expected probabilities \(C, H, W",
        ),
        (lambda: Calibration.of(np.ones((2, 1, 1)), [[7]]), "`as_classes`"),
        (lambda: outline_band([[1, 0]], spacing_mm=(1, 1), width_mm=-1), "0 mm or more"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
