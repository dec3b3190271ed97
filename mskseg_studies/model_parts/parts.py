"""A promptable model taken apart: its three parts, and the tokens that a prompt turns into.

Names and boxes are those of Kirillov 2023, figure 4: image encoder, prompt encoder, mask decoder.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mskseg.models.segmenter import Segmenter
from mskseg.prompts.prompt import Prompt

PARTS = {
    "image encoder": "image_encoder",
    "prompt encoder": "prompt_encoder",
    "mask decoder": "mask_decoder",
}


def count_parameters(segmenter: Segmenter) -> pd.DataFrame:
    """Count the trainable numbers of each part.

    Returns
    -------
    pandas.DataFrame
        A row for each of `PARTS`: `part`, `parameters` and `share` of all.
    """
    counts = {
        part: sum(p.numel() for p in getattr(segmenter.model, name).parameters())
        for part, name in PARTS.items()
    }
    table = pd.DataFrame({"part": list(counts), "parameters": list(counts.values())})
    table["share"] = table["parameters"] / table["parameters"].sum()
    return table


def prompt_tokens(
    segmenter: Segmenter, image_shape: tuple[int, int], prompt: Prompt
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encode prompts alone, as the mask decoder gets them.

    Parameters
    ----------
    segmenter : Segmenter
    image_shape : (H, W)
        Of the slice that the coordinates are pixels of.
    prompt : Prompt

    Returns
    -------
    sparse : (N, T, C) float32
        A token for each point, two for a box, and one of padding after points without a box.
    dense : (N, C, h, w) float32
        Added to the image embedding: an earlier mask, or the same learned vector everywhere.

    Raises
    ------
    mskseg.errors.InputError
        As `Segmenter.predict`.
    """
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


def describe_prompts(
    segmenter: Segmenter, image_shape: tuple[int, int], prompts: Mapping[str, Prompt]
) -> pd.DataFrame:
    """List how many tokens each of several prompts becomes.

    Parameters
    ----------
    segmenter : Segmenter
    image_shape : (H, W)
    prompts : mapping of str to Prompt
        By name.

    Returns
    -------
    pandas.DataFrame
        A row for each: `prompt`, `tokens`, `numbers_each`, and `dense_part_varies`: whether an
        earlier mask changes the dense part from place to place.
    """
    tokens = {name: prompt_tokens(segmenter, image_shape, each) for name, each in prompts.items()}
    return pd.DataFrame(
        {
            "prompt": name,
            "tokens": sparse.shape[1],
            "numbers_each": sparse.shape[2],
            "dense_part_varies": bool(np.ptp(dense[0], axis=(1, 2)).max() > 0),
        }
        for name, (sparse, dense) in tokens.items()
    )
