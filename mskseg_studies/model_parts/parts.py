"""A promptable model taken apart: its three parts, what a prompt turns into, and the sizes.

Names and boxes are those of Kirillov 2023, figure 4: image encoder, prompt encoder, mask decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from mskseg.models.segmenter import Segmenter
from mskseg.prompts.prompt import Prompt

PARTS = {
    "image encoder": "image_encoder",
    "prompt encoder": "prompt_encoder",
    "mask decoder": "mask_decoder",
}


@dataclass(frozen=True)
class ModelShapes:
    """The sizes that the three parts agree on.

    Attributes
    ----------
    image : (S, S)
        The frame that the image encoder takes, in pixels.
    embedding : (C, h, w)
        What it gives; a prompt's tokens have C numbers too.
    low_res : (h, w)
        Logits of a mask, as the decoder gives them and takes an earlier mask.
    """

    image: tuple[int, int]
    embedding: tuple[int, int, int]
    low_res: tuple[int, int]


def shapes_of(segmenter: Segmenter) -> ModelShapes:
    """Read the sizes off a segmenter's model."""
    prompt_encoder, side = segmenter.model.prompt_encoder, segmenter.model.image_encoder.img_size
    rows, columns = prompt_encoder.image_embedding_size
    height, width = prompt_encoder.mask_input_size
    return ModelShapes((side, side), (prompt_encoder.embed_dim, rows, columns), (height, width))


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
    segmenter: Segmenter,
    image_shape: tuple[int, int],
    *,
    boxes_xyxy: ArrayLike | None = None,
    point_coords: ArrayLike | None = None,
    point_labels: ArrayLike | None = None,
    mask_logits: ArrayLike | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encode prompts alone, as the mask decoder gets them.

    Parameters
    ----------
    segmenter : Segmenter
    image_shape : (H, W)
        Of the slice that the coordinates are pixels of.
    boxes_xyxy, point_coords, point_labels, mask_logits
        As for `Segmenter.predict`.

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
    prompt = Prompt.checked(
        boxes_xyxy,
        point_coords,
        point_labels,
        mask_logits,
        image_shape=image_shape,
        mask_shape=segmenter.model.prompt_encoder.mask_input_size,
    )
    with torch.inference_mode():
        sparse, dense = segmenter.encode_prompts(prompt, image_shape)
    return sparse.cpu().numpy(), dense.cpu().numpy()


def describe_prompts(
    segmenter: Segmenter, image_shape: tuple[int, int], prompts: dict[str, dict[str, Any]]
) -> pd.DataFrame:
    """Tell how many tokens each of several prompts becomes.

    Parameters
    ----------
    segmenter : Segmenter
    image_shape : (H, W)
    prompts : dict of str to dict
        Name, and keyword arguments for `prompt_tokens`.

    Returns
    -------
    pandas.DataFrame
        A row for each: `prompt`, `tokens`, `numbers_each`, and whether an earlier mask `changes`
        the dense part from place to place.
    """
    rows = []
    for name, prompt in prompts.items():
        sparse, dense = prompt_tokens(segmenter, image_shape, **prompt)
        varies = bool(np.ptp(dense[0], axis=(1, 2)).max() > 0)
        rows.append(
            {
                "prompt": name,
                "tokens": sparse.shape[1],
                "numbers_each": sparse.shape[2],
                "dense_part_varies": varies,
            }
        )
    return pd.DataFrame(rows)
