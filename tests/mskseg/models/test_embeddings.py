"""Embeddings are kept by content, survive on disk, and damage is noticed."""

from __future__ import annotations

import logging
import os

import numpy as np
import pytest
import torch

from mskseg.errors import OutputError
from mskseg.models.embeddings import EmbeddingCache, embedding_key
from mskseg.models.preprocessing import SamPreprocessing
from mskseg.models.segmenter import Segmenter


@pytest.fixture
def with_cache(small_sam):
    return lambda cache: Segmenter(small_sam, SamPreprocessing(128), name="small", cache=cache)


def test_key_depends_on_bytes_shape_dtype_and_model():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    changed = image.copy()
    changed[0, 0] += 1
    keys = [
        embedding_key(image, "a"),
        embedding_key(image, "b"),
        embedding_key(changed, "a"),
        embedding_key(image.reshape(4, 3), "a"),
        embedding_key(image.astype(np.int8), "a"),
    ]
    assert len(set(keys)) == 5
    assert embedding_key(np.asfortranarray(image), "a") == keys[0]


def test_memory_forgets_the_least_recently_used(with_cache, scan):
    one_kept = 32 * 8 * 8 * 4 / 2**20
    cache = EmbeddingCache(max_memory_mb=2.5 * one_kept)
    segmenter = with_cache(cache)
    first, second, third = (scan((40, 40), seed) for seed in range(3))
    segmenter.embed(first)
    segmenter.embed(second)
    segmenter.embed(first)  # now the second is the older one
    segmenter.embed(third)
    assert (len(cache), cache.n_hits, cache.n_misses) == (2, 1, 3)
    segmenter.embed(first)
    assert cache.n_misses == 3
    segmenter.embed(second)
    assert cache.n_misses == 4


def test_nothing_is_written_unless_a_folder_is_given(with_cache, scan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with_cache(None).embed(scan((40, 40)))
    assert list(tmp_path.rglob("*")) == []


def test_a_second_session_reads_exactly_what_the_first_used(with_cache, scan, tmp_path):
    image = scan((40, 50))
    first = with_cache(EmbeddingCache(tmp_path)).embed(image)
    cache = EmbeddingCache(tmp_path)
    second = with_cache(cache).embed(image)
    assert (cache.n_hits, cache.n_misses) == (1, 0)
    assert torch.equal(first.features, second.features)
    assert second.features.dtype == torch.float32
    assert (second.original_size, second.key, second.encode_s) == (
        first.original_size,
        first.key,
        first.encode_s,
    )


def test_a_folder_keeps_half_precision(with_cache, segmenter, scan, tmp_path):
    image = scan((40, 50))
    exact = segmenter.embed(image).features
    half = with_cache(EmbeddingCache(tmp_path)).embed(image).features
    assert 0 < (half - exact).abs().max() < 0.01
    (path,) = tmp_path.rglob("*.safetensors")
    assert exact.numel() * 2 <= path.stat().st_size < 0.6 * exact.numel() * 4


def damage_by_flipping(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_flipping,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"something else entirely, and long enough to have a header"),
    ],
    ids=["flipped", "truncated", "empty", "other"],
)
def test_a_damaged_entry_is_noticed_and_rebuilt(with_cache, scan, tmp_path, caplog, damage):
    image = scan((40, 50))
    expected = with_cache(EmbeddingCache(tmp_path)).embed(image).features
    (path,) = tmp_path.rglob("*.safetensors")
    damage(path)
    cache = EmbeddingCache(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(with_cache(cache).embed(image).features, expected)
    assert cache.n_misses == 1
    assert caplog.text.count("computed again") == 1
    fresh = EmbeddingCache(tmp_path)
    with_cache(fresh).embed(image)
    assert (fresh.n_hits, fresh.n_misses) == (1, 0)


def test_no_partial_file_is_left_when_writing_fails(with_cache, scan, tmp_path, monkeypatch):
    def full_disk(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mskseg.models.weights.save_file", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        with_cache(EmbeddingCache(tmp_path)).embed(scan((40, 40)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_folder_forgets_what_was_used_longest_ago(with_cache, scan, tmp_path):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(bytes(10_000))  # not ours, and left alone
    images = [scan((40, 40), seed) for seed in range(3)]
    with_cache(EmbeddingCache(tmp_path)).embed(images[0])
    (first,) = (tmp_path / "float16").rglob("*.safetensors")
    two = 2.5 * first.stat().st_size / 2**20
    segmenter = with_cache(EmbeddingCache(tmp_path, max_folder_mb=two))
    segmenter.embed(images[1])
    (second,) = set((tmp_path / "float16").rglob("*.safetensors")) - {first}
    for path, when in ((first, 1_000), (second, 2_000)):
        os.utime(path, (when, when))
    with_cache(EmbeddingCache(tmp_path)).embed(images[0])  # read: now the second is the older one
    segmenter.embed(images[2])
    left = set((tmp_path / "float16").rglob("*.safetensors"))
    assert first in left
    assert second not in left
    assert len(left) == 2
    assert weights.exists()
