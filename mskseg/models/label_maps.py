"""From prompts for several labels to one label map of a slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.models.segmenter import Segmenter


def predict_label_map(
    segmenter: Segmenter,
    image: NDArray[Any],
    prompts: Iterable[tuple[int, Mapping[str, Any]]],
) -> NDArray[np.uint16]:
    """Answer prompts for several labels and settle who has which pixel.

    Parameters
    ----------
    segmenter : Segmenter
    image : (H, W) any real dtype, or (H, W, 3) uint8
        As `Segmenter.embed` takes it; embedded once.
    prompts : iterable of (label, arguments)
        A label, 1 to 65535, and keyword arguments of `Segmenter.predict` such as
        ``{"boxes_xyxy": (N, 4)}``. A label may come more than once: it gets what all its prompts
        find. No prompt at all gives an empty map.

    Returns
    -------
    (H, W) uint16
        0 where nothing was found. Where two labels claim a pixel, the one of the higher
        probability has it.

    Raises
    ------
    mskseg.errors.InputError
        As `Segmenter.embed` and `Segmenter.predict`.
    """
    embedding = segmenter.embed(image)
    label_map = np.zeros(embedding.original_size, np.uint16)
    surest = np.zeros(embedding.original_size, np.float32)
    for label, arguments in prompts:
        prediction = segmenter.predict(embedding, **arguments)
        for mask, probability in zip(
            prediction.masks[:, 0], prediction.probabilities[:, 0], strict=True
        ):
            won = mask & (probability > surest)
            label_map[won] = label
            surest[won] = probability[won]
    return label_map
