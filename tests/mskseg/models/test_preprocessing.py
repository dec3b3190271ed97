"""The way into the model's frame: upstream's exactly, and symmetric."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segment_anything import SamPredictor
from skimage import transform

from mskseg.errors import InputError
from mskseg.models.preprocessing import (
    MedSamPreprocessing,
    Preprocessing,
    SamPreprocessing,
    as_rgb_uint8,
)
from mskseg_networks.preprocessing import Sam2Preprocessing

SHAPES = [(90, 60), (60, 90), (64, 64), (200, 150), (31, 320)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sam_input_is_bit_equal_to_the_predictors(small_sam, scan, shape, monkeypatch):
    predictor, seen = SamPredictor(small_sam), []
    monkeypatch.setattr(
        type(small_sam.image_encoder), "forward", lambda _, x: seen.append(x) or x[:, :1]
    )
    image = as_rgb_uint8(scan(shape))
    predictor.set_image(image)
    ours = SamPreprocessing(128)
    assert torch.equal(ours.image_tensor(image, small_sam), seen[0])
    assert ours.input_size(shape) == predictor.input_size


def medsam_recipe_input(image, size):
    """Re-state the image part of MedSAM_Inference.py (bowang-lab/MedSAM); its 1024 is `size`."""
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    small = transform.resize(
        image, (size, size), order=3, preserve_range=True, anti_aliasing=True
    ).astype(np.uint8)
    small = (small - small.min()) / np.clip(small.max() - small.min(), 1e-8, None)
    return torch.tensor(small).float().permute(2, 0, 1).unsqueeze(0)


@pytest.mark.parametrize("shape", [*SHAPES, (300, 300)])
def test_medsam_input_is_bit_equal_to_its_published_recipe(small_sam, scan, shape):
    image = scan(shape)
    ours = MedSamPreprocessing(128).image_tensor(as_rgb_uint8(image), small_sam)
    assert torch.equal(ours, medsam_recipe_input(image, 128))
    assert ours.min() == 0
    assert ours.max() == 1


def test_medsam_input_of_a_constant_slice_is_zero_not_nan(small_sam):
    image = np.full((20, 20, 3), 7, np.uint8)
    assert MedSamPreprocessing(64).image_tensor(image, small_sam).abs().max() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_sam_prompts_are_what_a_user_of_the_predictor_passes(small_sam, shape):
    """Half-open and continuous here; there pixel indices with inclusive maxima."""
    upstream = SamPredictor(small_sam).transform
    x0, y0, x1, y1 = 3, 5, shape[1] - 4, shape[0] - 2
    ours = SamPreprocessing(128)
    np.testing.assert_array_equal(
        ours.boxes(np.array([[x0, y0, x1, y1]], float), shape),
        upstream.apply_boxes(np.array([[x0, y0, x1 - 1, y1 - 1]]), shape),
    )
    np.testing.assert_array_equal(
        ours.points(np.array([[x0 + 0.5, y0 + 0.5]]), shape),
        upstream.apply_coords(np.array([[x0, y0]]), shape),
    )


def test_medsam_boxes_are_scaled_by_both_sides_from_inclusive_maxima():
    height, width = 60, 90
    box = MedSamPreprocessing(1024).boxes(np.array([[9.0, 6.0, 45.0, 30.0]]), (height, width))
    expected = np.array([9, 6, 44, 29]) / np.array([width, height, width, height]) * 1024
    np.testing.assert_allclose(box[0], expected, rtol=1e-14)


def embedded(preprocessing: Preprocessing, boxes, shape):
    """Where the corners are in the frame once SAM's prompt encoder added its half pixel."""
    return preprocessing.boxes(boxes, shape) + 0.5


def mirrored(boxes, width):
    return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


BOXES = np.array(
    [
        [3.0, 5.0, 11.0, 40.0],
        [0.0, 0.0, 64.0, 64.0],
        [20.25, 7.5, 30.0, 9.75],
        [50.0, 2.0, 50.5, 3.0],
    ]
)


def mirror_error(preprocessing: Preprocessing, shape, boxes=BOXES):
    """Distance in frame pixels between the embedded mirrored box and the mirrored embedded box."""
    frame_width = preprocessing.input_size(shape)[1]
    there = embedded(preprocessing, mirrored(boxes, shape[1]), shape)
    back = mirrored(embedded(preprocessing, boxes, shape), frame_width)
    return np.abs(there - back).max()


def test_a_box_narrower_than_a_pixel_is_its_middle():
    box = np.array([[10.2, 5.0, 10.6, 9.0]])
    np.testing.assert_allclose(
        embedded(SamPreprocessing(64), box, (64, 64)), [[10.4, 5.5, 10.4, 8.5]]
    )


@pytest.mark.parametrize("kind", [SamPreprocessing, MedSamPreprocessing, Sam2Preprocessing])
@pytest.mark.parametrize("frame", ["upstream", "model"])
def test_mirrored_boxes_are_embedded_mirrored_at_scale_one(kind, frame):
    assert mirror_error(kind(64, frame), (64, 64)) < 1e-9


