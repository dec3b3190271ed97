"""Image embeddings, and a content-addressed cache of them.

A ViT-B pass over one slice takes seconds on a CPU, a prompt a few hundredths, so each slice is
encoded once. The key of an embedding is a hash of everything it depends on: the image's bytes,
shape and dtype, the weights, the preprocessing, the precision.
"""

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mskseg.models.weights import write_safetensors

_LOGGER = logging.getLogger(__name__)
_FILES = "*.safetensors"
_IN_HALF = "float16"  # what is below this folder is ours, and may be dropped


@dataclass(frozen=True, eq=False)
class ImageEmbedding:
    """One encoded slice."""

    features: Tensor  # (1, C, h, w) float32; C and h = w: SAM 256, 64; SAM 2 1024, 64; mini 128, 32
    original_size: tuple[int, int]  # of the slice: prompts and masks are of this size
    key: str  # sha256 of the image and of `fingerprint`
    fingerprint: str  # of the encoder that made it: no model with another one can read it
    encode_s: float  # when it was first computed: the model's cost, not the cache's

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.features.shape[1:]))
        height, width = self.original_size
        return f"ImageEmbedding({shape} of a {height} x {width} slice, key {self.key[:12]})"


def embedding_key(image: NDArray[Any], fingerprint: str) -> str:
    """Hash an image (bytes, shape, dtype) together with a segmenter's encoder fingerprint."""
    digest = hashlib.sha256(f"{fingerprint} {image.dtype.str} {image.shape} ".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


class EmbeddingCache:
    """Keep embeddings: in memory for the volume at hand, on request in a folder as well.

    In the `folder` is one safetensors file per embedding, in half precision (2 MB for SAM, MedSAM
    and LiteMedSAM, 8 for SAM 2); they are rounded before their *first* use too, so that a second
    run repeats the first one exactly. A damaged file is noticed by its checksum, logged, and
    computed again. The least recently used are dropped beyond `max_memory_mb` (the default holds
    128 slices of SAM, 32 of SAM 2) and `max_folder_mb` (2000, 500). `n_hits` and `n_misses` count.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        max_memory_mb: float = 512.0,
        max_folder_mb: float = 4096.0,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.max_memory_bytes = int(max_memory_mb * 2**20)
        self.max_folder_bytes = int(max_folder_mb * 2**20)
        self._folder_bytes: int | None = None  # counted when something is first written
        self.n_hits = 0
        self.n_misses = 0
        self._memory: OrderedDict[str, ImageEmbedding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._memory)

    def __repr__(self) -> str:
        where = "memory" if self.folder is None else f"memory and {self.folder}"
        counts = f"{len(self)} kept, {self.n_hits} hits, {self.n_misses} misses"
        return f"EmbeddingCache({where}: {counts})"

    def get(
        self, key: str, compute: Callable[[], ImageEmbedding], *, device: torch.device
    ) -> ImageEmbedding:
        """Get an embedding from memory, else from the folder, on `device`, else by `compute`.

        OutputError if the folder cannot be written to.
        """
        embedding = self._memory.get(key) or self._read(key)
        if embedding is not None:
            self.n_hits += 1
            embedding = replace(embedding, features=embedding.features.to(device))
        else:
            self.n_misses += 1
            embedding = self._store(compute())
        self._memory[key] = embedding
        self._memory.move_to_end(key)
        sizes = [each.features.nbytes for each in self._memory.values()]
        while len(sizes) > 1 and sum(sizes) > self.max_memory_bytes:
            self._memory.popitem(last=False)
            sizes.pop(0)
        return embedding

    def _path(self, key: str) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / _IN_HALF / key[:2] / f"{key}.safetensors"

    def _store(self, embedding: ImageEmbedding) -> ImageEmbedding:
        path = self._path(embedding.key)
        if path is None:
            return embedding
        stored = embedding.features.cpu().half().contiguous()
        metadata = {
            "original_size": json.dumps(embedding.original_size),
            "fingerprint": embedding.fingerprint,
            "encode_s": repr(embedding.encode_s),
            "sha256": _sha256(stored),
        }
        write_safetensors({"features": stored}, path, metadata=metadata)
        self._bound_folder(path.parents[1], newest=path)
        return replace(embedding, features=stored.float().to(embedding.features.device))

    def _bound_folder(self, folder: Path, newest: Path) -> None:
        if self._folder_bytes is None:
            self._folder_bytes = sum(size for _, size, _ in _stated(folder.rglob(_FILES)))
        else:
            self._folder_bytes += sum(size for _, size, _ in _stated([newest]))
        if self._folder_bytes <= self.max_folder_bytes:
            return
        files = sorted(_stated(folder.rglob(_FILES)))
        self._folder_bytes = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._folder_bytes > self.max_folder_bytes and path != newest:
                self._folder_bytes -= size
                path.unlink(missing_ok=True)

    def _read(self, key: str) -> ImageEmbedding | None:
        path = self._path(key)
        if path is None or not path.exists():
            return None
        try:
            found = _read_file(path, key)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            _LOGGER.warning("embedding %s is damaged (%s); it is computed again", path, error)
            return None
        with suppress(OSError):  # a folder that can only be read
            path.touch()  # used just now: `_bound_folder` drops it last
        return found


def _stated(paths: Iterable[Path]) -> Iterator[tuple[float, int, Path]]:
    """Find when each file was last used, and its bytes."""
    for path in paths:
        with suppress(OSError):  # another process deleted it
            yield path.stat().st_mtime, path.stat().st_size, path


def _read_file(path: Path, key: str) -> ImageEmbedding:
    with safe_open(path, framework="pt") as file:
        metadata, stored = file.metadata(), file.get_tensor("features")
    if _sha256(stored) != metadata["sha256"]:
        raise ValueError("its checksum does not match")
    height, width = json.loads(metadata["original_size"])
    fingerprint, encode_s = metadata["fingerprint"], float(metadata["encode_s"])
    return ImageEmbedding(stored.float(), (height, width), key, fingerprint, encode_s)


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.numpy().data).hexdigest()
