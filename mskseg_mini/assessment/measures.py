"""What the assessment measures: on phantoms and real scans with oracle boxes, and on scenes.

The scenes are ones that neither trained nor selected the weights.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mskseg.case import CaseSlice
from mskseg.datasets.fetching import verify
from mskseg.datasets.loading import list_subjects, load_cases
from mskseg.evaluation.averaging import summarise
from mskseg.evaluation.loop import prompt_slice
from mskseg.evaluation.metrics import dice, iou
from mskseg.evaluation.scoring import score_cases
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.segmenter import Segmenter, predict_label_map
from mskseg.models.upstream import SamAutomaticMaskGenerator
from mskseg.prompts import central_point, error_point
from mskseg.prompts.plans import OracleBox
from mskseg.volume import Plane
from mskseg_mini.assessment.bars import Measure, Sizes
from mskseg_mini.scenes.batch import random_scenes
from mskseg_mini.training.held_out import (
    MEDICAL_REPORT_SEED,
    REPORT_SEED,
    score_held_out_scenes,
    score_medical_scenes,
)
from mskseg_phantom.provider import PhantomSource

PHANTOMS = ("phantom_thigh", "phantom_knee", "phantom_spine", "phantom_hip")
REAL: dict[str, Plane] = {
    "qmritools_thigh": "axial",
    "qmritools_leg": "axial",
    "tptbox_vertebra": "sagittal",
}
"""Real scans and the plane each is judged in."""

_THIN = ("cartilage", "meniscus")
_NO_BAR = ("fat", "canal")  # neither bone, disc, muscle nor thin
_OWN_BAR: dict[str, dict[str, tuple[str, ...]]] = {
    "qmritools_thigh": {"femur": ("femur left", "femur right")},
    "tptbox_vertebra": {k: (k,) for k in ("vertebral body", "intervertebral disc")},
}
"""Tissues of real scans that have a row of their own."""


def bar_group(kind: str) -> str:
    """Give the group of bars that a kind of tissue belongs to: "solid", "thin" or "no bar"."""
    if kind in _THIN:
        return "thin"
    return "no bar" if kind in _NO_BAR else "solid"


def score_phantoms(segmenter: Segmenter, sizes: Sizes) -> pd.DataFrame:
    """Score the test subjects of all four phantoms; rows as `score_cases`, and their `group`."""
    tables = []
    for name in PHANTOMS:
        subjects = list_subjects(name, part="test")[: sizes.subjects]
        sequences = PhantomSource(name).sequences()[: sizes.sequences]
        cases = load_cases(name, subjects=subjects, sequences=sequences)
        step = sizes.slice_step
        tables.append(score_cases(segmenter, cases, prompts=OracleBox(), slice_step=step))
    table = pd.concat(tables, ignore_index=True)
    table["group"] = table["group"].map(bar_group)
    return table


def phantom_measures(table: pd.DataFrame) -> list[Measure]:
    """Mean of the solid and of the thin tissues, and how many are below their box."""
    by_tissue = _summary(table[table["group"] == "solid"], ["dataset", "tissue"])
    n_below = int((by_tissue["dice"] <= by_tissue["filled_box_dice"]).sum())
    below = Measure("below", n_below, f"{len(by_tissue)} tissues")
    solid, thin = (_mean_of(table[table["group"] == g], g) for g in ("solid", "thin"))
    return [solid, below, thin]


def tissue_measures(table: pd.DataFrame) -> list[Measure]:
    """Mean of each phantom tissue beside its filled box, in the order of the labels."""
    summary = _summary(table, ["dataset", "tissue"])
    return [
        Measure(
            f"{row['dataset'].removeprefix('phantom_')}: {row['tissue']}",
            row["dice"],
            f"{row['n_pairs']} slices",
            row["filled_box_dice"],
        )
        for row in summary.to_dict("records")
    ]


def iou_correlation(table: pd.DataFrame) -> Measure:
    """Pearson's r of predicted and true IoU where a row has one prompt, and so one of each."""
    rows = table[(table["n_prompts"] == 1) & (table["status"] == "scored")]
    r = float(rows["predicted_iou"].corr(rows["iou"])) if len(rows) > 2 else math.nan
    return Measure("iou_r", r, f"{len(rows)} boxes")


