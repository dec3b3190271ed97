"""Interactive training, as SAM was trained: a first prompt, a mask, a correction, a better mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mskseg.finetuning.losses import mask_iou, soft_dice_loss
from mskseg.finetuning.prompt_tokens import PromptTokens, decode_prompts
from mskseg.models.upstream import Sam
from mskseg_mini.scenes.batch import SceneBatch
from mskseg_mini.training.simulated_prompts import (
    box_tokens,
    boxes_or_points,
    error_points,
    jittered,
    random_points,
    tight_boxes,
)

MAX_SHIFT_PX = 5.0  # of a box's side: SAM's 20 px of a frame of 1024


@dataclass(frozen=True)
class Window:
    """Where a smaller training image lies in the model's frame.

    Only the prompt side knows places: an image of a quarter of the frame, put somewhere in it,
    trains the same weights at a quarter of the cost.
    """

    column: int = 0  # cell of the embedding grid at the image's upper left corner
    row: int = 0
    cell_px: int = 8  # pixels of the frame per cell

    @classmethod
    def drawn(cls, *, cells: int, frame_cells: int, generator: torch.Generator) -> Window:
        """Draw a place for an image of `cells` a side in a frame of `frame_cells`."""
        room, device = frame_cells - cells + 1, generator.device
        return cls(*torch.randint(room, (2,), generator=generator, device=device).tolist())

    def cut(self, image_pe: Tensor, cells: int) -> Tensor:
        """Cut the image's part (1, C, cells, cells) out of the frame's positional encoding."""
        return image_pe[..., self.row : self.row + cells, self.column : self.column + cells]

    def to_frame(self, tokens: PromptTokens) -> PromptTokens:
        """Bring tokens from the image to the frame."""
        shift = torch.tensor([self.column, self.row], device=tokens.coords.device) * self.cell_px
        return PromptTokens(tokens.coords + shift, tokens.labels)


@dataclass(frozen=True, eq=False)
class TrainingTargets:
    """N objects that are asked for: their first prompts, and what is right."""

    image: Tensor  # (N,) index into the batch
    masks: Tensor  # (N, S, S) bool
    tokens: PromptTokens  # N of 2 tokens: a box, or a point and padding
    boxed: Tensor  # (N,) bool
    target: Tensor  # (N, h, w) covered share at the decoder's resolution
    region: Tensor  # (N, h, w) weight of the cross-entropy

    def __getitem__(self, chosen: slice) -> TrainingTargets:
        return TrainingTargets(**{name: value[chosen] for name, value in vars(self).items()})


def draw_targets(
    scenes: SceneBatch,
    *,
    per_scene: int,
    box_share: float,
    low_res: int,
    generator: torch.Generator,
) -> TrainingTargets:
    """Choose `per_scene` objects of each scene and a first prompt for each."""
    image, masks = scenes.draw_objects(per_scene, generator=generator, again=True)
    count, device = len(masks), masks.device

    def chance(share: float) -> Tensor:
        return torch.rand(count, generator=generator, device=device) < share

    tight = tight_boxes(masks)
    spread = torch.where(chance(0.5), 0.02, 0.1)  # half nearly tight, half as SAM's
    boxes = jittered(tight, relative=spread, max_px=MAX_SHIFT_PX, generator=generator)
    boxes = boxes.clamp(0, masks.shape[-1])
    points = random_points(masks, generator=generator)
    boxed = chance(box_share)
    return TrainingTargets(
        image=image,
        masks=masks,
        tokens=boxes_or_points(boxed, box_tokens(boxes), points),
        boxed=boxed,
        target=shrink_masks(masks, low_res),
        region=box_region(tight, low_res, scale=low_res / masks.shape[-1]),
    )


def mask_and_iou_loss(
    logits: Tensor,
    predicted_iou: Tensor,
    targets: TrainingTargets,
    *,
    ambiguous: Tensor,
    iou_weight: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Loss of the least of three masks for an ambiguous prompt, of mask 0 for a clear one.

    After SAM's (Kirillov 2023, section 3); cross-entropy near the object stands for its focal loss.
    Returns the loss, () float, and which mask counted, (N,) int64.
    """
    target, region = targets.target[:, None], targets.region[:, None]
    of_masks = regional_cross_entropy(logits, target, region) + soft_dice_loss(logits, target)
    triple = of_masks[:, 1:].min(1)
    best = torch.where(ambiguous, triple.indices + 1, 0)
    # The other head gets a small share: one point may be asked for one mask, a box for three.
    main = torch.where(ambiguous, triple.values, of_masks[:, 0])
    other = torch.where(ambiguous, of_masks[:, 0], triple.values)
    iou = mask_iou(logits, targets.masks)
    off = ((predicted_iou - iou) ** 2).mean(1)
    return (main + 0.2 * other + iou_weight * off).mean(), best


