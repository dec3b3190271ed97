"""Score SAM-mini on held-out scenes, which select its weights; scans and phantoms only report."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mskseg.finetuning.decoding import decode, embed_masks, embed_prompts
from mskseg.models.upstream import Sam
from mskseg_mini import prompting
from mskseg_mini.interactive import encoder_input
from mskseg_mini.scenes import random_scenes

SELECTION_SEED = 1_000_003  # training draws other streams: its seeds are small numbers


@torch.no_grad()
def score_held_out_scenes(
    sam: Sam, *, batches: int = 6, seed: int = SELECTION_SEED
) -> dict[str, float]:
    """Mean Dice over `batches` of 8 scenes with up to 4 objects each.

    Returns
    -------
    dict
        ``box`` (tight boxes), ``point`` (one point, best of three masks), ``filled_box``, and
        ``n_objects``.
    """
    generator = torch.Generator(sam.pixel_mean.device).manual_seed(seed)
    scores = [_score_batch(sam, generator) for _ in range(batches)]
    means = {name: float(torch.cat([s[name] for s in scores]).mean()) for name in scores[0]}
    return means | {"n_objects": sum(len(s["box"]) for s in scores)}


def _score_batch(sam: Sam, generator: torch.Generator) -> dict[str, Tensor]:
    scenes = random_scenes(8, generator=generator, size=sam.image_encoder.img_size)
    scene, masks = scenes.draw_objects(4, generator=generator)
    embeddings = sam.image_encoder(encoder_input(sam, scenes))[scene]
    boxes = prompting.tight_boxes(masks)
    points = prompting.random_points(masks, generator=generator)
    by_box = _decode(sam, embeddings, *prompting.box_tokens(boxes))[:, 0]
    by_point = _decode(sam, embeddings, *points)[:, 1:]
    return {
        "box": _dice(by_box, masks),
        "point": _dice(by_point, masks[:, None]).amax(1),
        "filled_box": _dice(_filled(boxes, masks.shape[-1]), masks),
    }


def _decode(sam: Sam, embeddings: Tensor, coords: Tensor, labels: Tensor) -> Tensor:
    """Four masks (N, 4, S, S) bool, enlarged as SAM enlarges them."""
    sparse = embed_prompts(sam.prompt_encoder, coords, labels)
    dense = embed_masks(sam.prompt_encoder, None, len(sparse))
    image_pe = sam.prompt_encoder.get_dense_pe()
    logits = decode(sam.mask_decoder, embeddings, image_pe, sparse, dense)[0]
    size = (sam.image_encoder.img_size,) * 2
    return functional.interpolate(logits, size, mode="bilinear") > 0


def _filled(boxes: Tensor, size: int) -> Tensor:
    centres = torch.arange(size, device=boxes.device) + 0.5
    x0, y0, x1, y1 = boxes.unbind(1)
    columns = (centres > x0[:, None]) & (centres < x1[:, None])
    rows = (centres > y0[:, None]) & (centres < y1[:, None])
    return rows[:, :, None] & columns[:, None, :]


def _dice(prediction: Tensor, reference: Tensor) -> Tensor:
    overlap = (prediction & reference).sum((-2, -1))
    total = prediction.sum((-2, -1)) + reference.sum((-2, -1))
    return 2 * overlap / total  # never 0: objects show pixels
