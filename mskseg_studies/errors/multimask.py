"""Which of SAM's three masks it picks itself, which was the best, and whether they nest.

SAM gives three masks because three often suffice to name what a click may mean: a whole, a part of
it, a part of that (Kirillov 2023, section 3). So by area each should lie in the next, and the next
should be larger.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mskseg.case import Case
from mskseg.display import frame_around
from mskseg.errors import InputError
from mskseg.evaluation import PromptedSlice, dice, nested_mean, prompted_slices
from mskseg.evaluation.scoring import SCAN, described_scan
from mskseg.models import Segmenter
from mskseg.prompts import OracleBox, Prompt, central_point, label_components
from mskseg_studies.panels import masks_beside

NESTED_INSIDE = 0.9
"""Share of a mask in the next larger one from which it is a part of it: outlines waver a little."""

NESTED_STEP = 1.25
"""Times the area from which the next larger one is another object, not the same drawn twice."""


def score_three_masks(
    segmenter: Segmenter,
    groups: Mapping[str, Iterable[Case]],
    *,
    slice_steps: Mapping[str, int],
    progress: bool = True,
) -> pd.DataFrame:
    """Ask for three masks of each tissue that is in one piece, and score all of them.

    The segmenter has to have learned to predict IoU: without that it cannot choose (InputError).
    `groups` and `slice_steps` are as in `score_people`, of cases with references.

    Returns
    -------
    pandas.DataFrame
        A row for each object and prompt, a click on the most central place ("point") or the tight
        oracle box ("box"): `segmenter`, `data`, those that name the scan, `tissue`,
        `label`, `slice`, `prompt`, `x` and `y` (of the click), `single` (Dice of the one mask that
        the model gives if asked for one), `chosen` (Dice of the mask that it rates highest),
        `best`, `worst`, `chosen_mask` and `best_mask` (0, 1 or 2), and of the three by area:
        `inside` (share of a mask in the next larger one, the lesser of the two shares), `step` (how
        many times larger that one is, the lesser again; both NaN if a mask is empty) and `nested`
        (1 if they are `NESTED_INSIDE` and `NESTED_STEP` or more: part, object, whole; else 0).
    """
    if not segmenter.learned_iou:
        raise InputError(
            f"{segmenter.name} never learned to rate its masks, so it cannot choose one of three; "
            "pass a model with predicted IoU"
        )
    rows = [
        {"segmenter": segmenter.name, "data": data, **row}
        for data, cases in groups.items()
        for prompted in prompted_slices(
            cases,
            OracleBox(),
            slice_step=slice_steps[data],
            progress=progress,
            description="three masks",
        )
        for row in _slice_rows(segmenter, prompted)
    ]
    if not rows:
        raise InputError("no tissue is in one piece large enough to ask about; check the cases")
    return pd.DataFrame(rows)


def summarise_choice(scores: pd.DataFrame) -> pd.DataFrame:
    """Average `score_three_masks`: over slices of a tissue, then tissues, then subjects.

    A row for each `data`, segmenter and prompt: means of `single`, `chosen` and `best`, `lost`
    (best less chosen), `share_best` (how often the best one was chosen), `inside`, `step` and
    `nested` (how often the three were nested), and `n_objects`.
    """
    keys = ["data", "segmenter", "prompt"]
    forms = ["inside", "step", "nested"]
    values = ["single", "chosen", "best", "share_best", *forms]
    right = (scores["chosen_mask"] == scores["best_mask"]).astype(float)
    means = nested_mean(scores.assign(share_best=right), by=keys, values=values)
    means["lost"] = means["best"] - means["chosen"]
    return means[[*keys, "single", "chosen", "best", "lost", "share_best", *forms, "n_objects"]]


def most_lost_panels(
    scores: pd.DataFrame, segmenter: Segmenter, groups: Mapping[str, Iterable[Case]]
) -> NDArray[Any]:
    """Show the three masks of the click on which the model's own choice lost most.

    Of the first group of `score_three_masks`: real people where there are any. The three axes
    are close-ups, headed by the model's rating and the Dice of the mask.
    """
    data, cases = next(iter(groups.items()))
    clicks = scores[(scores["prompt"] == "point") & (scores["data"] == data)].reset_index()
    row = clicks.loc[(clicks["best"] - clicks["chosen"]).idxmax()]
    scan = row[list(SCAN)].to_dict()
    case = next(case for case in cases if described_scan(case) == scan)
    case_slice, point = case.slice(row["slice"]), row[["x", "y"]].to_numpy(dtype=np.float64)
    prediction = segmenter.predict(
        segmenter.embed(case_slice.image),
        point_coords=point[None],
        point_labels=[1],
        multimask=True,
    )
    masks, reference = prediction.masks[0], np.asarray(case_slice.label_map) == row["label"]
    titles = [
        f"rated {rating:.2f}, Dice {dice(reference, mask):.2f}"
        for rating, mask in zip(prediction.predicted_iou[0], masks, strict=True)
    ]
    title = f"{row['tissue']} ({data}): the choice that lost most"
    panels = masks_beside(case_slice, masks, titles=titles, point=point, title=title)
    rows, columns = np.nonzero(masks.any(axis=0) | reference)
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    x0, y0, x1, y1 = frame_around(box, shape=reference.shape)
    for ax in panels:
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    return panels


def _slice_rows(segmenter: Segmenter, prompted: PromptedSlice) -> Iterator[dict[str, Any]]:
    labels = [label for label in prompted.labels if _is_one_piece(prompted, label)]
    if not labels:
        return
    case, case_slice = prompted.case, prompted.case_slice
    masks = [prompted.references[label] for label in labels]
    points = np.array([central_point(mask, spacing_mm=case_slice.spacing_mm) for mask in masks])
    inside = np.ones((len(points), 1), dtype=np.int64)
    prompts = {
        "point": Prompt(point_coords=points[:, None], point_labels=inside),
        "box": Prompt.joined([prompted.prompts[label] for label in labels]),
    }
    embedding = segmenter.embed(case_slice.image)
    for kind, prompt in prompts.items():
        three = segmenter.predict(embedding, prompt, multimask=True)
        single = segmenter.predict(embedding, prompt)
        for number, (label, reference) in enumerate(zip(labels, masks, strict=True)):
            scores = [dice(reference, mask) for mask in three.masks[number]]
            chosen = int(np.argmax(three.predicted_iou[number]))
            yield {
                **described_scan(case),
                "tissue": case.tissue(label),
                "label": label,
                "slice": case_slice.index,
                "prompt": kind,
                "x": points[number, 0],
                "y": points[number, 1],
                "single": dice(reference, single.masks[number, 0]),
                "chosen": scores[chosen],
                "best": max(scores),
                "worst": min(scores),
                "chosen_mask": chosen,
                "best_mask": int(np.argmax(scores)),
                **nesting(three.masks[number]),
            }


def nesting(masks: NDArray[np.bool_]) -> dict[str, float]:
    """Measure how far masks (M, H, W) lie in one another; columns as in `score_three_masks`."""
    ordered = sorted(masks, key=np.count_nonzero)
    areas = [np.count_nonzero(mask) for mask in ordered]
    if areas[0] == 0:
        return {"inside": math.nan, "step": math.nan, "nested": 0.0}
    inside = min(
        np.count_nonzero(small & large) / np.count_nonzero(small)
        for small, large in pairwise(ordered)
    )
    step = min(large / small for small, large in pairwise(areas))
    nested = inside >= NESTED_INSIDE and step >= NESTED_STEP
    return {"inside": float(inside), "step": float(step), "nested": float(nested)}


def _is_one_piece(prompted: PromptedSlice, label: int) -> bool:
    """Whether the reference is one component, specks included, and large enough for a prompt."""
    mask, spacing_mm = prompted.references[label], prompted.case_slice.spacing_mm
    _, n_components = label_components(mask, spacing_mm=spacing_mm, min_area_mm2=0.0)
    return len(prompted.prompts[label]) == 1 and n_components == 1