@pytest.mark.parametrize("kind", [SamPreprocessing, MedSamPreprocessing, Sam2Preprocessing])
@pytest.mark.parametrize("shape", [(64, 64), (64, 80), (66, 200)])
def test_mirrored_boxes_are_embedded_mirrored_at_any_scale_in_the_models_frame(kind, shape):
    assert mirror_error(kind(256, "model"), shape) < 1e-9


def test_upstreams_own_convention_is_off_by_less_than_a_pixel_once_a_slice_is_enlarged():
    """Known and kept for comparability: (s - 1) frame pixels at scale s; see the module."""
    for width in (64, 128, 320):
        scale = 1024 / width
        error = mirror_error(SamPreprocessing(1024), (width, width))
        assert error == pytest.approx(scale - 1)
        assert error / scale < 1


@dataclasses.dataclass(frozen=True)
class Mutated(SamPreprocessing):
    """The conversion with one of the half-pixel errors that parity on one side would hide."""

    point_offset: float = 0.5
    last_offset: float = 1.0

    def points(self, point_coords, original_size):
        return self._indices(point_coords, self.point_offset, original_size)

    def boxes(self, boxes_xyxy, original_size):
        corners = boxes_xyxy.reshape(-1, 2, 2)
        first = self._indices(corners[:, 0], 0.0, original_size)
        last = self._indices(corners[:, 1], self.last_offset, original_size)
        return np.concatenate([first, last], axis=1)


@pytest.mark.parametrize("last_offset", [0.0, 0.5, 1.5])
def test_the_mirror_test_notices_a_half_pixel_error_of_boxes(last_offset):
    assert mirror_error(Mutated(64, last_offset=1.0), (64, 64)) < 1e-9
    assert mirror_error(Mutated(64, last_offset=last_offset), (64, 64)) >= 0.5


def point_mirror_error(preprocessing, width=64):
    points = np.array([[3.5, 5.5], [40.0, 1.5]])
    there = preprocessing.points([width, 0] + points * [-1, 1], (width, width))[:, 0] + 0.5
    back = 64 - (preprocessing.points(points, (width, width))[:, 0] + 0.5)
    return np.abs(there - back).max()


@pytest.mark.parametrize("kind", [SamPreprocessing, MedSamPreprocessing])
def test_mirrored_points_are_embedded_mirrored(kind):
    assert point_mirror_error(kind(64)) < 1e-9
    assert point_mirror_error(kind(64, "model"), width=20) < 1e-9


@pytest.mark.parametrize("offset", [0.0, 0.25, 1.0])
def test_the_mirror_test_notices_a_half_pixel_error_of_points(offset):
    assert point_mirror_error(Mutated(64, point_offset=offset)) >= 0.5


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(4, 700),
    width=st.integers(4, 700),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    extent=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)),
    frame=st.sampled_from(["upstream", "model"]),
    kind=st.sampled_from([SamPreprocessing, MedSamPreprocessing]),
)
def test_boxes_stay_ordered_and_in_the_frame(height, width, corner, extent, frame, kind):
    low = np.array(corner) * [width, height] * 0.9
    high = np.minimum(low + np.array(extent) * [width, height], [width, height])
    preprocessing = kind(256, frame)
    box = preprocessing.boxes(np.concatenate([low, high])[None], (height, width))[0]
    assert (box[:2] <= box[2:]).all()
    pixel = max(1, 256 / min(height, width))  # a sliver at the edge may lie half of one outside
    assert (box[:2] >= -pixel / 2).all()
    assert (box[2:] < 256).all()


def test_other_dtypes_are_stretched_to_8_bit_over_the_slice():
    image = np.array([[-100.0, 0.0], [100.0, 300.0]])
    np.testing.assert_array_equal(as_rgb_uint8(image)[..., 0], [[0, 64], [128, 255]])
    np.testing.assert_array_equal(as_rgb_uint8(np.eye(2, dtype=bool))[..., 1], [[255, 0], [0, 255]])
    assert as_rgb_uint8(np.full((2, 3), 4000, np.int16)).max() == 0


def test_8_bit_values_are_taken_as_they_are():
    image = np.array([[10, 20]], np.uint8)
    np.testing.assert_array_equal(as_rgb_uint8(image), np.array([[[10] * 3, [20] * 3]]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\).*one slice at a time"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((0, 4)), "shape"),
        (np.array([[1.0, np.nan, np.inf]]), "2 NaN or infinite"),
        (np.zeros((4, 4), complex), "complex128"),
    ],
)
def test_what_is_no_slice_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        as_rgb_uint8(image)


def test_a_slice_that_vanishes_on_resizing_is_refused():
    with pytest.raises(InputError, match="too narrow"):
        SamPreprocessing(256).input_size((1, 5000))