def score_real(segmenter: Segmenter, name: str, sizes: Sizes) -> pd.DataFrame | None:
    """Score a real scan in its plane; None where its files are not in the cache."""
    if any(file.state != "present" for file in verify(name)):
        return None
    return score_cases(
        segmenter,
        load_cases(name),
        prompts=OracleBox(),
        plane=REAL[name],
        slice_step=sizes.real_slice_step,
    )


def real_measures(name: str, table: pd.DataFrame | None) -> list[Measure]:
    """Mean over the labels of a real scan, and over those that have a bar of their own."""
    own = _OWN_BAR.get(name, {})
    if table is None:
        return [Measure(key, math.nan, "not fetched") for key in (*own, name)]
    parts = {key: table[table["tissue"].isin(tissues)] for key, tissues in own.items()}
    return [_mean_of(rows, key) for key, rows in (*parts.items(), (name, table))]


def _mean_of(rows: pd.DataFrame, key: str) -> Measure:
    if not (rows["status"] == "scored").any():
        return Measure(key, math.nan, "no pair on these slices")
    (row,) = _summary(rows, []).to_dict("records")
    counts = ((row[f"n_{what}s"], what) for what in ("subject", "label", "slice", "pair"))
    measured_on = ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)
    return Measure(key, row["dice"], measured_on, row["filled_box_dice"])


def _summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return summarise(rows, by=["segmenter", "prompt", "box_source", *by])


@dataclass(frozen=True, eq=False)
class ScoredSlice:
    """A slice with what was predicted on it."""

    case_slice: CaseSlice
    prediction: NDArray[np.uint16]  # (H, W) label map
    dice: float  # mean over the labels of the slice
    name: str  # of the data set


