"""The assessment's measures on scenes that neither trained nor selected the weights."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from mskseg.evaluation.metrics import dice
from mskseg.models.checkpoints import load_segmenter
from mskseg.models.embeddings import ImageEmbedding
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import SamAutomaticMaskGenerator
from mskseg.prompts import central_point, error_point
from mskseg_mini.assessment.bars import Measure, Sizes
from mskseg_mini.scenes.batch import random_scenes
from mskseg_mini.training.held_out import (
    MEDICAL_REPORT_SEED,
    REPORT_SEED,
    score_held_out_scenes,
    score_medical_scenes,
)

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


def correction_gain(segmenter: Segmenter, *, count: int, points: int = 3) -> float:
    """Mean gain in Dice of `points` corrective points over one point's best of three masks.

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
                gains.append(_gain(segmenter, embedding, mask.numpy(), points))
                bar.update()
    return float(np.mean(gains))


def _gain(segmenter: Segmenter, embedding: ImageEmbedding, mask: BoolMask, points: int) -> float:
    coords, labels = [central_point(mask)], [1]
    first = segmenter.predict(
        embedding, point_coords=np.stack(coords), point_labels=np.array(labels), multimask=True
    )
    best = int(np.argmax([dice(mask, candidate) for candidate in first.masks[0]]))
    start = dice(mask, first.masks[0, best])
    current, logits = first.masks[0, best], first.low_res_logits[:, best]
    for _ in range(points):
        point, label = error_point(mask, current) if (mask != current).any() else (coords[0], 1)
        coords, labels = [*coords, point], [*labels, label]
        corrected = segmenter.predict(
            embedding,
            point_coords=np.stack(coords),
            point_labels=np.array(labels),
            mask_logits=logits,
        )
        current, logits = corrected.masks[0, 0], corrected.low_res_logits[:, 0]
    return dice(mask, current) - start


def automatic_measure(segmenter: Segmenter, sizes: Sizes, *, min_area_px: int = 100) -> Measure:
    """Share of the objects of `min_area_px` or more that an automatic mask meets at IoU >= 0.5.

    Objects are those that training asks for, parts and wholes alike.
    """
    maker = SamAutomaticMaskGenerator(segmenter.model, **AUTOMATIC)
    generator = torch.Generator().manual_seed(REPORT_SEED + 2)
    scenes = random_scenes(sizes.automatic, generator=generator, min_area_px=min_area_px)
    n_found = n_masks = n_objects = 0
    for i in tqdm(range(sizes.automatic), desc="automatic masks"):
        image = scenes.images[i].byte().numpy()
        masks = [m["segmentation"] for m in maker.generate(np.stack([image] * 3, axis=-1))]
        group = scenes.weights[i].nonzero()[:, 0]
        objects = scenes.masks(torch.full_like(group, i), group).flatten(1).float()
        n_masks, n_objects = n_masks + len(masks), n_objects + len(objects)
        if masks:
            n_found += int((_best_iou(objects, masks) >= 0.5).sum())
    share = n_found / n_objects if n_objects else math.nan
    settings = ", ".join(f"{name} {value}" for name, value in AUTOMATIC.items())
    sizes_text = f"{n_objects} objects of {sizes.automatic} scenes, {n_masks} masks; {settings}"
    return Measure("automatic", share, sizes_text)


def _best_iou(objects: Tensor, masks: list[BoolMask]) -> Tensor:
    predictions = torch.from_numpy(np.stack(masks)).flatten(1).float()
    overlap = objects @ predictions.T
    union = objects.sum(1)[:, None] + predictions.sum(1)[None] - overlap
    return (overlap / union).amax(1)
