"""Dice over input resolution, in two readings: a coarser image, or an encoder of another size.

Hu 2023 compares 224, 512 and 1024 pixels without saying which of the two is meant. SAM's own
preprocessing enlarges any image to its frame, so a coarser image costs detail and nothing else.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation import PromptedSlice, dice, subject_means
from mskseg.models import Segmenter
from mskseg.prompts import OracleBox, Prompt
from mskseg.prompts.plans import OraclePlan
from mskseg_studies.prompting.frame_size import at_frame_size, has_fixed_frame
from mskseg_studies.prompting.scans import asked_slices, described, over_people

COARSER_IMAGE, OTHER_FRAME = "coarser image", "encoder at another size"
_KEYS = ["model", "miniature", "prompt", "reading"]
_CHANGED = (*_KEYS, "dataset", "coarser_px", "finer_px")


def score_resolutions(
    segmenter: Segmenter,
    cases: Iterable[Case],
    *,
    image_sizes: Sequence[int],
    frame_sizes: Sequence[int],
    plans: Sequence[OraclePlan] = (OracleBox(),),
    n_slices: int | None = None,
) -> pd.DataFrame:
    """Score prompts from the reference at several resolutions, all on the full grid.

    The cases have references, finer than the coarsest image, so that there is detail to lose.
    `image_sizes` are the longest sides in pixels to which slices are shrunk before the model's own
    preprocessing. The probabilities that come back are enlarged (bilinear) and cut at one half on
    the full grid, so that what is lost was lost in the image, not in the grid of the mask.
    `frame_sizes` are the sides of the frame at which the encoder runs, on the full slice. Each plan
    gives the same prompts at every size. Of a person's labelled slices `n_slices` are taken, evenly
    spread; all by default.

    Gives a row for each tissue, slice, plan and size: `model`, `miniature`, `dataset`, `subject`,
    `tissue`, `group`, `slice`, `prompt`, `box_source` (as in `score_cases`), `reading`
    (`COARSER_IMAGE` or `OTHER_FRAME`), `size_px` and `dice`; tissues that get no prompt are left
    out. InputError if a size does not fit, or no tissue gets a prompt.
    """
    models = [(COARSER_IMAGE, size, segmenter) for size in image_sizes]
    models += [(OTHER_FRAME, size, at_frame_size(segmenter, size)) for size in frame_sizes]
    asked = {"model": segmenter.name, "miniature": segmenter.miniature}
    rows = [
        row | asked | {"reading": reading, "size_px": size_px}
        for case in cases
        for of_plans in asked_slices(case, plans, n_slices)
        for reading, size_px, model in models
        for row in _slice_rows(
            model, plans, of_plans, size_px=size_px if reading == COARSER_IMAGE else None
        )
    ]
    if not rows:
        raise InputError("no tissue gets a prompt; check the cases and n_slices")
    return pd.DataFrame(rows)


def possible_sizes(cases: Iterable[Case], sizes: Sequence[int]) -> list[int]:
    """Keep the sizes that every case has, or take their own: nothing is gained by enlarging."""
    longest = min(max(case.slice(0).image.shape) for case in cases)
    return [size for size in sizes if size <= longest] or [longest]


def possible_frames(segmenter: Segmenter, sizes: Sequence[int]) -> list[int]:
    """Keep the sizes at which the encoder can run: all, or where it is built for one, that one."""
    return [segmenter.preprocessing.image_size] if has_fixed_frame(segmenter) else list(sizes)


def resolution_changes(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare every two sizes: the mean change of Dice from the coarser to the finer.

    That a finer image does *not always* help is a statement about some pair, and whoever looks at
    several pairs finds one that falls by chance. So the intervals, of Student's t over people, are
    made wider after Bonferroni: all those of one model, plan and reading hold together with 95 per
    cent, and the smallest of the true changes lies between the smallest `low` and the smallest
    `high`.

    Of `score_resolutions`. A row for each model, plan, reading, data set and pair of sizes:
    `model`, `miniature`, `prompt`, `reading`, `dataset`, `coarser_px`, `finer_px`, `change`, its
    interval `low` to `high` (NaN with one person) and `n_subjects`.
    """
    means = subject_means(scores, by=[*_KEYS, "size_px"])["dice"]
    rows: list[dict[str, Any]] = []
    for key, of_reading in means.groupby(level=_KEYS, sort=False):
        changes = {}
        for dataset, of_set in of_reading.groupby(level="dataset", sort=False):
            by_size = of_set.unstack("size_px").dropna(axis=1, how="all").sort_index(axis=1)
            for coarser_px, finer_px in combinations(by_size, 2):
                changes[dataset, coarser_px, finer_px] = by_size[finer_px] - by_size[coarser_px]
        rows += [
            dict(zip(_CHANGED, (*key, *pair), strict=True))
            | over_people(change, n_intervals=len(changes))
            for pair, change in changes.items()
        ]
    return pd.DataFrame(rows, columns=[*_CHANGED, "change", "low", "high", "n_subjects"])


def _slice_rows(
    segmenter: Segmenter,
    plans: Sequence[OraclePlan],
    of_plans: Sequence[PromptedSlice],
    *,
    size_px: int | None,
) -> Iterator[dict[str, Any]]:
    """Score one slice, shrunk to `size_px` if it is given: by label, then by plan."""
    if not any(len(prompted.prompt) for prompted in of_plans):
        return
    original = of_plans[0].case_slice.image
    image = original if size_px is None else coarsened(original, size_px)
    embedding = segmenter.embed(image)
    answers = [
        segmenter.predict(
            embedding, _scaled(prompted.prompt, original.shape, image.shape)
        ).probabilities[:, 0]
        for prompted in of_plans
    ]
    for label in of_plans[0].labels:
        for plan, prompted, probabilities in zip(plans, of_plans, answers, strict=True):
            if len(prompted.prompts[label]):
                probability = probabilities[prompted.rows(label)].max(axis=0)
                mask = _enlarged(probability, original.shape) > 0.5
                yield described(prompted, label) | {
                    "prompt": plan.kind,
                    "box_source": plan.box_source,
                    "dice": dice(prompted.references[label], mask),
                }


def coarsened(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Shrink a slice (H, W) to a longest side of `size` pixels, by area averages of one field."""
    longest = max(image.shape)
    if not 1 <= size <= longest:
        raise InputError(f"expected a longest side of 1 to {longest} pixels, got {size}")
    height, width = (max(1, round(n * size / longest)) for n in image.shape)
    shrunk = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    return np.asarray(shrunk)


def _scaled(prompt: Prompt, from_shape: tuple[int, ...], to_shape: tuple[int, ...]) -> Prompt:
    """Move boxes or points to a grid of another shape over the same field."""
    scale_xy = np.divide(to_shape, from_shape)[::-1]
    boxes, points = prompt.boxes_xyxy, prompt.point_coords
    if boxes is not None:  # what reaches the edge must not pass it by rounding
        boxes = np.minimum(boxes * np.tile(scale_xy, 2), np.tile(to_shape[::-1], 2))
    if points is not None:
        points = points * scale_xy
    return replace(prompt, boxes_xyxy=boxes, point_coords=points)


def _enlarged(probability: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Interpolate (h, w) to (H, W), both grids over the same field (half-pixel centres)."""
    field = torch.as_tensor(probability)[None, None]
    enlarged: NDArray[np.float32] = functional.interpolate(field, shape, mode="bilinear")[
        0, 0
    ].numpy()
    return enlarged
