"""Metrics: analytic expectations, laws, and the same numbers from MONAI and SciPy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist, directed_hausdorff

from mskseg.errors import InputError
from mskseg.evaluation import metrics
from mskseg.evaluation.metrics import surface_distances_mm as between
from mskseg.evaluation.metrics import surface_points

# MONAI warns on each call of an argument that it passes to itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")

SHAPES = ((6, 5), (17, 23), (4, 5, 6), (9, 12, 7))
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6))


@st.composite
def mask_pairs(draw):
    reference = draw(MASKS)
    return reference, draw(hnp.arrays(np.bool_, reference.shape))


def square(shape, *, top, left, side):
    mask = np.zeros(shape, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def random_pairs(*, seed=0):
    rng = np.random.default_rng(seed)
    for shape in SHAPES:
        for part in (0.05, 0.5, 0.9):
            pair = rng.random((2, *shape)) < part
            if pair.any(axis=tuple(range(1, pair.ndim))).all():
                yield (*pair, tuple(rng.uniform(0.3, 6.0, len(shape))))


# analytic expectations


def test_two_half_overlapping_squares():
    first = square((20, 20), top=5, left=2, side=8)
    second = square((20, 20), top=5, left=6, side=8)
    assert metrics.dice(first, second) == 0.5
    assert metrics.iou(first, second) == 1 / 3


def test_parallel_plates_are_their_distance_apart_in_mm():
    plates = np.zeros((2, 12, 10, 8), dtype=bool)
    plates[0, 2] = plates[1, 7] = True
    spacing = (2.5, 0.4, 7.0)
    assert between(*plates, spacing_mm=spacing).hd95_mm == pytest.approx(5 * 2.5)
    assert between(*plates, spacing_mm=spacing).assd_mm == pytest.approx(5 * 2.5)
    assert between(*plates, spacing_mm=spacing).surface_dice(tolerance_mm=12.5) == 1
    assert between(*plates, spacing_mm=spacing).surface_dice(tolerance_mm=12.4) == 0


@pytest.mark.parametrize(("axis", "expected_mm"), [(0, 3 * 1.5), (1, 3 * 0.5)])
def test_a_shift_along_each_axis_is_measured_with_that_axis_spacing(axis, expected_mm):
    bars = np.zeros((2, 30, 30), dtype=bool)
    bars[0, 10, 10] = True
    bars[1] = np.roll(bars[0], 3, axis=axis)
    assert between(*bars, spacing_mm=(1.5, 0.5)).hd95_mm == pytest.approx(expected_mm)


def test_hd95_ignores_the_farthest_twentieth_of_the_surface():
    line = np.zeros((2, 120, 40), dtype=bool)
    line[:, :100, 0] = True
    line[1, :4, :] = True  # a spur: 156 further pixels
    line[1, 4:, 1:] = False
    short = line.copy()
    short[1] = line[0]
    short[1, 0, 0] = False
    short[1, 0, 30] = True  # one pixel of 100 is off by 30
    assert between(*short, spacing_mm=(1, 1)).hd95_mm == 0
    assert between(*line, spacing_mm=(1, 1)).hd95_mm > 30


def test_the_interior_is_no_surface_and_the_border_of_the_array_is():
    mask = np.ones((5, 7), dtype=bool)
    points = {tuple(point) for point in surface_points(mask)}
    assert len(points) == 2 * 5 + 2 * 7 - 4
    assert (2, 3) not in points


def test_relative_volume_error_is_signed():
    small, large = square((9, 9), top=0, left=0, side=2), square((9, 9), top=0, left=0, side=4)
    assert metrics.relative_volume_error(small, large) == 3.0
    assert metrics.relative_volume_error(large, small) == -0.75


# the empty-mask rule

EMPTY, FULL = np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)
OVERLAPS = {
    "dice": metrics.dice,
    "iou": metrics.iou,
    "surface_dice": lambda a, b: between(a, b, spacing_mm=(1, 1)).surface_dice(tolerance_mm=1),
}
DISTANCES = {
    "hd95": lambda a, b: between(a, b, spacing_mm=(1, 1)).hd95_mm,
    "assd": lambda a, b: between(a, b, spacing_mm=(1, 1)).assd_mm,
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_an_overlap_is_nan_if_both_are_empty_and_0_if_one_is(name):
    assert math.isnan(OVERLAPS[name](EMPTY, EMPTY))
    assert OVERLAPS[name](FULL, EMPTY) == OVERLAPS[name](EMPTY, FULL) == 0


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_is_nan_if_both_are_empty_and_infinite_if_one_is(name):
    assert math.isnan(DISTANCES[name](EMPTY, EMPTY))
    assert DISTANCES[name](FULL, EMPTY) == DISTANCES[name](EMPTY, FULL) == math.inf


def test_the_volume_error_of_empty_masks():
    assert math.isnan(metrics.relative_volume_error(EMPTY, EMPTY))
    assert metrics.relative_volume_error(EMPTY, FULL) == math.inf
    assert metrics.relative_volume_error(FULL, EMPTY) == -1


def test_empty_masks_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scores, one_empty in ((OVERLAPS, 0), (DISTANCES, math.inf)):
            for score in scores.values():
                assert math.isnan(score(EMPTY, EMPTY))
                assert score(EMPTY, FULL) == score(FULL, EMPTY) == one_empty


# laws


@given(mask_pairs())
def test_overlaps_are_symmetric_within_0_and_1_and_agree_with_each_other(pair):
    assume(pair[0].any() or pair[1].any())
    dice, iou = metrics.dice(*pair), metrics.iou(*pair)
    assert 0 <= iou <= dice <= 1
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert dice == metrics.dice(*pair[::-1])
    assert iou == metrics.iou(*pair[::-1])


@given(MASKS)
def test_a_mask_agrees_with_itself(mask):
    assume(mask.any())
    spacing = (0.7,) * mask.ndim
    assert metrics.dice(mask, mask) == metrics.iou(mask, mask) == 1
    assert between(mask, mask, spacing_mm=spacing).hd95_mm == 0
    assert between(mask, mask, spacing_mm=spacing).assd_mm == 0
    assert between(mask, mask, spacing_mm=spacing).surface_dice(tolerance_mm=0) == 1
    assert metrics.relative_volume_error(mask, mask) == 0


@given(mask_pairs(), st.floats(0.1, 10))
def test_distances_are_symmetric_and_scale_with_the_spacing(pair, factor):
    assume(pair[0].any() and pair[1].any())
    spacing = np.array([1.5, 0.5, 3.0])[: pair[0].ndim]
    here = metrics.surface_distances_mm(*pair, spacing_mm=spacing)
    back = metrics.surface_distances_mm(*pair[::-1], spacing_mm=spacing)
    scaled = metrics.surface_distances_mm(*pair, spacing_mm=spacing * factor)
    assert here.hd95_mm == back.hd95_mm
    assert here.assd_mm == pytest.approx(back.assd_mm)
    assert scaled.hd95_mm == pytest.approx(here.hd95_mm * factor)
    assert scaled.assd_mm == pytest.approx(here.assd_mm * factor)
    assert scaled.surface_dice(tolerance_mm=factor) == here.surface_dice(tolerance_mm=1)


@given(mask_pairs(), st.integers(0, 4))
def test_distances_do_not_depend_on_the_empty_room_around(pair, margin):
    assume(pair[0].any() and pair[1].any())
    spacing = (1.0,) * pair[0].ndim
    wide = [np.pad(mask, margin) for mask in pair]
    assert between(*wide, spacing_mm=spacing).hd95_mm == between(*pair, spacing_mm=spacing).hd95_mm


@given(mask_pairs())
def test_surface_dice_grows_with_the_tolerance(pair):
    assume(pair[0].any() and pair[1].any())
    distances = metrics.surface_distances_mm(*pair, spacing_mm=(1.0,) * pair[0].ndim)
    scores = [distances.surface_dice(tolerance_mm=t) for t in (0, 1, 2, 20)]
    assert scores == sorted(scores)
    assert scores[-1] == 1


# cross-checks


@pytest.fixture(scope="module")
def monai_metrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MONAI's own dependencies, at import
        return pytest.importorskip("monai.metrics")


def as_batch(mask):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(mask[None, None].astype(np.float32))


def test_dice_and_iou_equal_monai(monai_metrics):
    for reference, prediction, _ in random_pairs():
        ours = metrics.dice(reference, prediction), metrics.iou(reference, prediction)
        batches = as_batch(prediction), as_batch(reference)
        theirs = (
            float(monai_metrics.compute_dice(*batches)),
            float(monai_metrics.compute_iou(*batches)),
        )
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_surface_metrics_equal_monai(monai_metrics):
    for reference, prediction, spacing in random_pairs():
        ours = metrics.surface_distances_mm(reference, prediction, spacing_mm=spacing)
        batches, how = (as_batch(prediction), as_batch(reference)), {"spacing": list(spacing)}
        hd95 = monai_metrics.compute_hausdorff_distance(
            *batches, include_background=True, percentile=95, **how
        )
        assd = monai_metrics.compute_average_surface_distance(
            *batches, include_background=True, symmetric=True, **how
        )
        nsd = monai_metrics.compute_surface_dice(
            *batches, class_thresholds=[1.7], include_background=True, **how
        )
        assert ours.hd95_mm == pytest.approx(float(hd95), rel=1e-5)
        assert ours.assd_mm == pytest.approx(float(assd), rel=1e-5)
        assert ours.surface_dice(tolerance_mm=1.7) == pytest.approx(float(nsd), abs=1e-6)


def test_known_differences_from_monai_on_empty_masks(monai_metrics):
    """MONAI scores a prediction where the reference is empty as NaN, which its mean then drops.

    So does its HD95 with any empty mask: the worst failures improve the mean. With us they are a
    Dice of 0 and a distance of inf.
    """
    reference, prediction = as_batch(EMPTY), as_batch(FULL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI warns of the empty masks that this test is about
        dice = monai_metrics.compute_dice(prediction, reference)
        hd95 = monai_metrics.compute_hausdorff_distance(
            reference, prediction, include_background=True, percentile=95
        )
    assert math.isnan(float(dice))
    assert metrics.dice(EMPTY, FULL) == 0
    assert math.isnan(float(hd95))
    assert between(FULL, EMPTY, spacing_mm=(1, 1)).hd95_mm == math.inf


def test_surface_distances_equal_a_brute_force_search_with_scipy():
    for reference, prediction, spacing in random_pairs(seed=1):
        ours = metrics.surface_distances_mm(reference, prediction, spacing_mm=spacing)
        points = [surface_points(mask) * np.array(spacing) for mask in (reference, prediction)]
        table = cdist(*points)
        np.testing.assert_allclose(ours.from_reference_mm, table.min(axis=1), atol=1e-12)
        np.testing.assert_allclose(ours.from_prediction_mm, table.min(axis=0), atol=1e-12)
        assert ours.from_reference_mm.max() == pytest.approx(directed_hausdorff(*points)[0])


# bad input


def test_masks_on_different_grids_are_refused():
    with pytest.raises(InputError, match=r"shape \(4, 4\), the prediction \(4, 5\)"):
        metrics.dice(EMPTY, np.zeros((4, 5)))


def test_a_label_map_is_refused_since_its_labels_would_merge():
    with pytest.raises(InputError, match="values other than 0 and 1"):
        metrics.iou(EMPTY, np.full((4, 4), 2))


def test_zeros_and_ones_of_any_type_are_a_mask():
    assert metrics.dice(FULL.astype(np.float32), FULL.astype(np.uint8)) == 1


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, math.nan), (1.0, -2.0)])
def test_a_spacing_that_does_not_fit_is_refused(spacing):
    with pytest.raises(InputError, match="expected 2 lengths above 0"):
        between(FULL, FULL, spacing_mm=spacing)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(InputError, match="tolerance_mm is -1"):
        between(FULL, FULL, spacing_mm=(1, 1)).surface_dice(tolerance_mm=-1)
