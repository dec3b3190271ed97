"""Embeddings of slices: from the cache where the encoder is frozen, live where it trains."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.dataset import LabelledSlice
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.preprocessing import as_rgb_uint8
from mskseg.models.segmenter import Segmenter

PREPARED_MB = 512.0  # of images in the encoder's form that are kept: MedSAM's spline takes long


class FrozenEncoder:
    """Encodes each slice once, by the weights that the training started from.

    Neither the segmenter nor its own cache is changed.
    """

    def __init__(
        self,
        base: Segmenter,
        config: FineTuneConfig,
        *,
        cache: EmbeddingCache,
        device: torch.device,
    ) -> None:
        self._segmenter = Segmenter(
            base.model if device == base.device else copy.deepcopy(base.model),
            base.preprocessing,
            name=base.name,
            device=device,
            precision=config.precision,
            cache=cache,
        )

    def __call__(self, slices: Sequence[LabelledSlice]) -> Tensor:
        """Features (B, C, h, w) float32 of B slices, without gradient."""
        # Cloned: what was made in inference mode cannot take part in a graph.
        return torch.cat([self._segmenter.embed(s.image).features.clone() for s in slices])


class LiveEncoder:
    """Encodes slices by the weights as they are now."""

    def __init__(self, tuned: Segmenter, config: FineTuneConfig) -> None:
        self._tuned, self._half = tuned, config.precision == "bfloat16"
        self._prepared: dict[int, Tensor] = {}
        self._room = int(PREPARED_MB * 2**20)

    def __call__(self, slices: Sequence[LabelledSlice]) -> Tensor:
        """Features (B, C, h, w) float32 of B slices; with gradient unless it is off."""
        images = torch.cat([self._image(labelled) for labelled in slices])
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._half):
            features: Tensor = self._tuned.model.image_encoder(images)
        return features.float()

    def _image(self, labelled: LabelledSlice) -> Tensor:
        """Prepare a slice, or fetch it; what came first stays: the order is random anyway."""
        tensor = self._prepared.get(id(labelled))
        if tensor is None:
            rgb = as_rgb_uint8(labelled.image)
            tensor = self._tuned.preprocessing.image_tensor(rgb, self._tuned.model)
            size = tensor.numel() * tensor.element_size()
            if size <= self._room:
                self._prepared[id(labelled)] = tensor
                self._room -= size
        return tensor
