"""SAM's prompt side, batched over images as well as prompts, for training.

`segment_anything`'s decoder takes one image and its prompts; training wants N prompts that each
have an image of their own. The same modules do the work, and a test holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mskseg.models.upstream import MaskDecoder, PromptEncoder

# SAM's labels of prompt tokens. The corners are tokens like the points, with labels of their own.
PADDING, NEGATIVE, POSITIVE, CORNER_MIN, CORNER_MAX = -1, 0, 1, 2, 3


def embed_prompts(encoder: PromptEncoder, coords: Tensor, labels: Tensor) -> Tensor:
    """Sparse prompt tokens.

    Parameters
    ----------
    encoder : PromptEncoder
    coords : (N, T, 2) float32
        x, y in continuous pixels of the model's frame (a pixel's centre is at +0.5), which is where
        SAM's encoder puts them after adding its half pixel.
    labels : (N, T) int64
        Of the five kinds above.

    Returns
    -------
    (N, T, C) float32
    """
    with torch.autocast(coords.device.type, enabled=False):  # half precision blurs positions
        tokens = encoder.pe_layer.forward_with_coords(coords, encoder.input_image_size)
    kinds = torch.cat(
        [encoder.not_a_point_embed.weight, *(e.weight for e in encoder.point_embeddings)]
    )
    tokens = torch.where((labels == PADDING)[..., None], 0.0, tokens)
    return tokens + kinds[labels + 1]


def embed_masks(
    encoder: PromptEncoder, mask_logits: Tensor | None, count: int, *, grid: int | None = None
) -> Tensor:
    """Dense prompt (N, C, h, w) from low-resolution logits (N, 1, 4h, 4w), or SAM's "no mask".

    `grid` is h and w for "no mask", by default those of the whole frame.
    """
    if mask_logits is not None:
        return encoder.mask_downscaling(mask_logits)  # type: ignore[no-any-return]
    size = encoder.image_embedding_size if grid is None else (grid, grid)
    none: Tensor = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    return none.expand(count, -1, *size)


def decode(
    decoder: MaskDecoder, image_embeddings: Tensor, image_pe: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """All masks of every prompt, each with an image embedding of its own.

    Parameters
    ----------
    image_embeddings, dense : (N, C, h, w)
    image_pe : (1, C, h, w)
    sparse : (N, T, C)

    Returns
    -------
    logits : (N, 4, 4h, 4w)
        Mask 0 answers several prompts or a box, masks 1-3 an ambiguous point.
    predicted_iou : (N, 4)
    """
    count = len(sparse)
    outputs = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([outputs.expand(count, -1, -1), sparse], dim=1)
    source = image_embeddings + dense
    shape = source.shape
    hidden, source = decoder.transformer(source, image_pe.expand(count, -1, -1, -1), tokens)
    upscaled = decoder.output_upscaling(source.transpose(1, 2).reshape(shape))
    mask_tokens = hidden[:, 1 : 1 + decoder.num_mask_tokens]
    weights = torch.stack(
        [mlp(mask_tokens[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
    )
    logits = torch.einsum("nmc,nchw->nmhw", weights, upscaled)
    return logits, decoder.iou_prediction_head(hidden[:, 0])
