"""Scores on held-out scenes, which select the weights; scans and phantoms only report."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mskseg.evaluation.metrics import dice
from mskseg.finetuning.prompt_tokens import PromptTokens, decode_prompts
from mskseg.models.segmenter import Segmenter
from mskseg.models.upstream import Sam
from mskseg.prompts import fill_boxes
from mskseg_mini.scenes.batch import random_scenes
from mskseg_mini.scenes.medical import random_medical_scenes
from mskseg_mini.training.interactive import box_tokens, encoder_input, random_points, tight_boxes

# Training draws other streams: its seeds are small numbers. What selects never reports.
SELECTION_SEED, REPORT_SEED = 1_000_003, 2_000_003
MEDICAL_SELECTION_SEED, MEDICAL_REPORT_SEED = 3_000_003, 4_000_037


@torch.no_grad()
def score_held_out_scenes(
    sam: Sam, *, batches: int = 6, seed: int = SELECTION_SEED
) -> dict[str, float]:
    """Mean Dice of box, point (best of three) and filled box over scenes, and ``n_objects``."""
    generator = torch.Generator(sam.pixel_mean.device).manual_seed(seed)
    scores = [_score_batch(sam, generator) for _ in range(batches)]
    means = {name: float(torch.cat([s[name] for s in scores]).mean()) for name in scores[0]}
    return means | {"n_objects": sum(len(s["box"]) for s in scores)}


def _score_batch(sam: Sam, generator: torch.Generator) -> dict[str, Tensor]:
    scenes = random_scenes(8, generator=generator, size=sam.image_encoder.img_size)
    scene, masks = scenes.draw_objects(4, generator=generator)
    embeddings = sam.image_encoder(encoder_input(sam, scenes))[scene]
    boxes = tight_boxes(masks)
    points = random_points(masks, generator=generator)
    shape = (masks.shape[1], masks.shape[2])
    each = [fill_boxes(box[None], shape) for box in boxes.cpu().numpy()]
    filled = torch.from_numpy(np.stack(each))
    by_box = _decode(sam, embeddings, box_tokens(boxes))[:, 0]
    by_point = _decode(sam, embeddings, points)[:, 1:]
    return {
        "box": _dice(by_box, masks),
        "point": _dice(by_point, masks[:, None]).amax(1),
        "filled_box": _dice(filled.to(masks.device), masks),
    }


def _decode(sam: Sam, embeddings: Tensor, tokens: PromptTokens) -> Tensor:
    """Four masks (N, 4, S, S) bool, enlarged as SAM enlarges them."""
    logits, _ = decode_prompts(sam, embeddings, tokens)
    size = (sam.image_encoder.img_size,) * 2
    return functional.interpolate(logits, size, mode="bilinear") > 0


def _dice(prediction: Tensor, reference: Tensor) -> Tensor:
    overlap = (prediction & reference).sum((-2, -1))
    total = prediction.sum((-2, -1)) + reference.sum((-2, -1))
    return 2 * overlap / total  # never 0: objects show pixels


def score_medical_scenes(segmenter: Segmenter, *, scenes: int, seed: int) -> float:
    """Mean Dice of tight boxes on held-out medical scenes, in the model's own preprocessing."""
    generator = torch.Generator().manual_seed(seed)
    scores: list[float] = []
    for _ in range(math.ceil(scenes / 8)):
        batch = random_medical_scenes(8, generator=generator)
        image, masks = batch.draw_objects(4, generator=generator)
        boxes = tight_boxes(masks).numpy()
        for i in sorted(set(image.tolist())):
            rows = (image == i).numpy()
            embedding = segmenter.embed(batch.images[i].byte().numpy())
            predictions = segmenter.predict(embedding, boxes_xyxy=boxes[rows]).masks[:, 0]
            scores += map(dice, masks.numpy()[rows], predictions)
    return float(np.mean(scores))
