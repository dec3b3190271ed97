"""A promptable model taken apart: its parts, what a prompt turns into, and the encoder in pictures.

Names and boxes are those of Kirillov 2023, figure 4: image encoder, prompt encoder, mask decoder.
`model_dimensions` measures a published model from its class alone: no checkpoint, no memory.
"""

import copy
import inspect
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig, Mode
from mskseg.finetuning.modes import prepare
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.preprocessing import as_rgb_uint8, preprocessings
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import Sam, sam_model_registry
from mskseg.prompts import check_points
from mskseg.prompts.prompt import Prompt


def count_parameters(segmenter: Segmenter) -> pd.DataFrame:
    """Count the trainable numbers of the three parts: `part`, `parameters` and `share` of all."""
    counts = parameters_by_part(segmenter.model)
    table = pd.DataFrame({"part": list(counts), "parameters": list(counts.values())})
    return table.assign(share=table["parameters"] / table["parameters"].sum())


def parameters_by_part(model: Sam) -> dict[str, int]:
    """Count the trainable numbers of each part, by its name in the figure."""
    parts = {
        "image encoder": model.image_encoder,
        "prompt encoder": model.prompt_encoder,
        "mask decoder": model.mask_decoder,
    }
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def describe_prompts(
    segmenter: Segmenter, image_shape: tuple[int, int], prompts: Mapping[str, Prompt]
) -> pd.DataFrame:
    """List how many tokens each of several prompts, by name, becomes.

    The coordinates are pixels of a slice of `image_shape`. A row for each: `prompt`, `tokens`,
    `numbers in each`, and `dense part`: "the same everywhere", or "by place" with an earlier mask.
    """
    rows = []
    for name, prompt in prompts.items():
        sparse, dense = prompt_tokens(segmenter, image_shape, prompt)
        varies = np.ptp(dense[0], axis=(1, 2)).max() > 0
        rows.append((name, *sparse.shape[1:], "by place" if varies else "the same everywhere"))
    return pd.DataFrame(rows, columns=["prompt", "tokens", "numbers in each", "dense part"])


def prompt_tokens(
    segmenter: Segmenter, image_shape: tuple[int, int], prompt: Prompt
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encode prompts alone: tokens (N, T, C) and dense part (N, C, h, w), as for the decoder."""
    checked = Prompt.checked(
        prompt.boxes_xyxy,
        prompt.point_coords,
        prompt.point_labels,
        prompt.mask_logits,
        image_shape=image_shape,
        mask_shape=segmenter.model.prompt_encoder.mask_input_size,
    )
    with torch.inference_mode():
        sparse, dense = segmenter.encode_prompts(checked, image_shape)
    return sparse.cpu().numpy(), dense.cpu().numpy()


def model_view(image: NDArray[Any], *, segmenter: Segmenter, kind: str) -> NDArray[np.float32]:
    """Prepare a slice (H, W) as "sam" or "medsam" does, whatever the segmenter's own kind is.

    The segmenter gives the side S of the frame, and the published mean and deviation; it is not
    run. Gives the first of three channels (S, S): of SAM in standard deviations of the photographs
    that it learned from, with zeros below or right of the slice; of MedSAM from 0 to 1.
    """
    if kind not in preprocessings():
        raise InputError(f"unknown kind {kind!r}; choose one of {', '.join(preprocessings())}")
    preprocessing = preprocessings()[kind](segmenter.preprocessing.image_size)
    tensor = preprocessing.image_tensor(as_rgb_uint8(image), segmenter.model)
    view: NDArray[np.float32] = tensor[0, 0].cpu().numpy()
    return view


def embedding_colours(embedding: ImageEmbedding, *, segmenter: Segmenter) -> NDArray[np.float32]:
    """Paint an embedding's three strongest directions of variation as red, green and blue."""
    cells = _cells(embedding, segmenter)
    flat = cells.reshape(-1, cells.shape[-1])
    centred = flat - flat.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    strongest = centred @ directions[:3].T
    low, high = np.percentile(strongest, (2, 98), axis=0)
    scaled = ((strongest - low) / np.maximum(high - low, 1e-6)).clip(0, 1)
    colours: NDArray[np.float32] = scaled.reshape(*cells.shape[:2], 3).astype(np.float32)
    return colours


def embedding_likeness(
    embedding: ImageEmbedding, point: tuple[float, float], *, segmenter: Segmenter
) -> NDArray[np.float32]:
    """Compare the cell under a point (x, y) with all others, by the cosine of their features."""
    check_points(np.asarray([point], dtype=np.float64), embedding.original_size)
    cells = _cells(embedding, segmenter)
    cells = cells - cells.mean(axis=(0, 1))
    cells /= np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), 1e-6)
    across, down = slice_px_per_cell(embedding, segmenter)
    rows, columns = cells.shape[:2]
    row, column = min(int(point[1] / down), rows - 1), min(int(point[0] / across), columns - 1)
    likeness: NDArray[np.float32] = (cells @ cells[row, column]).astype(np.float32)
    return likeness


