"""The visits of a step as tensors: prompts as tokens, masks as targets; and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mskseg.finetuning.decoding import (
    CORNER_MAX,
    CORNER_MIN,
    PADDING,
    decode,
    embed_masks,
    embed_prompts,
)
from mskseg.finetuning.samples import Visit
from mskseg.finetuning.targets import targets_in_frame
from mskseg.models.preprocessing import Preprocessing
from mskseg.models.upstream import Sam
from mskseg.prompts.prompt import Prompt


@dataclass(frozen=True, eq=False)
class Questions:
    """N prompts about B images.

    Attributes
    ----------
    image : (N,) int64
        Which of the B images a prompt is about.
    coords : (N, T, 2) float32
        Of T tokens, in continuous pixels of the model's frame.
    kinds : (N, T) int64
        Of these tokens, see `mskseg.finetuning.decoding`.
    targets : (N, h, w) float32
        From `targets_in_frame`.
    inside : (B, h, w) float32
        Share of each cell that lies on the slice.
    """

    image: Tensor
    coords: Tensor
    kinds: Tensor
    targets: Tensor
    inside: Tensor

    def __len__(self) -> int:
        return len(self.image)


def ask(visits: Sequence[Visit], model: Sam, preprocessing: Preprocessing) -> Questions:
    """Bring the visits of a step to the model's frame, on its device."""
    device, size = model.device, _low_res(model)
    tokens = [prompt_tokens(v.prompts, preprocessing, _shape(v)) for v in visits]
    counts = torch.tensor([len(v.prompts) for v in visits])
    masks = [torch.from_numpy(v.of.masks(v.chosen)).to(device) for v in visits]
    framed = [targets_in_frame(m, preprocessing=preprocessing, size=size) for m in masks]
    return Questions(
        image=torch.arange(len(visits)).repeat_interleave(counts).to(device),
        coords=torch.from_numpy(np.concatenate([c for c, _ in tokens])).float().to(device),
        kinds=torch.from_numpy(np.concatenate([k for _, k in tokens])).to(device),
        targets=torch.cat([targets for targets, _ in framed]),
        inside=torch.stack([inside for _, inside in framed]),
    )


def prompt_tokens(
    prompts: Prompt, preprocessing: Preprocessing, original_size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Tokens of boxes or of points, as `Segmenter.predict` would give them to the model.

    Returns
    -------
    coords : (N, T, 2) float64
        SAM's prompt encoder is given pixel indices and adds half a pixel; here it is added.
    kinds : (N, T) int64
    """
    if prompts.boxes_xyxy is not None:
        coords = preprocessing.boxes(prompts.boxes_xyxy, original_size).reshape(-1, 2, 2)
        return coords + 0.5, np.tile(np.array([CORNER_MIN, CORNER_MAX]), (len(prompts), 1))
    points, labels = np.asarray(prompts.point_coords), np.asarray(prompts.point_labels)
    coords = preprocessing.points(points, original_size) + 0.5
    coords = np.concatenate([coords, np.zeros_like(coords[:, :1])], axis=1)  # SAM's padding token
    kinds = np.pad(labels, ((0, 0), (0, 1)), constant_values=PADDING)
    return coords, kinds


def answer(
    model: Sam, embeddings: Tensor, image: Tensor, coords: Tensor, kinds: Tensor
) -> tuple[Tensor, Tensor]:
    """Give one mask for each prompt.

    Parameters
    ----------
    model : Sam
    embeddings : (B, C, h', w') float32
    image, coords, kinds
        As in `Questions`.

    Returns
    -------
    logits : (N, h, w)
        Of the mask that answers a box, or several points: SAM's single-mask output.
    predicted_iou : (N,)
    """
    encoder = model.prompt_encoder
    sparse = embed_prompts(encoder, coords, kinds)
    dense = embed_masks(encoder, None, len(image))
    logits, predicted_iou = decode(
        model.mask_decoder, embeddings[image], encoder.get_dense_pe(), sparse, dense
    )
    return logits[:, 0].float(), predicted_iou[:, 0].float()


def _low_res(model: Sam) -> tuple[int, int]:
    height, width = model.prompt_encoder.mask_input_size
    return height, width


def _shape(visit: Visit) -> tuple[int, int]:
    height, width = visit.of.image.shape
    return height, width
