"""The batched prompt side computes what `segment_anything` computes one image at a time."""

from __future__ import annotations

import pytest
import torch
from segment_anything.modeling import Sam

from mskseg.finetuning.decoding import decode, embed_masks, embed_prompts
from mskseg_mini.architecture import EMBEDDING_DIM, GRID_SIZE, build_sam_mini
from mskseg_mini.prompting import box_tokens


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

    sparse = embed_prompts(sam.prompt_encoder, *box_tokens(boxes))
    dense = embed_masks(sam.prompt_encoder, None, 3)

    torch.testing.assert_close(sparse, upstream)
    torch.testing.assert_close(dense, upstream_dense)
    image_pe = sam.prompt_encoder.get_dense_pe()
    logits, iou = decode(sam.mask_decoder, embeddings, image_pe, sparse, dense)
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
    sparse = embed_prompts(sam.prompt_encoder, padded, torch.tensor([[1, 0, -1]]))

    torch.testing.assert_close(sparse, upstream)


@torch.no_grad()
def test_a_mask_prompt_is_embedded_as_upstream_does(sam):
    mask = torch.randn(2, 1, 4 * GRID_SIZE, 4 * GRID_SIZE)
    _, upstream = sam.prompt_encoder(points=None, boxes=None, masks=mask)
    torch.testing.assert_close(embed_masks(sam.prompt_encoder, mask, 2), upstream)
