"""The batched prompt side computes what `segment_anything` computes one image at a time."""

from __future__ import annotations

import pytest
import torch
from segment_anything.modeling import Sam

from mskseg.finetuning.prompt_tokens import PromptTokens, decode_prompts, embed_tokens
from mskseg_mini.architecture import EMBEDDING_DIM, GRID_SIZE, build_sam_mini
from mskseg_mini.training.interactive import box_tokens


@pytest.fixture(scope="module")
def sam() -> Sam:
    torch.manual_seed(0)
    return build_sam_mini()


@pytest.fixture
def embeddings() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, EMBEDDING_DIM, GRID_SIZE, GRID_SIZE, generator=generator)


@torch.no_grad()
def test_boxes_give_the_tokens_and_masks_of_the_upstream_encoder_and_decoder(sam, embeddings):
    boxes = torch.tensor([[10.0, 20.0, 60.0, 50.0], [0.0, 0.0, 256.0, 256.0], [3.0, 4.0, 9.0, 9.0]])
    inclusive = boxes - torch.tensor([0.0, 0.0, 1.0, 1.0])  # upstream takes pixel indices
    upstream, upstream_dense = sam.prompt_encoder(points=None, boxes=inclusive, masks=None)

    torch.testing.assert_close(embed_tokens(sam.prompt_encoder, box_tokens(boxes)), upstream)
    image_pe = sam.prompt_encoder.get_dense_pe()
    logits, iou = decode_prompts(sam, embeddings, box_tokens(boxes))
    for i in range(3):
        expected = sam.mask_decoder.predict_masks(
            embeddings[i : i + 1], image_pe, upstream[i : i + 1], upstream_dense[i : i + 1]
        )
        torch.testing.assert_close(logits[i : i + 1], expected[0], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(iou[i : i + 1], expected[1], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_points_of_both_signs_and_padding_are_embedded_as_upstream_does(sam):
    coords = torch.tensor([[[12.0, 30.0], [100.0, 7.0]]])
    labels = torch.tensor([[1, 0]])
    upstream, _ = sam.prompt_encoder(points=(coords, labels), boxes=None, masks=None)

    padded = torch.cat([coords + 0.5, torch.zeros(1, 1, 2)], dim=1)
    tokens = PromptTokens(padded, torch.tensor([[1, 0, -1]]))
    torch.testing.assert_close(embed_tokens(sam.prompt_encoder, tokens), upstream)


@torch.no_grad()
def test_a_mask_prompt_is_decoded_as_upstream_does(sam, embeddings):
    boxes = torch.tensor([[10.0, 20.0, 60.0, 50.0], [3.0, 4.0, 9.0, 9.0]])
    mask = torch.randn(2, 1, 4 * GRID_SIZE, 4 * GRID_SIZE, generator=torch.Generator())
    inclusive = boxes - torch.tensor([0.0, 0.0, 1.0, 1.0])
    sparse, dense = sam.prompt_encoder(points=None, boxes=inclusive, masks=mask)
    logits, iou = decode_prompts(sam, embeddings[:2], box_tokens(boxes), mask_logits=mask)
    image_pe = sam.prompt_encoder.get_dense_pe()
    for i in range(2):
        expected = sam.mask_decoder.predict_masks(
            embeddings[i : i + 1], image_pe, sparse[i : i + 1], dense[i : i + 1]
        )
        torch.testing.assert_close(logits[i : i + 1], expected[0], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(iou[i : i + 1], expected[1], rtol=1e-4, atol=1e-4)
