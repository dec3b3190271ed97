"""The decoder with fewer operations answers as upstream's, for inference and for training."""

from __future__ import annotations

import copy

import pytest
import torch
from support.small_sams import build_small_sam

from mskseg.models.decoding import ALL_MASKS, ONE_MASK, THREE_MASKS, decode, is_known

N_IMAGE, N_PROMPTS, N_TOKENS = 1, 3, 4


@pytest.fixture
def parts():
    """A decoder and what it takes: one image, its positions, tokens and mask prompts of three."""
    sam = build_small_sam(seed=3)
    torch.manual_seed(5)
    grid, channels = sam.prompt_encoder.image_embedding_size, sam.prompt_encoder.embed_dim
    features = torch.randn(N_IMAGE, channels, *grid)
    sparse = torch.randn(N_PROMPTS, N_TOKENS, channels)
    masks = torch.randn(N_PROMPTS, channels, *grid)
    return sam.mask_decoder, features, sam.prompt_encoder.get_dense_pe(), sparse, masks


def upstream(decoder, features, image_pe, sparse, dense):
    return decoder.predict_masks(
        image_embeddings=features,
        image_pe=image_pe,
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )


@pytest.mark.parametrize("masks", [ONE_MASK, THREE_MASKS, ALL_MASKS])
@pytest.mark.parametrize("mask_prompts", [False, True])
def test_logits_are_those_of_upstream(parts, masks, mask_prompts):
    decoder, features, image_pe, sparse, dense = parts
    if not mask_prompts:  # as the prompt encoder gives it: one vector, expanded
        dense = torch.randn(1, features.shape[1], 1, 1).expand_as(dense)
    expected, expected_iou = upstream(decoder, features, image_pe, sparse, dense)
    logits, predicted_iou = decode(decoder, features, image_pe, sparse, dense, masks=masks)
    assert expected.std() > 0.01, "logits that hardly vary would agree by chance"
    torch.testing.assert_close(logits, expected[:, masks], atol=1e-4, rtol=0)
    torch.testing.assert_close(predicted_iou, expected_iou[:, masks], atol=1e-5, rtol=0)


def test_each_prompt_may_have_an_image_of_its_own(parts):
    decoder, _, image_pe, sparse, dense = parts
    images = torch.randn(N_PROMPTS, *dense.shape[1:])
    together, _ = decode(decoder, images, image_pe, sparse, dense, masks=ALL_MASKS)
    for i in range(N_PROMPTS):
        one = slice(i, i + 1)
        alone, _ = upstream(decoder, images[one], image_pe, sparse[one], dense[one])
        torch.testing.assert_close(together[one], alone, atol=1e-4, rtol=0)


def test_gradients_are_those_of_upstream(parts):
    decoder, features, image_pe, sparse, dense = parts
    ours, theirs = copy.deepcopy(decoder).double(), copy.deepcopy(decoder).double()
    features, image_pe, sparse, dense = (
        each.double() for each in (features, image_pe, sparse, dense)
    )
    decode(ours, features, image_pe, sparse, dense, masks=ALL_MASKS)[0].square().sum().backward()
    upstream(theirs, features, image_pe, sparse, dense)[0].square().sum().backward()
    named = dict(ours.named_parameters())
    assert sum(parameter.grad is not None for parameter in named.values()) > 50
    for name, parameter in theirs.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(named[name].grad, parameter.grad, atol=1e-9, rtol=1e-9)


class WithAddition(torch.nn.Linear):
    def forward(self, x):
        return super().forward(x) + 0.5


def test_a_decoder_with_other_layers_is_called_as_it_is(parts):
    decoder, features, image_pe, sparse, dense = parts
    assert is_known(decoder)
    attention = decoder.transformer.layers[0].cross_attn_token_to_image
    attention.v_proj.__class__ = WithAddition
    assert not is_known(decoder)
    expected, _ = upstream(decoder, features, image_pe, sparse, dense)
    for masks in (ONE_MASK, THREE_MASKS):
        logits, _ = decode(decoder, features, image_pe, sparse, dense, masks=masks)
        assert torch.equal(logits, expected[:, masks])
