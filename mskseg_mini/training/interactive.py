"""Interactive training, as SAM was trained: a first prompt, a mask, a correction, a better mask.

Prompts are simulated in batches, on the device that trains (after Kirillov 2023, section 3 and A):
`mskseg.prompts` does the same for one mask with NumPy; here it is thousands a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import masks_to_boxes

from mskseg.finetuning.losses import mask_iou, soft_dice_loss
from mskseg.finetuning.prompt_tokens import (
    CORNER_MAX,
    CORNER_MIN,
    NEGATIVE,
    PADDING,
    POSITIVE,
    PromptTokens,
    decode_prompts,
)
from mskseg.models.upstream import Sam
from mskseg_mini.scenes.batch import SceneBatch


def tight_boxes(masks: Tensor) -> Tensor:
    """Boxes (N, 4) float32, half-open continuous x0, y0, x1, y1, of masks (N, H, W) bool."""
    boxes: Tensor = masks_to_boxes(masks) + torch.tensor([0.0, 0.0, 1.0, 1.0], device=masks.device)
    return boxes


def jittered(
    boxes: Tensor, *, relative: Tensor, max_px: float, generator: torch.Generator
) -> Tensor:
    """Move every side by normal noise of `relative` (N,) of the box's length, at most `max_px`."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    noise = torch.randn(boxes.shape, generator=generator, device=boxes.device)
    shift = (noise * relative[:, None] * sides).clamp(-max_px, max_px)
    # A side moves at most a third of the way to its opposite, so that no box inverts.
    return boxes + torch.minimum(torch.maximum(shift, -sides / 3), sides / 3)


def box_tokens(boxes: Tensor) -> PromptTokens:
    """Two corner tokens for each box (N, 4).

    SAM is given inclusive pixel indices and adds half a pixel, so a half-open box is embedded half
    a pixel inside its corners: (x0 + 0.5, y0 + 0.5) and (x1 - 0.5, y1 - 0.5).
    """
    inset = boxes + torch.tensor([0.5, 0.5, -0.5, -0.5], device=boxes.device)
    labels = torch.tensor([CORNER_MIN, CORNER_MAX], device=boxes.device)
    return PromptTokens(inset.view(-1, 2, 2), labels.expand(len(boxes), 2))


def random_points(
    masks: Tensor, *, generator: torch.Generator, central: float = 0.5
) -> PromptTokens:
    """Draw a positive point in each mask (N, H, W); its tokens are the point and a padding token.

    With probability `central` a point prefers the middle of its mask, as a person would click.
    """
    point = _draw_pixel(_preferring_middles(masks, central, generator), generator)
    coords = torch.stack([point, torch.zeros_like(point)], dim=1)
    labels = torch.tensor([POSITIVE, PADDING], device=masks.device)
    return PromptTokens(coords, labels.expand(len(masks), 2))


def boxes_or_points(boxed: Tensor, boxes: PromptTokens, points: PromptTokens) -> PromptTokens:
    """Take the box of each prompt where `boxed` (N,) is true, and else its point."""
    coords = torch.where(boxed[:, None, None], boxes.coords, points.coords)
    return PromptTokens(coords, torch.where(boxed[:, None], boxes.labels, points.labels))


def error_points(masks: Tensor, predictions: Tensor, *, generator: torch.Generator) -> PromptTokens:
    """Draw a point in the error of each mask (N, H, W): positive if missed, negative if spilled."""
    wrong = masks != predictions
    wrong = torch.where(wrong.flatten(1).any(1)[:, None, None], wrong, masks)
    point = _draw_pixel(_preferring_middles(wrong, 0.5, generator), generator)
    column, row = point.long().unbind(1)
    index = torch.arange(len(masks), device=masks.device)
    labels = torch.where(masks[index, row, column], POSITIVE, NEGATIVE)
    return PromptTokens(point[:, None], labels[:, None])


def _preferring_middles(regions: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Weights (N, H, W) of the pixels: even, or with probability `share` largest in the middle."""
    inside = regions.float()
    # Share of the region nearby, at a quarter of the resolution: a blur of every pixel is slow.
    coarse = functional.avg_pool2d(inside[:, None], 4)
    nearby = functional.avg_pool2d(coarse, 5, 1, 2)
    depth = functional.interpolate(nearby, size=regions.shape[1:])[:, 0] * inside
    depth = depth / depth.amax((1, 2), keepdim=True).clamp_min(1e-6)
    prefer = torch.rand(len(regions), 1, 1, generator=generator, device=regions.device) < share
    return torch.where(prefer, depth**8, inside)


def _draw_pixel(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Centre (x, y) of a pixel drawn from (N, H, W) weights, as (N, 2) float32."""
    width = weights.shape[2]
    flat = weights.flatten(1) + 1e-12  # an empty mask still gives a pixel
    index = torch.multinomial(flat, 1, generator=generator)[:, 0]
    return torch.stack([index % width, index // width], dim=1).float() + 0.5


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
    """Loss of a first prompt and of `rounds` - 1 corrections; one embedding (C, h, w) each."""
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
    """Masks (N, H, W) bool as the covered share (N, size, size) float32 of each coarse pixel."""
    # Averaging keeps pixel edges where they are; sampling would shift the mask by half a pixel.
    return functional.adaptive_avg_pool2d(masks.float()[:, None], size)[:, 0]


def regional_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor, *, positive_weight: float = 1.0
) -> Tensor:
    """Cross-entropy averaged with `weight` over (..., h, w); a missed pixel costs more."""
    factor = torch.tensor(positive_weight, device=logits.device)
    loss = functional.binary_cross_entropy_with_logits(
        logits, target.expand_as(logits), pos_weight=factor, reduction="none"
    )
    return (loss * weight).sum((-2, -1)) / weight.sum((-2, -1))


def box_region(boxes_xyxy: Tensor, size: int, *, scale: float) -> Tensor:
    """Weights (N, size, size): 1 in boxes grown by a third and 4 px, 0.05 elsewhere."""
    centres = (torch.arange(size, device=boxes_xyxy.device) + 0.5) / scale
    margin = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 3 + 4
    low, high = boxes_xyxy[:, :2] - margin, boxes_xyxy[:, 2:] + margin
    near_x = (centres > low[:, :1]) & (centres < high[:, :1])
    near_y = (centres > low[:, 1:]) & (centres < high[:, 1:])
    return torch.where(near_y[:, :, None] & near_x[:, None, :], 1.0, 0.05)
