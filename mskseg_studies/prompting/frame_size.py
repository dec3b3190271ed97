"""Run an image encoder on a frame of another size than it was trained at."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mskseg.errors import InputError
from mskseg.models.segmenter import Segmenter

MOST_PX = 4096
"""Side of the largest frame: attention over all its cells takes 16 GB in a ViT-B."""


def has_fixed_frame(segmenter: Segmenter) -> bool:
    """Whether the encoder runs at its own size alone, as those of LiteMedSAM and SAM 2 do here."""
    return getattr(segmenter.model.image_encoder, "fixed_frame", False)


def at_frame_size(segmenter: Segmenter, size: int) -> Segmenter:
    """Copy a segmenter, with an encoder that runs on a frame of another size.

    The two share all weights but the position embeddings. Absolute ones of a vision transformer are
    interpolated (bicubic), and the relative ones of global attention too (linear): a distance keeps
    the vector that it had as a part of the frame. Windowed attention keeps its windows of cells,
    and a convolutional encoder has no positions. `size` is a multiple of what one cell of the
    coarsest layer covers (16 pixels for a ViT, 32 for SAM-mini), else InputError; LiteMedSAM and
    SAM 2 take their own alone.
    """
    prompt_encoder = segmenter.model.prompt_encoder
    cell_px = segmenter.preprocessing.image_size // prompt_encoder.image_embedding_size[0]
    coarsest_px: int = getattr(segmenter.model.image_encoder, "coarsest_px", cell_px)
    if size < coarsest_px or size % coarsest_px or size > MOST_PX:
        raise InputError(
            f"expected a frame of a multiple of {coarsest_px} px for {segmenter.name}, got {size}; "
            f"give {MOST_PX} at most"
        )
    built_for = segmenter.preprocessing.image_size
    if size != built_for and has_fixed_frame(segmenter):
        raise InputError(
            f"the encoder of {segmenter.name} is built for {built_for} px alone, got {size}; leave "
            "this model out where the frame's size varies"
        )
    shared = {id(weight): weight for weight in segmenter.model.parameters()}
    model, cells = copy.deepcopy(segmenter.model, shared), size // cell_px
    prompt_encoder = model.prompt_encoder
    if size != built_for:
        model.image_encoder.img_size = size
        if getattr(model.image_encoder, "pos_embed", None) is not None:
            _interpolate_positions(model.image_encoder, cells)
        prompt_encoder.input_image_size = (size, size)
        prompt_encoder.image_embedding_size = (cells, cells)
        prompt_encoder.mask_input_size = (4 * cells, 4 * cells)
    return Segmenter(
        model,
        replace(segmenter.preprocessing, image_size=size),
        name=f"{segmenter.name} at {size} px",
        device=segmenter.device,
        miniature=segmenter.miniature,
        learned_iou=segmenter.learned_iou,
        prompt_kinds=segmenter.prompt_kinds,
        precision=segmenter.precision,
    )


def _interpolate_positions(encoder: Any, cells: int) -> None:
    """Resize a ViT's absolute embedding (1, h, w, C), and the relative ones of global attention."""
    before = encoder.pos_embed.shape[1]
    if cells == before:
        return
    grid = encoder.pos_embed.detach().permute(0, 3, 1, 2)
    resized = functional.interpolate(
        grid, size=(cells, cells), mode="bicubic", align_corners=False, antialias=cells < before
    )
    encoder.pos_embed = nn.Parameter(resized.permute(0, 2, 3, 1), requires_grad=False)
    for block in encoder.blocks:
        if block.window_size == 0 and block.attn.use_rel_pos:
            for name in ("rel_pos_h", "rel_pos_w"):
                resized = _resized_distances(getattr(block.attn, name).detach(), before, cells)
                setattr(block.attn, name, nn.Parameter(resized, requires_grad=False))


def _resized_distances(table: Tensor, before: int, cells: int) -> Tensor:
    """Interpolate a table (2 before - 1, C) of distances -(before - 1)..before - 1 in cells."""
    # A distance of one new cell is before / cells old ones. Distances that the old frame did not
    # hold get the vector of its largest.
    last = 2 * before - 2
    distances = torch.arange(1 - cells, cells, device=table.device) * (before / cells)
    places = (distances + before - 1).clamp(0, last)
    low = places.floor().long()
    part = (places - low)[:, None].to(table.dtype)
    return table[low] * (1 - part) + table[(low + 1).clamp(max=last)] * part
