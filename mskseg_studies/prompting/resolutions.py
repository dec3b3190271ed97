"""Dice over input resolution, in two readings: a coarser image, or an encoder of another size.

Hu 2023 compares 224, 512 and 1024 pixels without saying which of the two is meant. SAM's own
preprocessing enlarges any image to its frame, so a coarser image costs detail and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.models.frame_size import at_frame_size
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import MIN_AREA_MM2, Prompt
from mskseg.prompts.plans import OracleBox, OraclePlan

COARSER_IMAGE, OTHER_FRAME = "coarser image", "encoder at another size"


def coarsened(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Shrink a slice so that its longest side has `size` pixels (area average, antialiased).

    Parameters
    ----------
    image : (H, W) uint8
    size : int
        At most the longest side: nothing is gained by enlarging.

    Returns
    -------
    (h, w) uint8
        The grid covers the same field, so coordinates scale by h / H and w / W.

    Raises
    ------
    InputError
        If the size is not between 1 and the longest side.
    """
    longest = max(image.shape)
    if not 1 <= size <= longest:
        raise InputError(f"expected a longest side of 1 to {longest} pixels, got {size}")
    height, width = (max(1, round(n * size / longest)) for n in image.shape)
    shrunk: NDArray[np.uint8] = np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    )
    return shrunk


def score_resolutions(
    segmenter: Segmenter,
    cases: Iterable[Case],
    *,
    image_sizes: Sequence[int],
    frame_sizes: Sequence[int],
    plans: Sequence[OraclePlan] = (OracleBox(),),
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score prompts from the reference at several resolutions, all on the full grid.

    Parameters
    ----------
    segmenter : Segmenter
    cases : iterable of Case
        With references, finer than the coarsest image, so that there is detail to lose.
    image_sizes : sequence of int
        Longest side in pixels to which slices are shrunk before the model's own preprocessing. The
        probabilities that come back are enlarged (bilinear) and cut at one half on the full grid,
        so that what is lost was lost in the image, not in the grid of the mask.
    frame_sizes : sequence of int
        Sides of the frame at which the encoder runs, on the full slice.
    plans : sequence of OraclePlan
        What to ask with; the same prompts at every size.
    slice_step : int
        Of the labelled slices take every n-th.

    Returns
    -------
    pandas.DataFrame
        A row for each tissue, slice, plan and size: `dataset`, `subject`, `tissue`, `slice`,
        `prompt`, `box_source` (as in `score_cases`), `reading` (`COARSER_IMAGE` or `OTHER_FRAME`),
        `size_px` and `dice`. Tissues that get no prompt are left out.

    Raises
    ------
    mskseg.errors.InputError
        If a size does not fit, or there is no tissue to ask for.
    """
    ways = [(COARSER_IMAGE, size, segmenter) for size in image_sizes]
    ways += [(OTHER_FRAME, size, at_frame_size(segmenter, size)) for size in frame_sizes]
    rows: list[dict[str, Any]] = []
    for case in cases:
        for one in case.slices(labelled_only=True, step=slice_step):
            asked = list(_asked(case, one, plans))
            for reading, size, model in ways if asked else []:
                shrink = size if reading == COARSER_IMAGE else max(one.image.shape)
                described = {"slice": one.index, "reading": reading, "size_px": size}
                for what, score in _scores(model, one, asked, longest_px=shrink):
                    named = {"dataset": case.dataset, "subject": case.subject}
                    rows.append(named | what | described | {"dice": score})
    if not rows:
        raise InputError("there is no tissue to ask for; check the cases and the sizes")
    return pd.DataFrame(rows)


_Asked = tuple[dict[str, str], NDArray[np.bool_], Prompt]


def _asked(case: Case, one: CaseSlice, plans: Sequence[OraclePlan]) -> Iterator[_Asked]:
    """Describe each tissue and plan, with the reference and its prompts on the full grid."""
    label_map = np.asarray(one.label_map)
    for label in np.unique(label_map[label_map > 0]):
        mask = label_map == label
        for plan in plans:
            given = plan.prompt_for(
                mask,
                spacing_mm=one.spacing_mm,
                min_area_mm2=MIN_AREA_MM2,
                key=(case.name, one.plane, one.index, int(label)),
            )
            if len(given):
                described = {"prompt": plan.kind, "box_source": plan.box_source}
                yield described | {"tissue": case.tissue(int(label))}, mask, given


def _scores(
    segmenter: Segmenter, one: CaseSlice, asked: Sequence[_Asked], *, longest_px: int
) -> Iterator[tuple[dict[str, str], float]]:
    image = coarsened(one.image, longest_px)
    scale = np.divide(image.shape, one.image.shape)[::-1]  # of x, of y
    embedding = segmenter.embed(image)
    for described, mask, given in asked:
        prediction = segmenter.predict(embedding, _scaled(given, scale, shape=image.shape))
        probability = prediction.probabilities[:, 0].max(axis=0)
        yield described, dice(mask, _enlarged(probability, mask.shape) > 0.5)


def _scaled(given: Prompt, scale_xy: NDArray[np.float64], *, shape: tuple[int, ...]) -> Prompt:
    points = None if given.point_coords is None else given.point_coords * scale_xy
    # What reaches the edge must not pass it by rounding.
    most = np.tile(shape[::-1], 2).astype(np.float64)
    boxes = given.boxes_xyxy
    if boxes is not None:
        boxes = np.minimum(boxes * np.tile(scale_xy, 2), most)
    return replace(given, boxes_xyxy=boxes, point_coords=points)


def _enlarged(probability: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Interpolate (h, w) to (H, W), both grids over the same field (half-pixel centres)."""
    import torch

    field = torch.as_tensor(probability)[None, None]
    size = (shape[0], shape[1])
    enlarged: NDArray[np.float32] = torch.nn.functional.interpolate(
        field, size, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    return enlarged