def slice_px_per_cell(embedding: ImageEmbedding, segmenter: Segmenter) -> tuple[float, float]:
    """Compute how many pixels of the slice a cell of the embedding covers, in x and in y."""
    height, width = embedding.original_size
    taken_height, taken_width = segmenter.preprocessing.input_size(embedding.original_size)
    cell_px = segmenter.preprocessing.image_size / embedding.features.shape[-1]
    return cell_px * width / taken_width, cell_px * height / taken_height


def _cells(embedding: ImageEmbedding, segmenter: Segmenter) -> NDArray[np.float32]:
    """Features (rows, columns, C) of the cells that hold the slice, padding left out."""
    features = embedding.features[0].permute(1, 2, 0).cpu().numpy()
    height, width = segmenter.preprocessing.input_size(embedding.original_size)
    side = segmenter.preprocessing.image_size
    rows = math.ceil(height / side * features.shape[0])
    columns = math.ceil(width / side * features.shape[1])
    return features[:rows, :columns].copy()


PublishedSize = Literal["vit_b", "vit_l", "vit_h"]


def model_dimensions(size: PublishedSize = "vit_b") -> pd.DataFrame:
    """Build a published architecture without weights and measure it.

    It is built on torch's "meta" device, where a tensor has a shape and no numbers. What can be
    counted is counted; for what comes out of a part, an empty image and an empty prompt go through
    it. The parameters that train are those of `FineTuneConfig`'s defaults in each mode. Gives
    `dimension`, in words, and `value`.
    """
    from segment_anything import SamAutomaticMaskGenerator  # here: it imports torchvision

    with torch.device("meta"):
        model = sam_model_registry[size]()
    rows = {f"{part} parameters": count for part, count in parameters_by_part(model).items()}
    grid = inspect.signature(SamAutomaticMaskGenerator).parameters["points_per_side"].default
    rows |= _traced(model) | {"points along a side of the automatic grid": int(grid)}
    for mode in get_args(Mode):  # a copy each: low-rank terms stay in it
        trained = prepare(copy.deepcopy(model), FineTuneConfig(mode=mode))
        rows[f"parameters that train in mode {mode}"] = sum(p.numel() for p in trained.values())
    return pd.DataFrame({"dimension": list(rows), "value": list(rows.values())})


def _traced(model: Sam) -> dict[str, int]:
    """Send an image and one box through the parts, and read the shapes of what comes out."""
    side = model.image_encoder.img_size
    with torch.inference_mode(), torch.device("meta"):
        embedding = model.image_encoder(torch.empty(1, 3, side, side))
        sparse, dense = model.prompt_encoder(points=None, boxes=torch.empty(1, 4), masks=None)
        logits, _ = model.mask_decoder(
            image_embeddings=embedding,
            image_pe=model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
    return {
        "pixels along a side of the image": side,
        "cells along a side of the embedding": embedding.shape[-1],
        "numbers in a prompt token": sparse.shape[-1],
        "pixels along a side of a mask's logits": logits.shape[-1],
        "masks for an ambiguous point": logits.shape[1],
    }
