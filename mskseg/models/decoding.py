"""SAM's mask decoder with the same weights and fewer operations, for inference and training.

Upstream projects each of the h x w image tokens to queries, keys and values, for each prompt again.
Few tokens of the prompt meet many of the image, so it costs less to carry the projections over to
the prompt's side: ``q . (W x) = (W^T q) . x``. The result is the same up to rounding; logits are
within 1e-4 of upstream's, which a test holds.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mskseg.models.upstream import AS_PUBLISHED, is_upstream

ONE_MASK, THREE_MASKS, ALL_MASKS = slice(0, 1), slice(1, None), slice(None)
"""Which of the decoder's masks: the one for clear prompts, the three for others, or all four."""


def decode(
    decoder: Any,
    features: Tensor,
    image_pe: Tensor,
    sparse: Tensor,
    dense: Tensor,
    *,
    masks: slice = ONE_MASK,
) -> tuple[Tensor, Tensor]:
    """Decode N prompts, as SAM's decoder does.

    Parameters
    ----------
    decoder : nn.Module
        SAM's `MaskDecoder`; one of another form is called as it is, for one mask or three.
    features : (1 or N, C, h, w) Tensor
        Embedding of the image, or of one image for each prompt.
    image_pe : (1, C, h, w) Tensor
        The encoding of the positions in the image.
    sparse : (N, T, C) Tensor
        Tokens of the points and boxes.
    dense : (1 or N, C, h, w) Tensor
        What mask prompts add to the image; expanded from one where there are none.
    masks : slice
        Which M of the four.

    Returns
    -------
    low_res_logits : (N, M, 4 h, 4 w) Tensor
    predicted_iou : (N, M) Tensor
    """
    if not is_known(decoder):
        logits, predicted_iou = decoder(
            image_embeddings=features,
            image_pe=image_pe,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=masks == THREE_MASKS,
        )
        return logits, predicted_iou
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(len(sparse), -1, -1), sparse], dim=1)
    # Without a mask prompt the image is the same for all prompts, and is kept once until they part.
    image = (features + (dense if dense.stride(0) else dense[:1])).flatten(2).transpose(1, 2)
    placed = image_pe.flatten(2).transpose(1, 2)
    queries, image = _two_way(decoder.transformer, tokens, image.contiguous(), placed)
    to_vector = list(decoder.output_hypernetworks_mlps)[masks]
    of_masks = queries[:, 1 : 1 + decoder.num_mask_tokens][:, masks].unbind(1)
    vectors = torch.stack([mlp(one) for mlp, one in zip(to_vector, of_masks, strict=True)], 2)
    logits = _upscaled(decoder.output_upscaling, image, features.shape[-2:], vectors)
    return logits, decoder.iou_prediction_head(queries[:, 0])[:, masks]


def is_known(decoder: Any) -> bool:
    """Whether a decoder is SAM's own, or LiteMedSAM's copy of it, with no layer put in between."""
    projections = [
        linear
        for part in decoder.modules()
        if is_upstream(part, "Attention", "transformer")
        for linear in part.children()
    ]
    return (
        not AS_PUBLISHED
        and is_upstream(decoder, "MaskDecoder", "mask_decoder")
        and is_upstream(decoder.transformer, "TwoWayTransformer", "transformer")
        and all(type(linear) is nn.Linear for linear in projections)
    )


def _two_way(
    transformer: Any, tokens: Tensor, image: Tensor, image_pe: Tensor
) -> tuple[Tensor, Tensor]:
    """Let the tokens (N, T, C) and the image (1 or N, P, C) attend to each other."""
    queries, placed = tokens, image + image_pe
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = layer.self_attn(q=queries, k=queries, v=queries)
        else:
            asked = queries + tokens
            queries = queries + layer.self_attn(q=asked, k=asked, v=queries)
        queries = layer.norm1(queries)
        cross = layer.cross_attn_token_to_image
        queries = layer.norm2(queries + _to_image(cross, queries + tokens, placed, image))
        queries = layer.norm3(queries + layer.mlp(queries))
        cross = layer.cross_attn_image_to_token
        image = layer.norm4(_to_tokens(cross, queries + tokens, queries, placed, image))
        placed = image + image_pe
    cross = transformer.final_attn_token_to_image
    queries = queries + _to_image(cross, queries + tokens, placed, image)
    return transformer.norm_final_attn(queries), image


