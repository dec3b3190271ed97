"""The very pixels that a model's encoder is given, to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.models.preprocessing import PREPROCESSINGS, as_rgb_uint8
from mskseg.models.segmenter import Segmenter


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
    view: NDArray[np.float32] = tensor[0, 0].detach().cpu().numpy()
    return view
