"""A SAM of the upstream classes, small enough to build in a moment."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from mskseg.models.preprocessing import MedSamPreprocessing, SamPreprocessing
from mskseg.models.segmenter import Segmenter


def build_small_sam(seed: int = 0, image_size: int = 128) -> Sam:
    """Give SAM's own classes with 16 x 16 patches, two blocks and 32 channels, seeded."""
    torch.manual_seed(seed)
    grid, width = image_size // 16, 32
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=image_size,
            depth=2,
            embed_dim=32,
            num_heads=2,
            out_chans=width,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=3,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=width,
            image_embedding_size=(grid, grid),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=width, mlp_dim=64, num_heads=2),
            transformer_dim=width,
            iou_head_depth=2,
            iou_head_hidden_dim=32,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    ).eval()
    # Fresh weights give nearly constant logits, for which every parity holds: make them vary.
    with torch.no_grad():
        for name, parameter in sam.named_parameters():
            if name.startswith("mask_decoder") and parameter.ndim > 1:
                parameter.mul_(2.0)
    return sam


@pytest.fixture(scope="session")
def small_sam() -> Sam:
    return build_small_sam()


@pytest.fixture(scope="session")
def make_small_sam():
    return build_small_sam


@pytest.fixture
def segmenter(small_sam):
    return Segmenter(small_sam, SamPreprocessing(128), name="small")


@pytest.fixture
def medsam(small_sam):
    return Segmenter(small_sam, MedSamPreprocessing(128), name="small medsam", learned_iou=False)


@pytest.fixture(scope="session")
def scan():
    """Give a function that draws a blob on a ramp with noise, (H, W) uint8."""

    def draw(shape, seed=0):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[: shape[0], : shape[1]]
        blob = 120 * np.exp(-((x - shape[1] / 3) ** 2 + (y - shape[0] / 2) ** 2) / 200)
        noisy = blob + x * 80 / shape[1] + rng.normal(0, 8, shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)

    return draw