def interactive_loss(
    sam: Sam,
    embeddings: Tensor,
    targets: TrainingTargets,
    *,
    rounds: int,
    window: Window,
    iou_weight: float,
    generator: torch.Generator,
) -> Tensor:
    """Loss of a first prompt and of `rounds` - 1 corrections, averaged.

    `embeddings` (N, C, h, w) are one per prompt; `window` is where the images lie in the frame.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        image_pe = window.cut(sam.prompt_encoder.get_dense_pe(), embeddings.shape[-1])
    tokens, previous = targets.tokens, None
    ambiguous, total = ~targets.boxed, torch.zeros((), device=embeddings.device)
    for round_number in range(rounds):
        logits, iou = decode_prompts(
            sam, embeddings, window.to_frame(tokens), mask_logits=previous, image_pe=image_pe
        )
        loss, best = mask_and_iou_loss(
            logits.float(), iou.float(), targets, ambiguous=ambiguous, iou_weight=iou_weight
        )
        total = total + loss / rounds
        if round_number + 1 < rounds:
            chosen = logits.detach().float()[torch.arange(len(best)), best]
            previous = chosen[:, None].clamp(-32, 32)
            factor = targets.masks.shape[-1] // chosen.shape[-1]
            predictions = (chosen > 0).repeat_interleave(factor, 1).repeat_interleave(factor, 2)
            correction = error_points(targets.masks, predictions, generator=generator)
            tokens = PromptTokens.joined([tokens, correction], dim=1)
            ambiguous = torch.zeros_like(ambiguous)
    return total


def nearest_mean_loss(sam: Sam, embeddings: Tensor, targets: TrainingTargets) -> Tensor:
    """Loss of telling objects from their surroundings by the nearer mean feature, without a prompt.

    The mean feature inside each object and around it are taken from the target itself, so this
    trains the image encoder and the upscaling alone (prototypes, as in Snell et al. 2017,
    arXiv 1703.05175). Without it the decoder goes on filling boxes for a thousand steps before it
    looks at the image at all. `embeddings` (B, C, h, w) are of the images, not of the prompts.
    """
    features = sam.mask_decoder.output_upscaling(embeddings).float()[targets.image]
    target, around = targets.target, (targets.region == 1) * (1 - targets.target)
    inner, outer = (_weighted_mean(features, weight) for weight in (target, around))
    to_inner = (features - inner).square().sum(1)
    to_outer = (features - outer).square().sum(1)
    logits = (to_outer - to_inner) / 2
    entropy = regional_cross_entropy(logits, target, targets.region)
    return (entropy + soft_dice_loss(logits, target)).mean()


def _weighted_mean(features: Tensor, weight: Tensor) -> Tensor:
    total = weight.sum((1, 2)).clamp_min(1e-3)
    mean = torch.einsum("nchw,nhw->nc", features, weight) / total[:, None]
    return mean[:, :, None, None]


def encoder_input(sam: Sam, scenes: SceneBatch) -> Tensor:
    """Images as the encoder takes them (B, 3, S, S): standardised, and zero in their padding."""
    rgb: Tensor = (scenes.images[:, None] - sam.pixel_mean) / sam.pixel_std
    rgb = rgb.masked_fill(scenes.padding[:, None], 0.0)
    return rgb.contiguous(memory_format=torch.channels_last)


def shrink_masks(masks: Tensor, size: int) -> Tensor:
    """Masks (N, H, W) bool as the covered share (N, size, size) float32 of each coarse pixel.

    Area averaging keeps pixel edges where they are; sampling would shift the mask by half a pixel.
    """
    return functional.adaptive_avg_pool2d(masks.float()[:, None], size)[:, 0]


def regional_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor, *, positive_weight: float = 1.0
) -> Tensor:
    """Cross-entropy averaged with `weight` over (..., h, w) -> (...).

    The weight is 1 near the object and small far away, where most pixels are and nothing is to be
    learned; `positive_weight` says how much more a missed object pixel costs than a spilled one.
    """
    factor = torch.tensor(positive_weight, device=logits.device)
    loss = functional.binary_cross_entropy_with_logits(
        logits, target.expand_as(logits), pos_weight=factor, reduction="none"
    )
    return (loss * weight).sum((-2, -1)) / weight.sum((-2, -1))


def box_region(boxes_xyxy: Tensor, size: int, *, scale: float) -> Tensor:
    """Weights (N, size, size): 1 in boxes grown by a third of their sides and 4 px, 0.05 elsewhere.

    Boxes (N, 4) are in pixels of the frame, which are `scale` coarse pixels each.
    """
    centres = (torch.arange(size, device=boxes_xyxy.device) + 0.5) / scale
    margin = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 3 + 4
    low, high = boxes_xyxy[:, :2] - margin, boxes_xyxy[:, 2:] + margin
    near_x = (centres > low[:, :1]) & (centres < high[:, :1])
    near_y = (centres > low[:, 1:]) & (centres < high[:, 1:])
    return torch.where(near_y[:, :, None] & near_x[:, None, :], 1.0, 0.05)
