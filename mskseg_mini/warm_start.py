"""Teach the prompt side geometry before there is any image.

Trained jointly from random weights, SAM-mini collapses to empty masks and stays there, whatever the
weights of the losses. With a prompt side that can already fill a box, joint training starts at the
filled-box level.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mskseg.finetuning import losses
from mskseg.finetuning.decoding import decode, embed_masks, embed_prompts
from mskseg.models.upstream import Attention, Sam
from mskseg_mini import prompting


def initialise(sam: Sam) -> None:
    """Give SAM-mini the start that training needs."""
    # Frequencies from coarse to fine: SAM's single scale blurs corners of 15 px boxes.
    gaussian = sam.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    gaussian.mul_(torch.logspace(-0.3, 0.6, gaussian.shape[1]))
    for module in sam.mask_decoder.modules():
        if isinstance(module, Attention):  # a token attends to its own place from the start
            module.k_proj.load_state_dict(module.q_proj.state_dict())


def warm_start_loss(sam: Sam, *, count: int, generator: torch.Generator) -> Tensor:
    """Loss on ellipses that fill a box, and discs around a point, without any image."""
    device, size = generator.device, sam.image_encoder.img_size
    draw = torch.rand(6, count, 1, 1, generator=generator, device=device)
    half = size * 0.02 * (20 ** draw[:2])  # 5 to 100 px
    centre = half + (size - 2 * half).clamp_min(1) * draw[2:4]
    axis = torch.arange(size, device=device) + 0.5
    boxed = draw[4, :, 0, 0] < 0.7
    half = torch.where(boxed[:, None, None], half, half.mean(0))
    u, v = (axis - centre[0]) / half[0], (axis[:, None] - centre[1]) / half[1]
    masks = u * u + v * v < 1
    boxes = torch.cat([centre - half, centre + half])[:, :, 0, 0].T
    coords, labels = prompting.box_tokens(boxes)
    points, point_labels = prompting.random_points(masks, generator=generator, central=1.0)
    coords = torch.where(boxed[:, None, None], coords, points)
    labels = torch.where(boxed[:, None], labels, point_labels)
    grid, width = sam.prompt_encoder.image_embedding_size, sam.prompt_encoder.embed_dim
    noise = (
        torch.randn((count, width, *grid), generator=generator, device=device) * draw[5, :, None]
    )
    sparse = embed_prompts(sam.prompt_encoder, coords, labels)
    dense = embed_masks(sam.prompt_encoder, None, count)
    logits, _ = decode(sam.mask_decoder, noise, sam.prompt_encoder.get_dense_pe(), sparse, dense)
    target = losses.shrink_masks(masks, logits.shape[-1])[:, None]
    region = losses.box_region(boxes, logits.shape[-1], scale=logits.shape[-1] / size)[:, None]
    entropy = losses.regional_cross_entropy(logits, target, region, positive_weight=4.0)
    return (entropy + losses.soft_dice_loss(logits, target)).mean()
