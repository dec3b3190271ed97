"""Resize 8-bit images as OpenCV's ``INTER_AREA`` does, equal in every bit, without OpenCV.

LiteMedSAM was trained on images of that filter. Pillow and PyTorch have area filters too, but they
round in other places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Taps = tuple[NDArray[np.int64], NDArray[np.float32]]
_LEAST_SHARE = 1e-3  # of a pixel; OpenCV leaves out what is less
_COEFFICIENT = 2048  # OpenCV's weights of two neighbours are whole numbers of this part


def area_resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (H, W, C) to `size` (height, width): both sides smaller, to means, or both larger."""
    height, width = image.shape[:2]
    if size == (height, width):
        return image
    if size[0] > height or size[1] > width:
        return _enlarged(image, size)
    if height % size[0] == 0 and width % size[1] == 0:
        return _shrunk_by_whole_numbers(image, size)
    across = _weighted(image.astype(np.float32), _shares(width, size[1]), axis=1)
    down = _weighted(across, _shares(height, size[0]), axis=0)
    return np.rint(down).astype(np.uint8)


def _shrunk_by_whole_numbers(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    rows, columns = image.shape[0] // size[0], image.shape[1] // size[1]
    blocks = image.reshape(size[0], rows, size[1], columns, -1).astype(np.int64)
    total = blocks.sum(axis=(1, 3))
    if rows == columns == 2:  # a half is rounded up, in this case alone
        return np.asarray((total + 2) >> 2, np.uint8)
    mean = total.astype(np.float32) * np.float32(1 / (rows * columns))
    return np.asarray(np.rint(mean), np.uint8)


def _shares(pixels: int, cells: int) -> Taps:
    """Of each cell, the pixels that it covers (cells, K) and their shares of it."""
    scale = 1 / (cells / pixels)  # not the quotient at once: the last bit differs
    start = (np.arange(cells) * scale)[:, None]
    reach = np.arange(int(np.ceil(scale)) + 1)
    index = np.floor(start).astype(np.int64) + reach
    covered = np.minimum(start + scale, index + 1) - np.maximum(start, index)
    covered[(covered <= _LEAST_SHARE) | (index >= pixels)] = 0
    shares = covered.clip(0, 1) / np.minimum(scale, pixels - start)
    return index.clip(max=pixels - 1), shares.astype(np.float32)


def _weighted(image: NDArray[np.float32], taps: Taps, *, axis: int) -> NDArray[np.float32]:
    """Add up weighted pixels along an axis, one after the other: the order decides the rounding."""
    index, weights = taps
    shape = (1, -1, 1) if axis else (-1, 1, 1)
    total = np.zeros_like(image.take(index[:, 0], axis))
    for tap in range(index.shape[1]):
        total += image.take(index[:, tap], axis) * weights[:, tap].reshape(shape)
    return total


def _enlarged(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    columns, across = _neighbours(image.shape[1], size[1])
    rows, down = _neighbours(image.shape[0], size[0])
    whole = image.astype(np.int64)
    weights = across[:, :, None]
    wide = whole[:, columns[0]] * weights[0] + whole[:, columns[1]] * weights[1]
    wide >>= 4  # from here as OpenCV cuts it to 16 bit
    weights = down[:, :, None, None]
    high = ((wide[rows[0]] * weights[0]) >> 16) + ((wide[rows[1]] * weights[1]) >> 16)
    return np.asarray((high + 2) >> 2, np.uint8)


def _neighbours(pixels: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each cell, its two pixels (2, cells) and their weights (2, cells), adding up to 2048."""
    cell = np.arange(cells)
    first = np.floor(cell * (1 / (cells / pixels))).astype(np.int64)
    part = (cell + 1 - (first + 1) * (cells / pixels)).astype(np.float32)
    part = np.where(part <= 0, np.float32(0), part - np.floor(part))
    part = np.where(first >= pixels - 1, np.float32(0), part)
    weights = np.stack([1 - part, part]) * np.float32(_COEFFICIENT)
    last = pixels - 1
    index = np.stack([first.clip(max=last), (first + 1).clip(max=last)])
    return index, np.rint(weights).astype(np.int64)
