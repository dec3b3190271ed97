"""Embedding and prompting: upstream's numbers, our shapes, and errors that teach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from skimage import transform
from torch import nn
from torch.nn import functional

from mskseg.errors import InputError
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.preprocessing import MedSamPreprocessing, SamPreprocessing, as_rgb_uint8
from mskseg.models.segmenter import Segmenter, available_device
from mskseg.prompts import Prompt

SHAPES = [(90, 60), (60, 90), (200, 150)]
BOX = np.array([10.0, 12.0, 41.0, 50.0])
INCLUSIVE_BOX = np.array([10, 12, 40, 49])  # the same pixels, as upstream's users name them
POINTS = np.array([[20.5, 30.5], [5.5, 8.5]])  # continuous: the centres of ...
PIXELS = np.array([[20, 30], [5, 8]])  # ... these pixels
LABELS = np.array([1, 0])


def upstream_answer(sam, image, **prompt):
    predictor = SamPredictor(sam)
    predictor.set_image(as_rgb_uint8(image))
    logits, predicted_iou, low_res = predictor.predict(**prompt, return_logits=True)
    return logits, predicted_iou, low_res


PROMPTS = {
    "box": ({"boxes_xyxy": BOX}, {"box": INCLUSIVE_BOX}),
    "points": (
        {"point_coords": POINTS, "point_labels": LABELS},
        {"point_coords": PIXELS, "point_labels": LABELS},
    ),
    "box and points": (
        {"boxes_xyxy": BOX[None], "point_coords": POINTS[None], "point_labels": LABELS[None]},
        {"box": INCLUSIVE_BOX, "point_coords": PIXELS, "point_labels": LABELS},
    ),
}


def assert_parity(sam, segmenter, image, ours, theirs, *, multimask):
    prediction = segmenter.predict(segmenter.embed(image), **ours, multimask=multimask)
    logits, predicted_iou, low_res = upstream_answer(
        sam, image, **theirs, multimask_output=multimask
    )
    assert np.ptp(low_res) > 0.1, "constant logits prove nothing"
    np.testing.assert_allclose(prediction.low_res_logits[0], low_res, atol=1e-4)
    np.testing.assert_allclose(prediction.predicted_iou[0], predicted_iou, atol=1e-4)
    expected = torch.sigmoid(torch.as_tensor(logits)).numpy()
    np.testing.assert_allclose(prediction.probabilities[0], expected, atol=1e-4)
    clear = np.abs(logits) > 1e-4
    np.testing.assert_array_equal(prediction.masks[0][clear], (logits > 0)[clear])


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kind", PROMPTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_are_the_predictors(small_sam, segmenter, scan, shape, kind, multimask):
    ours, theirs = PROMPTS[kind]
    assert_parity(small_sam, segmenter, scan(shape), ours, theirs, multimask=multimask)


def test_a_mask_fed_back_gives_what_the_predictor_gives(small_sam, segmenter, scan):
    image = scan((90, 60))
    embedding = segmenter.embed(image)
    first = segmenter.predict(embedding, boxes_xyxy=BOX)
    second = segmenter.predict(embedding, boxes_xyxy=BOX, mask_logits=first.low_res_logits[:, 0])
    _, _, low_res = upstream_answer(small_sam, image, box=INCLUSIVE_BOX, multimask_output=False)
    _, _, again = upstream_answer(
        small_sam, image, box=INCLUSIVE_BOX, mask_input=low_res, multimask_output=False
    )
    np.testing.assert_allclose(second.low_res_logits[0], again, atol=1e-4)
    assert np.abs(again - low_res).max() > 1e-3, "the mask must matter"


def medsam_recipe(sam, image, box, size):
    """Re-state MedSAM_Inference.py (bowang-lab/MedSAM) for an inclusive box; its 1024 is `size`."""
    height, width = image.shape
    colour = np.repeat(image[:, :, None], 3, axis=-1)
    small = transform.resize(
        colour, (size, size), order=3, preserve_range=True, anti_aliasing=True
    ).astype(np.uint8)
    small = (small - small.min()) / np.clip(small.max() - small.min(), 1e-8, None)
    with torch.no_grad():
        features = sam.image_encoder(torch.tensor(small).float().permute(2, 0, 1)[None])
        scaled = np.array([box]) / np.array([width, height, width, height]) * size
        corners = torch.as_tensor(scaled, dtype=torch.float)[:, None, :]
        sparse, dense = sam.prompt_encoder(points=None, boxes=corners, masks=None)
        logits, _ = sam.mask_decoder(
            image_embeddings=features,
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        probability = functional.interpolate(
            torch.sigmoid(logits), size=(height, width), mode="bilinear", align_corners=False
        )
    return logits.numpy(), probability.squeeze().numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_medsam_predictions_are_its_published_recipes(small_sam, medsam, scan, shape):
    image = scan(shape)
    prediction = medsam.predict(medsam.embed(image), boxes_xyxy=BOX)
    logits, probability = medsam_recipe(small_sam, image, INCLUSIVE_BOX, 128)
    np.testing.assert_allclose(prediction.low_res_logits, logits, atol=1e-4)
    np.testing.assert_allclose(prediction.probabilities[0, 0], probability, atol=1e-4)
    clear = np.abs(probability - 0.5) > 1e-4
    np.testing.assert_array_equal(prediction.masks[0, 0][clear], (probability > 0.5)[clear])
    assert np.isnan(prediction.predicted_iou).all()


def test_sams_and_medsams_way_differ(segmenter, medsam, scan):
    """Mixing them must show, or the parity tests could not tell them apart."""
    image = scan((90, 60))
    a, b = (s.predict(s.embed(image), boxes_xyxy=BOX).probabilities for s in (segmenter, medsam))
    assert np.abs(a - b).max() > 0.01


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 64])
def test_the_chunk_size_changes_nothing_but_the_time(segmenter, scan, chunk_size):
    embedding = segmenter.embed(scan((60, 90)))
    boxes = BOX + np.arange(5)[:, None]
    segmenter.chunk_size = 3
    expected = segmenter.predict(embedding, boxes_xyxy=boxes, multimask=True)
    segmenter.chunk_size = chunk_size
    chunked = segmenter.predict(embedding, boxes_xyxy=boxes, multimask=True)
    np.testing.assert_allclose(chunked.low_res_logits, expected.low_res_logits, atol=1e-5)
    np.testing.assert_allclose(chunked.predicted_iou, expected.predicted_iou, atol=1e-5)


def test_shapes_and_dtypes_are_as_documented(segmenter, scan):
    embedding = segmenter.embed(scan((60, 90)))
    prediction = segmenter.predict(
        embedding,
        point_coords=np.tile(POINTS, (4, 1, 1)),
        point_labels=[[1, 0]] * 4,
        multimask=True,
    )
    assert embedding.features.shape == (1, 32, 8, 8)
    assert prediction.masks.shape == prediction.probabilities.shape == (4, 3, 60, 90)
    assert prediction.predicted_iou.shape == (4, 3)
    assert prediction.low_res_logits.shape == (4, 3, 32, 32)
    assert prediction.masks.dtype == bool
    kinds = {prediction.probabilities.dtype, prediction.predicted_iou.dtype}
    assert kinds == {np.dtype("float32")}
    assert 0 <= prediction.probabilities.min() <= prediction.probabilities.max() <= 1


def test_no_box_gives_no_mask(segmenter, scan):
    prediction = segmenter.predict(segmenter.embed(scan((60, 90))), boxes_xyxy=np.zeros((0, 4)))
    assert prediction.masks.shape == (0, 1, 60, 90)


def test_a_slice_is_encoded_once_whatever_the_number_of_prompts(make_small_sam, scan, monkeypatch):
    sam, calls = make_small_sam(), []
    embed = sam.image_encoder.patch_embed
    monkeypatch.setattr(
        embed, "forward", lambda x: calls.append(1) or type(embed).forward(embed, x)
    )
    segmenter, image = Segmenter(sam, SamPreprocessing(128), name="small"), scan((60, 90))
    for shift in range(3):
        segmenter.predict(segmenter.embed(image), boxes_xyxy=BOX + np.arange(4)[:, None] + shift)
    assert len(calls) == 1
    segmenter.embed(scan((60, 90), seed=1))
    assert len(calls) == 2


def test_nothing_is_trained_or_recorded(segmenter, scan):
    assert not segmenter.model.training
    assert not segmenter.embed(scan((60, 90))).features.requires_grad


def test_fingerprint_follows_weights_preprocessing_and_precision(make_small_sam):
    def fingerprint(sam=None, preprocessing=None, **options):
        return Segmenter(
            sam or make_small_sam(), preprocessing or SamPreprocessing(128), name="x", **options
        ).fingerprint

    same = fingerprint()
    assert same == fingerprint()
    others = {
        fingerprint(make_small_sam(seed=1)),
        fingerprint(preprocessing=MedSamPreprocessing(128)),
        fingerprint(preprocessing=SamPreprocessing(128, "model")),
        fingerprint(precision="bfloat16"),
    }
    assert len(others | {same}) == 5


def test_embeddings_of_earlier_encoder_weights_are_refused(make_small_sam, scan):
    segmenter = Segmenter(make_small_sam(), SamPreprocessing(128), name="small")
    embedding = segmenter.embed(scan((60, 90)))
    with torch.no_grad():
        next(segmenter.model.image_encoder.parameters()).add_(1)
    with pytest.raises(InputError, match="another encoder than that of small as it is now"):
        segmenter.predict(embedding, boxes_xyxy=BOX)


def test_models_that_share_their_encoder_share_embeddings(make_small_sam, scan):
    sam, tuned, cache = make_small_sam(), make_small_sam(), EmbeddingCache()
    with torch.no_grad():
        tuned.mask_decoder.iou_token.weight.add_(1)
    first = Segmenter(sam, SamPreprocessing(128), name="first", cache=cache)
    second = Segmenter(tuned, SamPreprocessing(128), name="second", cache=cache)
    assert first.fingerprint != second.fingerprint
    assert second.embed(scan((60, 90))) is not None
    prediction = second.predict(first.embed(scan((60, 90))), boxes_xyxy=BOX)
    assert (cache.n_misses, cache.n_hits) == (1, 1)
    assert prediction.masks.shape == (1, 1, 60, 90)


def test_bfloat16_encodes_nearly_the_same(small_sam, segmenter, scan):
    half = Segmenter(small_sam, SamPreprocessing(128), name="half", precision="bfloat16")
    image = scan((60, 90))
    exact, rounded = segmenter.embed(image).features, half.embed(image).features
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.2


class _BoxDecoder(nn.Module):
    """Answers with the box it was given: logits are positive between its corners."""

    def forward(self, *, image_embeddings, image_pe, sparse_prompt_embeddings, **_):
        corners = sparse_prompt_embeddings[..., :2]
        size = 4 * image_pe.shape[-1]
        centre = (torch.arange(size) + 0.5) * (image_embeddings.shape[-1] / size)
        inside = [
            torch.minimum(centre - corners[:, 0, axis, None], corners[:, 1, axis, None] - centre)
            for axis in (0, 1)
        ]
        logits = torch.minimum(inside[1][:, :, None], inside[0][:, None, :])
        return logits[:, None], torch.zeros(len(corners), 1)


class _Corners(nn.Module):
    """SAM's prompt encoder without the embedding: corners plus half a pixel, in grid cells."""

    mask_input_size = (256, 256)

    def forward(self, *, points, boxes, masks):
        assert points is None
        assert masks is None
        return (boxes.reshape(-1, 2, 2) + 0.5) / 4, None

    def get_dense_pe(self):
        return torch.zeros(1, 1, 64, 64)


