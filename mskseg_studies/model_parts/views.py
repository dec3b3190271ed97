"""The image encoder's input and output as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.preprocessing import PREPROCESSINGS, as_rgb_uint8
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import check_points


def model_view(image: NDArray[Any], *, segmenter: Segmenter, kind: str) -> NDArray[np.float32]:
    """Prepare a slice as one kind of model does, at the size that a segmenter takes.

    Parameters
    ----------
    image : (H, W) any real dtype, or (H, W, 3) uint8
        As for `Segmenter.embed`.
    segmenter : Segmenter
        Gives the side S of the frame and the published mean and deviation; not run.
    kind : {"sam", "medsam"}
        Whose preprocessing, whatever the segmenter's own is.

    Returns
    -------
    (S, S) float32
        The first of three channels. Of SAM in standard deviations of the photographs that it
        learned from, with zeros below or right of the slice; of MedSAM from 0 to 1.

    Raises
    ------
    InputError
        If the kind is unknown, or the image is none.
    """
    if kind not in PREPROCESSINGS:
        raise InputError(f"unknown kind {kind!r}; choose one of {', '.join(PREPROCESSINGS)}")
    preprocessing = PREPROCESSINGS[kind](segmenter.preprocessing.image_size)
    tensor = preprocessing.image_tensor(as_rgb_uint8(image), segmenter.model)
    view: NDArray[np.float32] = tensor[0, 0].cpu().numpy()
    return view


def embedding_colours(embedding: ImageEmbedding, *, segmenter: Segmenter) -> NDArray[np.float32]:
    """Paint an embedding's three strongest directions of variation as red, green and blue.

    Parameters
    ----------
    embedding : ImageEmbedding
    segmenter : Segmenter
        That made it; tells which cells are padding.

    Returns
    -------
    (rows, columns, 3) float32
        From 0 to 1; the cells that hold the slice. Cells of equal colour look alike to the decoder.
    """
    cells = _cells(embedding, segmenter)
    flat = cells.reshape(-1, cells.shape[-1])
    centred = flat - flat.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    strongest = centred @ directions[:3].T
    low, high = np.percentile(strongest, (2, 98), axis=0)
    scaled = ((strongest - low) / np.maximum(high - low, 1e-6)).clip(0, 1)
    colours: NDArray[np.float32] = scaled.reshape(*cells.shape[:2], 3).astype(np.float32)
    return colours


def embedding_likeness(
    embedding: ImageEmbedding, point: tuple[float, float], *, segmenter: Segmenter
) -> NDArray[np.float32]:
    """Compare the cell under a point with all others, by the cosine of their features.

    Parameters
    ----------
    embedding : ImageEmbedding
    point : (x, y)
        In pixels of the slice.
    segmenter : Segmenter
        That made the embedding.

    Returns
    -------
    (rows, columns) float32
        From -1 to 1; 1 at the point's own cell. The mean over all cells is taken off before.

    Raises
    ------
    InputError
        If the point lies outside the slice.
    """
    height, width = embedding.original_size
    check_points(np.asarray([point], dtype=np.float64), (height, width))
    cells = _cells(embedding, segmenter)
    cells = cells - cells.mean(axis=(0, 1))
    cells /= np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), 1e-6)
    per_cell = slice_px_per_cell(embedding, segmenter)
    column, row = (
        min(int(at / px), n - 1)
        for at, px, n in zip(point, per_cell, cells.shape[1::-1], strict=True)
    )
    likeness: NDArray[np.float32] = (cells @ cells[row, column]).astype(np.float32)
    return likeness


def slice_px_per_cell(embedding: ImageEmbedding, segmenter: Segmenter) -> tuple[float, float]:
    """Compute how many pixels of the slice a cell of the embedding covers, in x and in y.

    The last cell of a row may reach beyond the slice, into the padding.
    """
    taken = segmenter.preprocessing.input_size(embedding.original_size)
    cell_px = segmenter.preprocessing.image_size / embedding.features.shape[-1]
    per_y, per_x = (
        cell_px * of_slice / of_frame
        for of_slice, of_frame in zip(embedding.original_size, taken, strict=True)
    )
    return per_x, per_y


def _cells(embedding: ImageEmbedding, segmenter: Segmenter) -> NDArray[np.float32]:
    """Features (rows, columns, C) of the cells that hold the slice, padding left out."""
    features = embedding.features[0].permute(1, 2, 0).cpu().numpy()
    taken = segmenter.preprocessing.input_size(embedding.original_size)
    side = segmenter.preprocessing.image_size
    rows, columns = (
        int(np.ceil(pixels / side * cells))
        for pixels, cells in zip(taken, features.shape[:2], strict=True)
    )
    return features[:rows, :columns].copy()
