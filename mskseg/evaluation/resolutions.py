"""Dice over input resolution, in both readings (see `mskseg.models.resolution`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mskseg.data.cases import Case, CaseSlice
from mskseg.evaluation.metrics import dice
from mskseg.models.resolution import at_frame_size, coarsened
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import boxes_from_mask

COARSER_IMAGE, OTHER_FRAME = "coarser image", "encoder at another size"


def score_resolutions(
    segmenter: Segmenter,
    cases: Iterable[Case],
    *,
    image_sizes: Sequence[int],
    frame_sizes: Sequence[int],
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score oracle boxes at several resolutions; masks are compared on the full grid.

    Parameters
    ----------
    segmenter : Segmenter
    cases : iterable of Case
        With references, finer than the coarsest image, so that there is detail to lose.
    image_sizes : sequence of int
        Longest side in pixels to which slices are shrunk before the model's own preprocessing.
    frame_sizes : sequence of int
        Sides of the frame at which the encoder runs, on the full slice.
    slice_step : int
        Of the labelled slices take every n-th.

    Returns
    -------
    pandas.DataFrame
        A row for each tissue, slice and size: `dataset`, `subject`, `tissue`, `slice`, `reading`
        (`COARSER_IMAGE` or `OTHER_FRAME`), `size_px` and `dice`.

    Raises
    ------
    mskseg.errors.InputError
        If a size does not fit.
    """
    framed = {size: at_frame_size(segmenter, size) for size in frame_sizes}
    ways = [(COARSER_IMAGE, size, segmenter) for size in image_sizes]
    ways += [(OTHER_FRAME, size, model) for size, model in framed.items()]
    rows = []
    for case in cases:
        for one in case.slices(labelled_only=True, step=slice_step):
            for reading, size, model in ways:
                shrink = size if reading == COARSER_IMAGE else max(one.image.shape)
                rows += [
                    {
                        "dataset": case.dataset,
                        "subject": case.subject,
                        "tissue": case.tissue(label),
                        "slice": one.index,
                        "reading": reading,
                        "size_px": size,
                        "dice": score,
                    }
                    for label, score in _scores(model, one, longest_px=shrink)
                ]
    return pd.DataFrame(rows)


def _scores(segmenter: Segmenter, one: CaseSlice, *, longest_px: int) -> list[tuple[int, float]]:
    label_map = np.asarray(one.label_map)
    image = coarsened(one.image, longest_px)
    scale = np.tile(np.divide(image.shape, label_map.shape)[::-1], 2)
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(int)  # nearest coarse pixel
        for n, m in zip(label_map.shape, image.shape, strict=True)
    )
    embedding, scores = segmenter.embed(image), []
    for label in np.unique(label_map[label_map > 0]):
        reference = label_map == label
        boxes = boxes_from_mask(reference, spacing_mm=one.spacing_mm)
        if len(boxes):
            masks = segmenter.predict(embedding, boxes_xyxy=boxes * scale).masks[:, 0]
            found = np.asarray(masks.any(axis=0))[np.ix_(rows, columns)]
            scores.append((int(label), dice(reference, found)))
    return scores