class _Grid(nn.Module):
    img_size = 256

    def forward(self, x):
        return x[:, :1, ::4, ::4]


def box_reporter(preprocessing):
    sam = Sam(_Grid(), _Corners(), _BoxDecoder())
    return Segmenter(sam, preprocessing, name="box reporter")


@pytest.mark.parametrize("kind", [SamPreprocessing, MedSamPreprocessing])
@pytest.mark.parametrize("axis", [0, 1])
def test_flipping_slice_and_box_flips_the_mask(scan, kind, axis):
    segmenter, image = box_reporter(kind(256, "model")), scan((80, 80))
    box = np.array([[7.0, 30.0, 33.0, 47.0]])
    flipped = box.copy()
    flipped[:, [axis, axis + 2]] = 80 - box[:, [axis + 2, axis]]
    there = segmenter.predict(segmenter.embed(np.flip(image, 1 - axis)), boxes_xyxy=flipped)
    back = segmenter.predict(segmenter.embed(image), boxes_xyxy=box)
    np.testing.assert_allclose(
        np.flip(there.probabilities, 3 - axis), back.probabilities, atol=1e-5
    )
    assert back.masks.any()


class _Shifted(SamPreprocessing):
    """Half a pixel wrong, as if SAM's own half pixel had been forgotten."""

    def boxes(self, boxes_xyxy, original_size):
        return super().boxes(boxes_xyxy, original_size) - 0.5


