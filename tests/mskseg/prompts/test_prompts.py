from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.prompts import (
    boxes_from_mask,
    central_point,
    check_boxes,
    check_points,
    error_point,
    fill_boxes,
    jitter_boxes,
    label_components,
    pad_boxes,
    random_points,
)

SHAPE = (20, 30)
UNIT = {"spacing_mm": (1.0, 1.0), "min_area_mm2": 0.0}

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
some_masks = masks.filter(np.any)


@st.composite
def pixel_boxes(draw, shape=SHAPE):
    x0, y0 = draw(st.integers(0, shape[1] - 1)), draw(st.integers(0, shape[0] - 1))
    return x0, y0, draw(st.integers(x0 + 1, shape[1])), draw(st.integers(y0 + 1, shape[0]))


@st.composite
def continuous_boxes(draw, shape=SHAPE):
    def interval(length):
        low = draw(st.floats(0, length - 0.01))
        return low, draw(st.floats(low, length, exclude_min=True))

    (x0, x1), (y0, y1) = interval(shape[1]), interval(shape[0])
    return x0, y0, x1, y1


def drawn(box, shape=SHAPE):
    mask = np.zeros(shape, dtype=bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return mask


def test_box_of_one_pixel_is_half_open():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5, 3] = True
    assert boxes_from_mask(mask, **UNIT).tolist() == [[3, 5, 4, 6]]
    assert central_point(mask).tolist() == [3.5, 5.5]


@given(pixel_boxes())
def test_box_of_a_drawn_rectangle_is_that_rectangle(box):
    boxes = boxes_from_mask(drawn(box), **UNIT)
    assert boxes.dtype == np.float64
    assert boxes.tolist() == [list(map(float, box))]


@given(pixel_boxes())
def test_filled_box_of_a_rectangle_is_the_rectangle(box):
    mask = drawn(box)
    assert np.array_equal(fill_boxes(boxes_from_mask(mask, **UNIT), SHAPE), mask)


@given(masks)
def test_filled_boxes_hold_the_whole_mask(mask):
    assert (fill_boxes(boxes_from_mask(mask, **UNIT), mask.shape) >= mask).all()