def ranked_slices(
    segmenter: Segmenter, tables: Iterable[pd.DataFrame], *, count: int = 10
) -> dict[str, list[ScoredSlice]]:
    """Predict the ``best``, ``median`` and ``worst`` slices of `score_real` again, best first."""
    rows = pd.concat(list(tables), ignore_index=True)
    rows = rows[rows["status"] == "scored"]
    ranked = rows.groupby(["dataset", "slice"])["dice"].mean().sort_values(ascending=False)
    middle = max(0, (len(ranked) - count) // 2)
    cases = {name: load_cases(name, progress=False)[0] for name in rows["dataset"].unique()}
    parts = {
        "best": ranked[:count],
        "median": ranked[middle : middle + count],
        "worst": ranked[-count:],
    }
    found: dict[str, list[ScoredSlice]] = {kind: [] for kind in parts}
    for kind, part in parts.items():
        for (name, index), mean in part.items():
            case_slice = cases[name].slice(index, plane=REAL[name])
            prompts = prompt_slice(cases[name], case_slice, OracleBox()).prompts
            asked = [(label, prompt) for label, prompt in prompts.items() if len(prompt)]
            prediction = predict_label_map(segmenter, case_slice.image, asked)
            found[kind].append(ScoredSlice(case_slice, prediction, mean, name))
    return found


AUTOMATIC = {
    "points_per_side": 32,  # SAM's: a point every 8 px, so that one falls on 10 px objects
    "pred_iou_thresh": 0.3,  # a miniature is less sure of itself than SAM, for which 0.88 is usual
    "stability_score_thresh": 0.3,  # its logits are less steep, too (SAM: 0.95)
    "box_nms_thresh": 0.7,  # SAM's
}
"""Settings of `segment_anything.SamAutomaticMaskGenerator` that suit the miniature."""

BoolMask = NDArray[np.bool_]


def scene_measures(segmenter: Segmenter, sizes: Sizes) -> list[Measure]:
    """Box, one point and corrective points on held-out scenes."""
    scores = score_held_out_scenes(segmenter.model, batches=sizes.batches, seed=REPORT_SEED)
    objects = f"{scores['n_objects']:.0f} objects of {8 * sizes.batches} scenes"
    gain = correction_gain(segmenter, count=sizes.corrected)
    return [
        Measure("scenes_box", scores["box"], objects, scores["filled_box"]),
        Measure("scenes_point", scores["point"], objects),
        Measure("scenes_gain", gain, f"{sizes.corrected} objects"),
    ]


def medical_measures(segmenter: Segmenter, sizes: Sizes) -> list[Measure]:
    """Tight boxes on held-out medical scenes, and what the shipped sibling gains there."""
    sibling = load_segmenter("medsam_vit_mini")
    scores = [
        score_medical_scenes(model, scenes=sizes.medical, seed=MEDICAL_REPORT_SEED)
        for model in (segmenter, sibling)
    ]
    scenes = f"{sizes.medical} scenes"
    return [
        Measure("medical", scores[0], scenes),
        Measure("medical_gain", scores[1] - scores[0], f"{scenes}; the sibling {scores[1]:.3f}"),
    ]


def correction_gain(segmenter: Segmenter, *, count: int) -> float:
    """Mean gain in Dice of three corrective points over one point's best of three masks.

    As SAM is evaluated (Kirillov 2023, appendix D): the first point is the object's most central
    pixel, each further one lies deepest in the error region, and the logits of the mask before go
    in as mask prompt.
    """
    generator = torch.Generator().manual_seed(REPORT_SEED + 1)
    gains: list[float] = []
    with tqdm(total=count, desc="corrective points") as bar:
        while len(gains) < count:
            scenes = random_scenes(4, generator=generator)
            drawn = zip(*scenes.draw_objects(4, generator=generator), strict=True)
            for i, mask in islice(drawn, count - len(gains)):
                embedding = segmenter.embed(scenes.images[i].byte().numpy())
                gains.append(_gain(segmenter, embedding, mask.numpy()))
                bar.update()
    return float(np.mean(gains))


def _gain(segmenter: Segmenter, embedding: ImageEmbedding, mask: BoolMask) -> float:
    coords, labels = [central_point(mask)], [1]
    first = segmenter.predict(embedding, point_coords=coords, point_labels=labels, multimask=True)
    best = int(np.argmax([dice(mask, candidate) for candidate in first.masks[0]]))
    start = dice(mask, first.masks[0, best])
    current, logits = first.masks[0, best], first.low_res_logits[:, best]
    for _ in range(3):
        point, label = error_point(mask, current) if (mask != current).any() else (coords[0], 1)
        coords, labels = [*coords, point], [*labels, label]
        corrected = segmenter.predict(
            embedding, point_coords=coords, point_labels=labels, mask_logits=logits
        )
        current, logits = corrected.masks[0, 0], corrected.low_res_logits[:, 0]
    return dice(mask, current) - start


def automatic_measure(segmenter: Segmenter, sizes: Sizes) -> Measure:
    """Share of objects of 100 px or more, parts and wholes, that automatic masks meet (IoU 0.5)."""
    maker = SamAutomaticMaskGenerator(segmenter.model, **AUTOMATIC)
    generator = torch.Generator().manual_seed(REPORT_SEED + 2)
    scenes = random_scenes(sizes.automatic, generator=generator, min_area_px=100)
    n_found = n_masks = n_objects = 0
    for i in tqdm(range(sizes.automatic), desc="automatic masks"):
        image = scenes.images[i].byte().numpy()
        masks = [m["segmentation"] for m in maker.generate(np.stack([image] * 3, axis=-1))]
        group = scenes.weights[i].nonzero()[:, 0]
        objects = scenes.masks(torch.full_like(group, i), group).numpy()
        n_masks, n_objects = n_masks + len(masks), n_objects + len(objects)
        best = [max((iou(one, mask) for mask in masks), default=0.0) for one in objects]
        n_found += sum(overlap >= 0.5 for overlap in best)
    share = n_found / n_objects if n_objects else math.nan
    settings = ", ".join(f"{name} {value}" for name, value in AUTOMATIC.items())
    sizes_text = f"{n_objects} objects of {sizes.automatic} scenes, {n_masks} masks; {settings}"
    return Measure("automatic", share, sizes_text)