def test_the_flip_test_notices_half_a_pixel(scan):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_flipping_slice_and_box_flips_the_mask(scan, _Shifted, 0)


@pytest.mark.parametrize("kind", [SamPreprocessing, MedSamPreprocessing])
def test_a_box_covers_its_own_pixels(scan, kind):
    """End to end: the reporter's mask is the box, on the slice's own grid."""
    segmenter = box_reporter(kind(256, "model"))
    embedding = segmenter.embed(scan((64, 64)))
    mask = segmenter.predict(embedding, boxes_xyxy=[8.0, 16.0, 40.0, 32.0]).masks[0, 0]
    expected = np.zeros((64, 64), bool)
    expected[16:32, 8:40] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "expected a prompt, got none"),
        ({"boxes_xyxy": [50, 10, 40, 20]}, "inverted"),
        ({"boxes_xyxy": [50, 10, 95, 20]}, "outside the slice"),
        ({"boxes_xyxy": [1, 2, 3]}, r"\(N, 4\)"),
        ({"boxes_xyxy": [1, 2, np.nan, 4]}, "NaN"),
        ({"boxes_xyxy": "box"}, "expected boxes as numbers"),
        ({"point_coords": [[1, 2]]}, "got one of them"),
        ({"point_labels": [1]}, "got one of them"),
        ({"point_coords": [[1, 2]], "point_labels": [1, 0]}, "labels of shape"),
        ({"point_coords": [[1, 2]], "point_labels": [2]}, "got others"),
        ({"point_coords": [[1, 70]], "point_labels": [1]}, "outside the slice"),
        ({"point_coords": np.zeros((1, 0, 2)), "point_labels": np.zeros((1, 0))}, "one point"),
        ({"mask_logits": np.zeros((1, 5, 5))}, r"shape \(N, 32, 32\)"),
        ({"mask_logits": np.full((1, 32, 32), np.inf)}, "infinite"),
        ({"boxes_xyxy": [BOX] * 2, "mask_logits": np.zeros((3, 32, 32))}, "boxes for 2, mask"),
    ],
)
def test_bad_prompts_are_refused_in_one_line(segmenter, scan, prompt, message):
    with pytest.raises(InputError, match=message) as caught:
        segmenter.predict(segmenter.embed(scan((60, 90))), **prompt)
    assert "\n" not in str(caught.value)