@given(masks)
def test_flipping_a_mask_flips_its_boxes(mask):
    width = mask.shape[1]
    boxes = boxes_from_mask(mask, **UNIT)
    flipped = boxes_from_mask(mask[:, ::-1], **UNIT)
    expected = np.stack(
        [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1
    )
    assert sorted(flipped.tolist()) == sorted(expected.tolist())


def test_fractional_box_fills_the_pixels_whose_centre_it_holds():
    filled = fill_boxes([[2.4, 1.6, 5.6, 3.5]], (6, 8))
    assert np.argwhere(filled).min(axis=0).tolist() == [2, 2]
    assert np.argwhere(filled).max(axis=0).tolist() == [2, 5]


def test_components_under_the_minimum_area_get_no_number():
    mask = drawn((2, 2, 7, 8)) | drawn((20, 10, 22, 12))
    components, n = label_components(mask, spacing_mm=(1.0, 1.0))
    assert n == 1
    assert components.dtype == np.int32
    assert np.array_equal(components, drawn((2, 2, 7, 8)))
    assert len(boxes_from_mask(mask, spacing_mm=(3.0, 2.5))) == 2  # 4 pixels x 7.5 mm2
    assert len(boxes_from_mask(mask, spacing_mm=(3.0, 2.49))) == 1


def test_numbers_have_no_gap_where_a_small_component_comes_first():
    mask = drawn((0, 0, 1, 1)) | drawn((5, 5, 12, 12)) | drawn((20, 12, 28, 20))
    components, n = label_components(mask, spacing_mm=(1.0, 1.0))
    assert (n, np.unique(components).tolist()) == (2, [0, 1, 2])
    assert components[6, 6] == 1


def test_pixels_that_touch_at_a_corner_are_one_component():
    assert label_components(np.eye(4, dtype=bool), **UNIT)[1] == 1


def test_empty_mask_has_no_box():
    assert boxes_from_mask(np.zeros(SHAPE), **UNIT).shape == (0, 4)
    assert not fill_boxes(np.empty((0, 4)), SHAPE).any()


@given(continuous_boxes(), st.floats(0, 50), st.floats(0, 50))
def test_padding_is_monotone_and_stays_in_the_slice(box, first, second):
    less, more = sorted((first, second))
    small, large = (pad_boxes(box, pixels=p, shape=SHAPE)[0] for p in (less, more))
    assert (large[:2] <= small[:2]).all()
    assert (large[2:] >= small[2:]).all()
    check_boxes(large, SHAPE)


def test_padding_widens_every_side_by_the_pixels():
    assert pad_boxes([10, 5, 12, 9], pixels=2, shape=SHAPE).tolist() == [[8, 3, 14, 11]]
    assert pad_boxes([1, 5, 12, 19], pixels=2.5, shape=SHAPE).tolist() == [[0, 2.5, 14.5, 20]]


@given(
    st.lists(continuous_boxes(), max_size=4),
    st.sampled_from(["pixels", "relative"]),
    st.floats(0, 100),
    st.integers(0, 99),
)
def test_jittered_boxes_stay_in_the_slice_and_never_invert(boxes, unit, amount, seed):
    boxes = np.array(boxes).reshape(-1, 4)
    jittered = jitter_boxes(boxes, shape=SHAPE, rng=np.random.default_rng(seed), **{unit: amount})
    assert jittered.shape == boxes.shape
    check_boxes(jittered, SHAPE)  # raises if one is inverted or outside
    assert (jittered[:, 2:] - jittered[:, :2] >= 1 - 1e-9).all()


@given(continuous_boxes(), st.integers(0, 99))
def test_same_seed_gives_the_same_jitter(box, seed):
    first, second = (
        jitter_boxes(box, shape=SHAPE, rng=np.random.default_rng(seed), pixels=5) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_jitter_moves_sides_on_their_own_uniformly_within_the_amount():
    box = np.tile([40.0, 40.0, 60.0, 50.0], (4000, 1))
    for amount, reach in (({"pixels": 4}, (4, 4)), ({"relative": 0.1}, (2, 1))):
        moved = jitter_boxes(box, shape=(100, 100), rng=np.random.default_rng(0), **amount) - box
        assert np.abs(moved).max(axis=0) == pytest.approx(np.tile(reach, 2), rel=0.01)
        assert moved.std(axis=0) == pytest.approx(np.tile(reach, 2) / np.sqrt(3), rel=0.05)
        assert np.abs(np.corrcoef(moved.T) - np.eye(4)).max() < 0.1


def test_no_jitter_changes_nothing():
    box = [[3.0, 4.0, 9.0, 8.0]]
    assert jitter_boxes(box, shape=SHAPE, rng=np.random.default_rng(0), pixels=0).tolist() == box


@pytest.mark.parametrize("amounts", [{}, {"pixels": 1, "relative": 0.1}])
def test_jitter_wants_one_amount(amounts):
    with pytest.raises(InputError, match="either in `pixels` or as `relative`"):
        jitter_boxes([1, 1, 5, 5], shape=SHAPE, rng=np.random.default_rng(0), **amounts)


@pytest.mark.parametrize("amount", [-1, np.nan, np.inf])
def test_negative_or_endless_amounts_are_refused(amount):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="expected padding in pixels as a finite number"):
        pad_boxes([1, 1, 5, 5], pixels=amount, shape=SHAPE)
    with pytest.raises(InputError, match="expected jitter in pixels as a finite number"):
        jitter_boxes([1, 1, 5, 5], shape=SHAPE, rng=rng, pixels=amount)
    with pytest.raises(InputError, match="expected relative jitter as a finite number"):
        jitter_boxes([1, 1, 5, 5], shape=SHAPE, rng=rng, relative=amount)


@given(some_masks)
def test_central_point_lies_in_the_mask(mask):
    x, y = central_point(mask)
    assert mask[int(y), int(x)]
    assert (x % 1, y % 1) == (0.5, 0.5)


def test_central_point_is_the_middle_of_a_long_strip():
    assert central_point(drawn((0, 0, 30, 3))).tolist() == pytest.approx([15, 1.5], abs=0.5)
    assert central_point(drawn((2, 4, 9, 11))).tolist() == [5.5, 7.5]


def test_central_point_counts_the_border_of_the_slice_as_outside():
    assert central_point(np.ones((9, 9))).tolist() == [4.5, 4.5]
    assert central_point(drawn((0, 5, 9, 14))).tolist() == [4.5, 9.5]


def test_central_point_knows_anisotropic_pixels():
    """A cross of two arms: rows of 3 mm make the arm of few rows the thicker one."""
    mask = drawn((0, 8, 12, 11)) | drawn((20, 0, 25, 20))
    assert central_point(mask)[0] > 20
    assert central_point(mask, spacing_mm=(3.0, 1.0))[0] < 12


@given(some_masks, st.integers(1, 30), st.integers(0, 99))
def test_random_points_lie_in_the_mask_each_pixel_once(mask, n, seed):
    points = random_points(mask, n, rng=np.random.default_rng(seed))
    again = random_points(mask, n, rng=np.random.default_rng(seed))
    assert points.shape == (n, 2)
    assert np.array_equal(points, again)
    assert all(mask[int(y), int(x)] for x, y in points)
    if n <= mask.sum():
        assert len(np.unique(points, axis=0)) == n


@st.composite
def mask_pairs(draw):
    shape = draw(st.tuples(st.integers(1, 10), st.integers(1, 10)))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@given(mask_pairs(), st.none() | st.integers(0, 99))
def test_error_point_lies_in_the_error_region_with_its_label(pair, seed):
    reference, prediction = pair
    rng = None if seed is None else np.random.default_rng(seed)
    if np.array_equal(reference, prediction):
        with pytest.raises(InputError, match="no error to click on"):
            error_point(reference, prediction, rng=rng)
        return
    (x, y), label = error_point(reference, prediction, rng=rng)
    assert reference[int(y), int(x)] != prediction[int(y), int(x)]
    assert label == int(reference[int(y), int(x)])


def test_error_point_corrects_the_deepest_error():
    reference, prediction = drawn((2, 2, 12, 12)), drawn((2, 2, 12, 5))
    point, label = error_point(reference, prediction)
    assert (label, point[1]) == (1, pytest.approx(8.5, abs=0.5))
    point, label = error_point(drawn((2, 2, 4, 4)), drawn((2, 2, 4, 4)) | drawn((20, 8, 27, 15)))
    assert (label, point.tolist()) == (0, [23.5, 11.5])


def test_depth_of_an_error_is_measured_in_millimetres():
    """6 rows by 20 columns were missed, 12 rows by 3 columns were added."""
    reference, prediction = drawn((2, 2, 22, 8)), drawn((25, 4, 28, 16))
    assert error_point(reference, prediction)[1] == 1
    assert error_point(reference, prediction, spacing_mm=(1.0, 3.0))[1] == 0


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([-1, 2, 5, 6], r"\(-1, 2, 5, 6\) reaches outside the slice of 30 columns and 20 rows"),
        ([3, 2, 31, 6], "reaches outside"),
        ([3, 2, 5, 20.5], "reaches outside"),
        ([3, -0.1, 5, 6], "reaches outside"),
        ([5, 2, 3, 6], "inverted or has no area"),
        ([3, 6, 5, 2], "inverted or has no area"),
        ([3, 2, 3, 6], "inverted or has no area"),
        ([3, np.nan, 5, 6], "1 NaN or infinite"),
        ([3, 2, np.inf, 6], "1 NaN or infinite"),
        ([3, 2, 5], r"shape \(N, 4\).*got \(3,\)"),
        (np.ones((2, 3, 4)), r"shape \(N, 4\)"),
        ([["a", 1, 2, 3]], "expected boxes as numbers"),
    ],
)
def test_bad_boxes_are_refused_in_one_line(box, reason):
    with pytest.raises(InputError, match=reason) as caught:
        check_boxes(box, SHAPE)
    assert "\n" not in str(caught.value)


