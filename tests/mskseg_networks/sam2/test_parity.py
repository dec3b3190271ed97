"""SAM 2 is its authors' model, and that of `transformers`: input, prompts, masks, estimates."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from support.small_sam2s import FRAME, SMALL_FOR_AUTHORS, liven

from mskseg.errors import InputError
from mskseg.models.checkpoints import load_segmenter
from mskseg_networks import sam2
from mskseg_networks.preprocessing import MedSam2Preprocessing, Sam2Preprocessing

SHAPE = (100, 90)
INCLUSIVE = np.array([[20.0, 30.0, 59.0, 69.0], [5.0, 10.0, 80.0, 40.0]])
HALF_OPEN = INCLUSIVE + np.array([0, 0, 1, 1])
CENTRES = np.array([[[40.0, 50.0]], [[30.0, 20.0]]])
LABELS = np.array([[1], [0]])
PROMPTS = {
    "boxes": ({"box": INCLUSIVE}, {"boxes_xyxy": HALF_OPEN}),
    "points": (
        {"point_coords": CENTRES, "point_labels": LABELS},
        {"point_coords": CENTRES + 0.5, "point_labels": LABELS},
    ),
    "both": (
        {"box": INCLUSIVE, "point_coords": CENTRES, "point_labels": LABELS},
        {"boxes_xyxy": HALF_OPEN, "point_coords": CENTRES + 0.5, "point_labels": LABELS},
    ),
}


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


# --- against `transformers` ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def image_model(video_model):
    """`transformers`' model for images, with the same weights."""
    from transformers import Sam2Config, Sam2Model

    described = video_model.config
    config = Sam2Config(
        vision_config=described.vision_config,
        prompt_encoder_config=described.prompt_encoder_config.to_dict(),
        mask_decoder_config=described.mask_decoder_config.to_dict(),
    )
    model = Sam2Model(config).eval()
    names = model.state_dict().keys()
    model.load_state_dict({k: v for k, v in video_model.state_dict().items() if k in names})
    return model


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kind", PROMPTS)
def test_masks_are_those_of_transformers(small_sam2, image_model, image, kind, multimask):
    from transformers import Sam2ImageProcessor, Sam2Processor

    processor = Sam2Processor(
        Sam2ImageProcessor(size={"height": FRAME, "width": FRAME}), target_size=FRAME
    )
    theirs, ours = PROMPTS[kind]
    asked = {"input_boxes": [theirs["box"].tolist()]} if "box" in theirs else {}
    if "point_coords" in theirs:
        asked["input_points"] = [theirs["point_coords"].tolist()]
        asked["input_labels"] = [theirs["point_labels"].tolist()]
    inputs = processor(images=image, return_tensors="pt", **asked)
    mine = small_sam2.preprocessing.image_tensor(image, small_sam2.model)
    # They resize in whole numbers of 8 bit, the authors and we do not.
    assert (inputs["pixel_values"] - mine).abs().max() < 1 / 255 / 0.224
    inputs["pixel_values"] = mine
    with torch.inference_mode():
        expected = image_model(
            **{k: v for k, v in inputs.items() if k != "original_sizes"}, multimask_output=multimask
        )
    masks = processor.post_process_masks(expected.pred_masks, [SHAPE], binarize=False)[0]
    found = small_sam2.predict(small_sam2.embed(image), multimask=multimask, **ours)
    np.testing.assert_allclose(found.low_res_logits, expected.pred_masks[0], atol=1e-4)
    np.testing.assert_allclose(found.predicted_iou, expected.iou_scores[0], atol=1e-5)
    np.testing.assert_array_equal(found.masks, masks.numpy() > 0)
    assert np.ptp(found.low_res_logits) > 1
    assert 0 < found.masks.mean() < 1


def test_a_mask_is_refined_as_by_transformers(small_sam2, image_model, image):
    first = small_sam2.predict(small_sam2.embed(image), boxes_xyxy=HALF_OPEN)
    logits = torch.as_tensor(first.low_res_logits)
    found = small_sam2.predict(
        small_sam2.embed(image), boxes_xyxy=HALF_OPEN, mask_logits=first.low_res_logits[:, 0]
    )
    scale = FRAME / np.array([SHAPE[1], SHAPE[0]] * 2)
    pixels = small_sam2.preprocessing.image_tensor(image, small_sam2.model)
    for n in range(2):
        with torch.inference_mode():
            expected = image_model(
                pixel_values=pixels,
                input_boxes=torch.tensor(INCLUSIVE[n] * scale, dtype=torch.float32)[None, None],
                input_masks=logits[n : n + 1].clamp(-32, 32),
                multimask_output=False,
            )
        np.testing.assert_allclose(found.low_res_logits[n], expected.pred_masks[0, 0], atol=1e-4)
    assert not np.allclose(found.low_res_logits, first.low_res_logits, atol=0.1)