def test_a_prompt_in_one_is_answered_as_its_parts_by_name_and_never_beside_them(segmenter, scan):
    embedding = segmenter.embed(scan((60, 90)))
    points = {"point_coords": np.array([[[20.0, 30.0]]]), "point_labels": np.array([[1]])}
    whole = segmenter.predict(embedding, Prompt(boxes_xyxy=np.array([BOX]), **points))
    by_name = segmenter.predict(embedding, boxes_xyxy=BOX, **points)
    np.testing.assert_array_equal(whole.low_res_logits, by_name.low_res_logits)
    with pytest.raises(InputError, match="pass one of the two"):
        segmenter.predict(embedding, Prompt(boxes_xyxy=np.array([BOX])), boxes_xyxy=BOX)


@pytest.mark.parametrize("device", ["nonsense", "meta0", "cuda:99"])
def test_a_missing_device_is_refused(device):
    with pytest.raises(InputError, match="not available here"):
        available_device(device)


def test_unknown_precision_and_wrong_size_are_refused(small_sam):
    with pytest.raises(InputError, match="choose float32 or bfloat16"):
        Segmenter(small_sam, SamPreprocessing(128), name="x", precision="float16")
    with pytest.raises(InputError, match="expected preprocessing for the model's 128 px, got 256"):
        Segmenter(small_sam, SamPreprocessing(256), name="x")


