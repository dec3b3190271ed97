"""Promptable segmenters: SAM, MedSAM and the built-in miniatures behind one pair of verbs.

`load_segmenter` gives a `Segmenter`; ``segmenter.embed(image)`` encodes a slice once and
``segmenter.predict(embedding, boxes_xyxy=...)`` answers any number of prompts about it.

The names are loaded when first used, since they need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mskseg.models.checkpoints import load_segmenter, save_weights
    from mskseg.models.embeddings import EmbeddingCache, ImageEmbedding
    from mskseg.models.segmenter import Prediction, Segmenter

_HOMES = {
    "load_segmenter": "checkpoints",
    "save_weights": "checkpoints",
    "EmbeddingCache": "embeddings",
    "ImageEmbedding": "embeddings",
    "Prediction": "segmenter",
    "Segmenter": "segmenter",
}

__all__ = [
    "EmbeddingCache",
    "ImageEmbedding",
    "Prediction",
    "Segmenter",
    "load_segmenter",
    "save_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