# --- against the authors' package ----------------------------------------------------------------


def authors_model(config_file: str, **overrides: object):
    """Build the network by its authors' code, with our lively weights."""
    missing = [name for name in ("sam2", "hydra") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"no {missing[0]} here: make, or pip install --no-deps sam2==1.1.0")
    from sam2.build_sam import build_sam2 as build

    extra = [f"++model.{name}={value}" for name, value in overrides.items()]
    return liven(build(config_file, device="cpu", hydra_overrides_extra=extra))


def check_parity(segmenter, published, image, masks_differ=0.0):
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    predictor = SAM2ImagePredictor(published)
    frame = segmenter.preprocessing.image_size
    predictor._bb_feat_sizes = [(frame // stride,) * 2 for stride in (4, 8, 16)]  # fixed at 1024 px
    predictor.set_image(image)
    mine = segmenter.preprocessing.image_tensor(image, segmenter.model)[0]
    torch.testing.assert_close(mine, predictor._transforms(image), rtol=0, atol=0)
    embedding = segmenter.embed(image)
    for theirs, ours in PROMPTS.values():
        for multimask in (False, True):
            logits, estimates, low_res = predictor.predict(
                **theirs, multimask_output=multimask, return_logits=True
            )
            found = segmenter.predict(embedding, multimask=multimask, **ours)
            low_res = low_res.reshape(found.low_res_logits.shape)
            np.testing.assert_allclose(found.low_res_logits.clip(-32, 32), low_res, atol=1e-3)
            np.testing.assert_allclose(found.predicted_iou.ravel(), np.ravel(estimates), atol=1e-5)
            apart = found.masks != (logits.reshape(found.masks.shape) > 0)
            assert apart.mean() <= masks_differ
            assert np.ptp(low_res) > 1


def test_masks_are_the_authors(small_sam2_known, image, tmp_path):
    published = authors_model("configs/sam2.1/sam2.1_hiera_t.yaml", **SMALL_FOR_AUTHORS)
    torch.save({"model": published.state_dict()}, tmp_path / "small.pt")
    segmenter = load_segmenter(
        tmp_path / "small.pt", architecture="sam2_test", preprocessing="sam2"
    )
    check_parity(segmenter, published, image)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "config_file"),
    [
        ("sam2_tiny", "sam2.1_hiera_t.yaml"),
        ("sam2_small", "sam2.1_hiera_s.yaml"),
        ("sam2_base_plus", "sam2.1_hiera_b+.yaml"),
        ("sam2_large", "sam2.1_hiera_l.yaml"),
        ("medsam2", "sam2.1_hiera_t.yaml"),
    ],
)
def test_masks_of_each_published_size_are_the_authors(architecture, config_file, image, tmp_path):
    frame = {"image_size": 512} if architecture == "medsam2" else {}
    published = authors_model(f"configs/sam2.1/{config_file}", **frame)
    torch.save({"model": published.state_dict()}, tmp_path / "random.pt")
    segmenter = load_segmenter(
        tmp_path / "random.pt", architecture=architecture, preprocessing="sam2"
    )
    check_parity(segmenter, published, image, masks_differ=1e-5)


# --- preprocessing -------------------------------------------------------------------------------


def test_medsam2_squashes_8_bit_by_pillow(small_sam2, image):
    grey = image[:, :, 0]
    three = np.repeat(grey[:, :, None], 3, axis=2)
    found = MedSam2Preprocessing(512).image_tensor(three, small_sam2.model)[0]
    resized = Image.fromarray(grey).convert("RGB").resize((512, 512))  # their script, in float64
    expected = np.array(resized).transpose(2, 0, 1) / 255.0
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (expected - mean[:, None, None]) / deviation[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("kind", [Sam2Preprocessing, MedSam2Preprocessing])
def test_a_mask_of_the_frame_comes_back_to_its_slice(small_sam2, kind):
    logits = torch.full((1, 1, 32, 32), -4.0)
    logits[..., 8:16, 4:24] = 4.0
    mask, probability = kind(FRAME).upsample(logits, (64, 96), small_sam2.model)
    rows, columns = (np.flatnonzero(mask[0, 0].any(axis).numpy()) for axis in (1, 0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 31, 12, 71)
    assert mask.equal(probability > 0.5)


def test_without_transformers_one_line_says_what_to_install(monkeypatch, sam2_file):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "mskseg_networks.sam2.network")
    monkeypatch.delattr(sam2, "network")
    with pytest.raises(InputError, match=r"which cannot be imported .*mskseg\[sam2\]"):
        load_segmenter(sam2_file, architecture="sam2_tiny", preprocessing="sam2")
