"""How long a model takes to encode a slice and to decode a prompt."""

from __future__ import annotations

import statistics
import time

import numpy as np

from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter


def time_segmenter(
    segmenter: Segmenter, *, repeats: int = 10, size: int = 256
) -> tuple[float, float]:
    """Median milliseconds of encoding a slice and of decoding one box on it.

    Parameters
    ----------
    segmenter : Segmenter
        Each slice is new to it, so no embedding comes from its cache.
    repeats : int
        Slices, after one that warms up.
    size : int
        Side of the slices in pixels.

    Returns
    -------
    encode_ms, decode_ms : float
        Preprocessing and the way back to the slice are part of them.
    """
    rng = np.random.default_rng(0)
    box = np.array([0.25, 0.25, 0.75, 0.75]) * size
    encode, decode = [], []
    kept, segmenter.cache = segmenter.cache, EmbeddingCache()
    for _ in range(repeats + 1):
        image = rng.integers(0, 256, (size, size), dtype=np.uint8)
        embedding = segmenter.embed(image)
        encode.append(embedding.encode_s * 1e3)
        start = time.perf_counter()
        segmenter.predict(embedding, boxes_xyxy=box)
        decode.append((time.perf_counter() - start) * 1e3)
    segmenter.cache = kept
    return statistics.median(encode[1:]), statistics.median(decode[1:])
