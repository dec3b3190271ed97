"""Two readings of "input resolution": a coarser image, or an encoder that runs at another size.

Hu 2023 compares 224, 512 and 1024 pixels without saying which of the two is meant. SAM's own
preprocessing enlarges any image to its frame, so a coarser image costs detail and nothing else;
running the encoder at another size changes the number of cells, for which position embeddings have
to be interpolated.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from mskseg.errors import InputError
from mskseg.models.segmenter import Segmenter


def coarsened(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Shrink a slice so that its longest side has `size` pixels (area average, antialiased).

    Parameters
    ----------
    image : (H, W) uint8
    size : int
        At most the longest side: nothing is gained by enlarging.

    Returns
    -------
    (h, w) uint8
        The grid covers the same field, so coordinates scale by h / H and w / W.

    Raises
    ------
    InputError
        If the size is not between 1 and the longest side.
    """
    longest = max(image.shape)
    if not 1 <= size <= longest:
        raise InputError(f"a longest side of {size} came, expected 1 to {longest} pixels")
    height, width = (max(1, round(n * size / longest)) for n in image.shape)
    shrunk: NDArray[np.uint8] = np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    )
    return shrunk


def at_frame_size(segmenter: Segmenter, size: int) -> Segmenter:
    """Give a copy of a segmenter whose encoder runs on a frame of another size.

    Parameters
    ----------
    segmenter : Segmenter
        Left as it is. The two share all weights but the position embeddings, so that three sizes of
        a ViT-H do not take three times its memory.
    size : int
        Side of the frame in pixels; a multiple of what one cell of the encoder's coarsest layer
        covers (16 for a ViT, 32 for SAM-mini).

    Returns
    -------
    Segmenter
        Where the encoder is a vision transformer, absolute position embeddings are interpolated
        (bicubic) and the relative ones of global attention too (linear): a distance keeps the
        vector that it had as a part of the frame. Windowed attention keeps its windows of cells,
        and a convolutional encoder has no positions.

    Raises
    ------
    InputError
        If the size is no such multiple.
    """
    cell_px = _cell_px(segmenter)
    coarsest_px: int = getattr(segmenter.model.image_encoder, "coarsest_px", cell_px)
    if size < coarsest_px or size % coarsest_px:
        raise InputError(
            f"a frame of {size} px came; {segmenter.name} takes multiples of {coarsest_px} px"
        )
    shared = {id(weight): weight for weight in segmenter.model.parameters()}
    model, cells = copy.deepcopy(segmenter.model, shared), size // cell_px
    model.image_encoder.img_size = size
    if getattr(model.image_encoder, "pos_embed", None) is not None:
        _interpolate_positions(model.image_encoder, cells)
    prompt_encoder = model.prompt_encoder
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
        precision=segmenter.precision,
    )


def _cell_px(segmenter: Segmenter) -> int:
    cells: int = segmenter.model.prompt_encoder.image_embedding_size[0]
    return segmenter.preprocessing.image_size // cells


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
    """Interpolate a table (2 before - 1, C) of distances -(before - 1)..before - 1 in cells.

    A distance of one new cell is before / cells old ones. Distances that the old frame did not hold
    get the vector of its largest.
    """
    last = 2 * before - 2
    distances = torch.arange(1 - cells, cells, device=table.device) * (before / cells)
    places = (distances + before - 1).clamp(0, last)
    low = places.floor().long()
    part = (places - low)[:, None].to(table.dtype)
    return table[low] * (1 - part) + table[(low + 1).clamp(max=last)] * part
