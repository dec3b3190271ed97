"""SAM's image encoder with the same weights, in less time and memory, on a CPU.

Upstream writes the scores of all heads, 0.8 GB for a ViT-B, and reads them again for each of the
two position terms and the softmax. Here one head at a time has its position terms written into one
buffer, which fused attention adds; and no window computes with the zeros around the image.
Logits are within 1e-4 of upstream's, which a test holds.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mskseg.models.upstream import AS_PUBLISHED, get_rel_pos, is_upstream

_TOKENS_AT_ONCE = 1024  # in the two linear layers: what lies between them stays in the cache


def encode(encoder: nn.Module, images: Tensor) -> Tensor:
    """Encode images (B, 3, S, S), prepared for the model, to features (B, C, h, w).

    SAM's `ImageEncoderViT` on a CPU without gradient is computed here; any other is called as it
    is, and so is SAM's where the environment variable MSKSEG_AS_PUBLISHED is set.
    """
    if torch.is_grad_enabled() or images.device.type != "cpu" or not is_known(encoder):
        features: Tensor = encoder(images)
        return features
    known: Any = encoder
    x = known.patch_embed(images).contiguous()
    if known.pos_embed is not None:
        x += known.pos_embed
    for block in known.blocks:
        x += _attended(block.attn, block.norm1(x), block.window_size)
        for tokens in x.view(-1, x.shape[-1]).split(_TOKENS_AT_ONCE):
            tokens += block.mlp(block.norm2(tokens))
    features = known.neck(x.permute(0, 3, 1, 2))
    return features


def is_known(encoder: Any) -> bool:
    """Whether an encoder is SAM's own, to be computed here."""
    return (
        not AS_PUBLISHED
        and is_upstream(encoder, "ImageEncoderViT", "image_encoder")
        and all(is_upstream(block.attn, "Attention", "image_encoder") for block in encoder.blocks)
        and all(block.attn.use_rel_pos for block in encoder.blocks)
    )


def _attended(attention: Any, x: Tensor, window: int) -> Tensor:
    """Let tokens (B, H, W, C) attend to all, or to those of their window."""
    b, h, w, channels = x.shape
    side_h, side_w = (window, window) if window else (h, w)
    n_h, n_w = (h + side_h - 1) // side_h, (w + side_w - 1) // side_w
    qkv = attention.qkv(x)
    if (n_h * side_h, n_w * side_w) != (h, w):  # zeros around the image leave the bias alone
        framed = qkv.new_empty(b, n_h * side_h, n_w * side_w, 3 * channels)
        framed[:] = attention.qkv(x.new_zeros(channels))
        framed[:, :h, :w] = qkv
        qkv = framed
    windows = qkv.view(b, n_h, side_h, n_w, side_w, -1).transpose(2, 3)
    windows = windows.reshape(b * n_h * n_w, side_h * side_w, 3, attention.num_heads, -1)
    query, key, value = windows.permute(2, 0, 3, 1, 4)  # each (N, heads, L, d)
    out = torch.empty_like(windows[:, :, 0])
    _attend(attention, query, key, value, (side_h, side_w), out.transpose(1, 2))
    out = out.view(b, n_h, n_w, side_h, side_w, channels).transpose(2, 3)
    inside = out.reshape(b, n_h * side_h, -1, channels)[:, :h, :w].contiguous()
    projected: Tensor = attention.proj(inside)
    return projected


def _attend(
    attention: Any, query: Tensor, key: Tensor, value: Tensor, grid: tuple[int, int], out: Tensor
) -> None:
    """Write attention with SAM's relative positions on a grid into `out`; all (N, heads, L, d)."""
    h, w = grid
    placed = query.view(*query.shape[:2], h, w, -1)
    of_rows = get_rel_pos(h, h, attention.rel_pos_h).to(query.dtype)
    of_columns = get_rel_pos(w, w, attention.rel_pos_w).to(query.dtype)
    bias = query.new_empty(len(query), 1, h * w, h * w)
    for i in range(query.shape[1]):
        one = slice(i, i + 1)
        rows = torch.einsum("nhwc,hkc->nhwk", placed[:, i], of_rows)
        columns = torch.einsum("nhwc,wkc->nhwk", placed[:, i], of_columns)
        torch.add(rows[..., None], columns[..., None, :], out=bias.view(-1, h, w, h, w))
        out[:, one] = functional.scaled_dot_product_attention(
            query[:, one], key[:, one], value[:, one], attn_mask=bias
        )
