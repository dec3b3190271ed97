"""Where time goes: encoding a slice, decoding a prompt, and the parts of a training step."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter


def time_segmenter(
    segmenter: Segmenter,
    *,
    repeats: int = 10,
    size: int = 256,
    clock: Callable[[], float] = time.perf_counter,
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
    clock : callable
        `time.process_time` counts the processor time of all threads instead.

    Returns
    -------
    encode_ms, decode_ms : float
        Preprocessing and the way back to the slice are part of them.
    """
    rng = np.random.default_rng(0)
    box = np.array([0.25, 0.25, 0.75, 0.75]) * size
    encode, decode = [], []
    kept, segmenter.cache = segmenter.cache, EmbeddingCache()
    try:
        for _ in range(repeats + 1):
            image = rng.integers(0, 256, (size, size), dtype=np.uint8)
            start = clock()
            embedding = segmenter.embed(image)
            encoded = clock()
            segmenter.predict(embedding, boxes_xyxy=box)
            encode.append((encoded - start) * 1e3)
            decode.append((clock() - encoded) * 1e3)
    finally:
        segmenter.cache = kept
    return statistics.median(encode[1:]), statistics.median(decode[1:])


class PartTimes:
    """Seconds that the named parts of a training step took, summed over steps.

    Parameters
    ----------
    device : torch.device
        On CUDA each part waits for the work it queued, or all time would be charged to whoever asks
        for a number first.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Charge the block's time to `name`."""
        start = time.perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._seconds[name] += time.perf_counter() - start

    def taken(self) -> dict[str, float]:
        """Give the seconds by part, and start from zero again."""
        taken = dict(self._seconds)
        self._seconds.clear()
        return taken
