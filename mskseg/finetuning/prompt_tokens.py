"""Prompts as tokens, and SAM's prompt side batched over images as well as prompts, for training.

`segment_anything`'s decoder takes one image and its prompts; training wants N prompts that each
have an image of their own. The same modules do the work, and a test holds the two together.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mskseg.models.decoding import ALL_MASKS, decode
from mskseg.models.preprocessing import Preprocessing
from mskseg.models.upstream import PromptEncoder, Sam
from mskseg.prompts.prompt import Prompt

# SAM's labels of prompt tokens. The corners are tokens like the points, with labels of their own.
PADDING, NEGATIVE, POSITIVE, CORNER_MIN, CORNER_MAX = -1, 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class PromptTokens:
    """N prompts of T tokens each, in continuous pixels of the model's frame, on its device."""

    coords: Tensor  # (N, T, 2) float32
    labels: Tensor  # (N, T) int64, of the five kinds above

    def __len__(self) -> int:
        return len(self.coords)

    def __getitem__(self, chosen: slice) -> Self:
        return type(self)(self.coords[chosen], self.labels[chosen])

    @classmethod
    def joined(cls, tokens: list[Self], *, dim: int = 0) -> Self:
        """Join prompts, or with ``dim=1`` the tokens of the same prompts."""
        coords = torch.cat([part.coords for part in tokens], dim)
        return cls(coords, torch.cat([part.labels for part in tokens], dim))

    @classmethod
    def of_prompt(
        cls,
        prompt: Prompt,
        preprocessing: Preprocessing,
        *,
        image_shape: tuple[int, int],
        device: torch.device,
    ) -> Self:
        """Bring boxes or points to the frame, with the half pixel that SAM's encoder adds."""
        if prompt.boxes_xyxy is not None:
            coords = preprocessing.boxes(prompt.boxes_xyxy, image_shape).reshape(-1, 2, 2) + 0.5
            labels = np.tile(np.array([CORNER_MIN, CORNER_MAX]), (len(coords), 1))
        else:
            points, labels = np.asarray(prompt.point_coords), np.asarray(prompt.point_labels)
            coords = preprocessing.points(points, image_shape) + 0.5
            coords = np.pad(coords, ((0, 0), (0, 1), (0, 0)))  # SAM's padding token
            labels = np.pad(labels, ((0, 0), (0, 1)), constant_values=PADDING)
        return cls(torch.from_numpy(coords).float().to(device), torch.from_numpy(labels).to(device))


def embed_tokens(encoder: PromptEncoder, tokens: PromptTokens) -> Tensor:
    """Sparse prompt embeddings (N, T, C) float32."""
    with torch.autocast(tokens.coords.device.type, enabled=False):  # half precision blurs positions
        positions = encoder.pe_layer.forward_with_coords(tokens.coords, encoder.input_image_size)
    kinds = torch.cat(
        [encoder.not_a_point_embed.weight, *(e.weight for e in encoder.point_embeddings)]
    )
    positions = torch.where((tokens.labels == PADDING)[..., None], 0.0, positions)
    return positions + kinds[tokens.labels + 1]


def decode_prompts(
    model: Sam,
    image_embeddings: Tensor,
    tokens: PromptTokens,
    *,
    mask_logits: Tensor | None = None,
    image_pe: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Decode N prompts, each with an image embedding (C, h, w) of its own.

    Gives logits (N, 4, 4h, 4w) and the predicted IoU (N, 4). `mask_logits` (N, 1, 4h, 4w) are those
    of a mask before, `image_pe` (1, C, h, w) is by default that of the whole frame.
    """
    encoder, decoder = model.prompt_encoder, model.mask_decoder
    sparse = embed_tokens(encoder, tokens)
    if mask_logits is None:
        dense = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    else:
        dense = encoder.mask_downscaling(mask_logits)
    if image_pe is None:
        image_pe = encoder.get_dense_pe()
    return decode(decoder, image_embeddings, image_pe, sparse, dense, masks=ALL_MASKS)