def test_good_boxes_come_back_as_rows_of_floats():
    checked = check_boxes([0, 0, 30, 20], SHAPE)
    assert checked.dtype == np.float64
    assert checked.tolist() == [[0, 0, 30, 20]]
    assert check_boxes([], SHAPE).shape == (0, 4)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([[3.5, 2.5], [30.5, 2]], r"point \(30.5, 2\) lies outside the slice of 30 columns"),
        ([-0.5, 2], "lies outside"),
        ([np.nan, 2], "1 NaN or infinite"),
        ([1, 2, 3], r"shape \(\.\.\., 2\)"),
    ],
)
def test_bad_points_are_refused(points, reason):
    with pytest.raises(InputError, match=reason):
        check_points(points, SHAPE)


def test_good_points_keep_their_shape():
    assert check_points(np.full((3, 5, 2), 7.5), SHAPE).shape == (3, 5, 2)


def test_wrong_masks_and_counts_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"shape \(H, W\), got \(2, 3, 4\)"):
        label_components(np.ones((2, 3, 4)), **UNIT)
    with pytest.raises(InputError, match="mask is empty"):
        central_point(np.zeros(SHAPE))
    with pytest.raises(InputError, match="mask is empty"):
        random_points(np.zeros(SHAPE), 1, rng=rng)
    with pytest.raises(InputError, match="one point or more, got n = 0"):
        random_points(np.ones(SHAPE), 0, rng=rng)
    with pytest.raises(InputError, match="differ in shape"):
        error_point(np.ones((3, 3)), np.zeros((3, 4)))
    with pytest.raises(InputError, match="both above 0"):
        label_components(np.ones(SHAPE), spacing_mm=(0.0, 1.0))


def test_a_label_map_is_no_mask_for_prompts_and_metrics_alike():
    label_map = np.zeros((20, 20), dtype=np.uint8)
    label_map[2:9, 2:9], label_map[10:18, 10:18] = 1, 2
    for use in (
        lambda: boxes_from_mask(label_map, spacing_mm=(1, 1)),
        lambda: central_point(label_map),
        lambda: error_point(label_map == 1, label_map),
        lambda: dice(label_map == 1, label_map),
    ):
        with pytest.raises(InputError, match="values other than 0 and 1, expected a mask"):
            use()
    assert len(boxes_from_mask((label_map == 1).astype(np.uint8), spacing_mm=(1, 1))) == 1
