"""The dimensions of a published model, from its class alone: no checkpoint, no memory, no time."""

from __future__ import annotations

import copy
import inspect
from typing import Literal, get_args

import pandas as pd
import torch

from mskseg.finetuning.config import FineTuneConfig, Mode
from mskseg.finetuning.modes import prepare
from mskseg.models.upstream import Sam, SamAutomaticMaskGenerator, sam_model_registry
from mskseg_studies.model_parts.parts import parameters_by_part

PublishedSize = Literal["vit_b", "vit_l", "vit_h"]


def model_dimensions(size: PublishedSize = "vit_b") -> pd.DataFrame:
    """Build a published architecture without weights and measure it.

    It is built on torch's "meta" device, where a tensor has a shape and no numbers. What can be
    counted is counted; for what comes out of a part, an empty image and an empty prompt go through
    it. The parameters that train are those of `FineTuneConfig`'s defaults in each mode. Gives
    `dimension`, in words, and `value`.
    """
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