def _to_image(attention: Any, asked: Tensor, placed: Tensor, image: Tensor) -> Tensor:
    """Attend from tokens (N, T, C) to the image: keys of `placed`, values of `image`."""
    query, n_heads = attention.q_proj(asked), attention.num_heads
    weights = _scores(query, attention.k_proj, placed, n_heads=n_heads).softmax(-1)
    seen = (weights.flatten(1, 2) @ image).view(*weights.shape[:3], -1)
    value = torch.einsum("nhtc,hdc->nthd", seen, _by_head(attention.v_proj, n_heads))
    attended: Tensor = attention.out_proj(value.flatten(2) + attention.v_proj.bias)
    return attended


def _to_tokens(
    attention: Any, asked: Tensor, queries: Tensor, placed: Tensor, image: Tensor
) -> Tensor:
    """Add to the image (1 or N, P, C) what it attends to in the tokens (N, T, C)."""
    key, n_heads = attention.k_proj(asked), attention.num_heads
    weights = _scores(key, attention.q_proj, placed, n_heads=n_heads).softmax(2).flatten(1, 2)
    value = _split(attention.v_proj(queries), n_heads)
    out = _split(attention.out_proj.weight, n_heads)
    # The weights of a head sum to one, so that the bias comes in once.
    added = torch.einsum("nthd,chd->nhtc", value, out) + attention.out_proj.bias / n_heads
    return torch.baddbmm(image, weights.transpose(1, 2), added.flatten(1, 2))


def _scores(of_tokens: Tensor, projection: Any, placed: Tensor, *, n_heads: int) -> Tensor:
    """Products of projected tokens with the image's projections, scaled: (N, heads, T, P)."""
    heads = _split(of_tokens, n_heads)
    heads = heads / math.sqrt(heads.shape[-1])
    over_image = torch.einsum("nthd,hdc->nhtc", heads, _by_head(projection, n_heads))
    offset = torch.einsum("nthd,hd->nht", heads, _split(projection.bias, n_heads))
    scores = over_image.flatten(1, 2) @ placed.transpose(1, 2)
    return scores.view(*over_image.shape[:3], -1) + offset[..., None]


def _by_head(projection: Any, n_heads: int) -> Tensor:
    return _split(projection.weight.T, n_heads).permute(1, 2, 0)


def _split(values: Tensor, n_heads: int) -> Tensor:
    """Split the last axis by heads: (..., C) to (..., heads, C / heads)."""
    return values.reshape(*values.shape[:-1], n_heads, -1)


def _upscaled(upscaling: Any, image: Tensor, grid: Sequence[int], vectors: Tensor) -> Tensor:
    """Enlarge image tokens (N, P, C) four times, multiply by vectors (N, C / 8, M) of the masks."""
    first, norm, activation, second, last_activation = upscaling
    fine = _doubled(first, image)
    fine = functional.layer_norm(fine, fine.shape[-1:], norm.weight, norm.bias, norm.eps)
    fine = last_activation(_doubled(second, activation(fine)))  # (N, P, 4, 4, C / 8)
    n, _, m = vectors.shape
    logits = fine.flatten(1, 3) @ vectors
    h, w = grid
    parts = logits.view(n, h, w, 2, 2, 2, 2, m).permute(0, 7, 1, 3, 5, 2, 4, 6)
    low_res_logits: Tensor = parts.reshape(n, m, 4 * h, 4 * w)
    return low_res_logits


def _doubled(convolution: Any, image: Tensor) -> Tensor:
    """Apply a transposed convolution of kernel and stride 2: (..., C) to (..., 4, C')."""
    weight = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)  # to each of the four places
    return _split(functional.linear(image, weight, convolution.bias.repeat(4)), 4)
