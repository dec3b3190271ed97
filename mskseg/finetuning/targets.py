"""A mask of the slice in the decoder's frame: exact, whatever the sizes.

The decoder answers on a grid of h x w cells that lies over the model's square frame of S x S
pixels; the slice takes up a part of that frame (SAM: the upper left, padded) or all of it (MedSAM:
squashed). In continuous coordinates the cell (row r, column c) therefore covers, of the slice, the
rectangle from r S/h · H/H' to (r + 1) S/h · H/H' and the same across, where H' is the height that
the slice takes up in the frame. A target is the share of that rectangle which the mask covers: no
sampling, so nothing shifts by half a pixel, and thin cartilage is neither lost nor widened.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mskseg.models.preprocessing import Preprocessing


def cell_shares(
    cells: int, pixels: int, *, frame: int, taken: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Along one axis: how cells of the decoder's grid lie over the slice's pixels.

    Parameters
    ----------
    cells : int
        Of the grid along this axis.
    pixels : int
        Of the slice.
    frame : int
        Side S of the frame in its pixels.
    taken : int
        Pixels of the frame that the slice takes up.

    Returns
    -------
    shares : (cells, pixels) float32
        Of a cell's part that lies on the slice, the share that each pixel covers; rows add up to 1,
        or to 0 where a cell lies in the padding.
    inside : (cells,) float32
        Share of each cell that lies on the slice.
    """
    edges = np.arange(cells + 1) * (frame / cells) * (pixels / taken)
    low, high = edges[:-1, None], edges[1:, None]
    start = np.arange(pixels)[None]
    overlap = np.clip(np.minimum(high, start + 1) - np.maximum(low, start), 0, None)
    covered = overlap.sum(1)
    shares = overlap / np.maximum(covered, 1e-12)[:, None]
    inside = np.clip(covered / (high - low)[:, 0], 0, 1)
    return shares.astype(np.float32), inside.astype(np.float32)


def targets_in_frame(
    masks: Tensor, *, preprocessing: Preprocessing, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Bring masks to the decoder's resolution.

    Parameters
    ----------
    masks : (N, H, W) bool
        On the slice.
    preprocessing : Preprocessing
        Of the model: where the slice lies in the frame.
    size : (h, w)
        Of the decoder's grid.

    Returns
    -------
    targets : (N, h, w) float32
        Share of each cell, as far as it lies on the slice, that the mask covers.
    inside : (h, w) float32
        Share of each cell that lies on the slice: 0 in SAM's padding, which reaches no mask.
    """
    height, width = masks.shape[1:]
    taken = preprocessing.input_size((height, width))
    down, inside_y = cell_shares(size[0], height, frame=preprocessing.image_size, taken=taken[0])
    across, inside_x = cell_shares(size[1], width, frame=preprocessing.image_size, taken=taken[1])
    rows, columns = (torch.from_numpy(each).to(masks.device) for each in (down, across))
    targets = rows @ (masks.float() @ columns.T)
    inside = torch.from_numpy(np.outer(inside_y, inside_x)).to(masks.device)
    return targets, inside