@pytest.mark.slow
def test_vit_b_at_full_size_is_the_predictors(scan):
    torch.manual_seed(0)
    sam = sam_model_registry["vit_b"]()
    segmenter = Segmenter(sam, SamPreprocessing(1024), name="vit_b")
    ours, theirs = PROMPTS["box"]
    assert_parity(sam, segmenter, scan((200, 150)), ours, theirs, multimask=True)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "encoder_parameters", "width"),
    [("vit_b", 89_670_912, 768), ("vit_l", 308_278_272, 1024), ("vit_h", 637_026_048, 1280)],
)
def test_the_published_architectures_have_their_size(name, encoder_parameters, width):
    with torch.device("meta"):
        sam = sam_model_registry[name]()
        features = sam.image_encoder(torch.zeros(1, 3, 1024, 1024))
    assert count(sam.image_encoder) == encoder_parameters
    assert count(sam.mask_decoder) == 4_058_340
    assert count(sam.prompt_encoder) == 6_220
    assert sam.image_encoder.pos_embed.shape == (1, 64, 64, width)
    assert features.shape == (1, 256, 64, 64)


def test_a_bare_image_is_refused_where_an_embedding_is_expected(segmenter, scan):
    with pytest.raises(InputError, match=r"got ndarray; pass what segmenter.embed\(image\)"):
        segmenter.predict(scan((60, 90)), boxes_xyxy=BOX)


@pytest.mark.parametrize(
    "make",
    [
        lambda b: torch.tensor(b, requires_grad=True),
        lambda b: torch.tensor(b, dtype=torch.bfloat16),
        lambda b: torch.tensor(b, dtype=torch.float16, requires_grad=True),
        lambda b: torch.tensor(b).long(),
        lambda b: [torch.tensor(x) for x in b],
    ],
)
def test_tensors_are_prompts_like_arrays(segmenter, scan, make):
    embedding, box = segmenter.embed(scan((40, 50))), [3.0, 4.0, 20.0, 30.0]
    expected = segmenter.predict(
        embedding, boxes_xyxy=box, point_coords=[[box[:2]]], point_labels=[[1]]
    )
    points = make(box[:2])
    got = segmenter.predict(
        embedding,
        boxes_xyxy=make(box),
        point_coords=points[None, None] if isinstance(points, torch.Tensor) else [[points]],
        point_labels=torch.tensor([[1.0]], requires_grad=True),
    )
    assert np.array_equal(got.low_res_logits, expected.low_res_logits)


@pytest.mark.parametrize(
    "boxes",
    [
        torch.tensor([1.0, 2, 3, 4]).to_sparse(),
        torch.tensor([1.0, 2, 3, 4], device="meta"),
        torch.tensor([1 + 2j, 2, 3, 4]),
        np.array([1 + 2j, 2, 3, 4]),
        ["1", "2", "3", "4"],
        [None, 1, 2, 3],
        [10**400, 1, 2, 3],
        [[1, 2], [3]],
    ],
)
def test_what_holds_no_numbers_is_no_box(segmenter, scan, boxes):
    embedding = segmenter.embed(scan((40, 50)))
    with pytest.raises(InputError, match="expected boxes as numbers in rows") as caught:
        segmenter.predict(embedding, boxes_xyxy=boxes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_logits_that_are_not_finite_are_no_mask(make_small_sam, scan, value):
    sam = make_small_sam()
    with torch.no_grad():
        sam.mask_decoder.output_hypernetworks_mlps[0].layers[-1].bias.fill_(value)
    segmenter = Segmenter(sam, SamPreprocessing(128), name="broken")
    with pytest.raises(InputError, match="broken answered with NaN or infinite logits"):
        segmenter.predict(segmenter.embed(scan((40, 50))), boxes_xyxy=[3, 4, 20, 30])


@pytest.mark.parametrize(
    "device", ["", "meta", "cuda:99", "cpu:x", "tpu", "\ud800", "cuda:" + "9" * 30, "vulkan"]
)
def test_odd_devices_are_refused_in_one_line(device):
    with pytest.raises(InputError, match="is not available here") as caught:
        available_device(device)
    assert "\n" not in str(caught.value)
