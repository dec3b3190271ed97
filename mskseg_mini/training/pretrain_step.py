"""The settings of a pretraining, one step of its warm start, and one joint step.

**Warm start**: the prompt side learns geometry before there is any image. Trained jointly from
random weights, SAM-mini collapses to empty masks and stays there, whatever the weights of the
losses. With a prompt side that can already fill a box, joint training starts at the filled-box
level.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from mskseg.finetuning.losses import soft_dice_loss
from mskseg.finetuning.prompt_tokens import decode_prompts
from mskseg.finetuning.trainer import backward_in_passes
from mskseg.models.upstream import Attention, Sam
from mskseg.settings import settings
from mskseg_mini.scenes.batch import random_scenes
from mskseg_mini.training.interactive import (
    Window,
    box_region,
    box_tokens,
    boxes_or_points,
    draw_targets,
    encoder_input,
    interactive_loss,
    nearest_mean_loss,
    random_points,
    regional_cross_entropy,
    shrink_masks,
)

PADDED_SHARE = 0.33  # of the images that lose a strip: slices that are not square arrive padded


@settings
class PretrainConfig:
    """How SAM-mini is trained; the reason stands beside each default."""

    steps: PositiveInt = 6000  # of joint training; about an hour and a half on two idle cores
    warm_steps: int = 850  # of geometry: Dice 0.8 on its ellipses, after which it flattens
    scenes: PositiveInt = 8  # images a step: the encoder's batch
    prompts: PositiveInt = 4  # objects asked for in each image: they share its encoding
    patch_share: float = 0.6  # first steps see quarters of the frame: more scenes a second
    prompts_a_pass: PositiveInt = (
        8  # decoded together: more is slower on two cores; on a GPU take 64
    )
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up: PositiveInt = 200  # steps of rising learning rate
    decay_share: float = 0.35  # the last part of the steps, in which the rate falls to a twentieth
    clip_norm: float = 1.0
    second_round: float = 0.34  # share of steps with a corrective point: half a step's cost more
    corrections: int = 1  # most corrective points of these steps; each costs as much again
    box_share: float = 0.65  # of first prompts; the rest are points
    iou_weight: float = 1.0  # of the predicted IoU's squared error beside the masks' loss, as SAM's
    feature_weight: float = 0.5  # of the nearest-mean loss, which wakes the encoder
    average: float = 0.998  # of the weights that are kept (exponential moving average)
    evaluate_every: PositiveInt = 250  # steps between held-out scores and checkpoints
    held_out_batches: int = 6  # of 8 scenes and 32 objects: a standard error of about 0.015
    seed: int = 0


def initialise(sam: Sam) -> None:
    """Give SAM-mini the start that training needs."""
    # Frequencies from coarse to fine: SAM's single scale blurs corners of 15 px boxes.
    gaussian = sam.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    gaussian.mul_(torch.logspace(-0.3, 0.6, gaussian.shape[1]))
    for module in sam.mask_decoder.modules():
        if isinstance(module, Attention):  # a token attends to its own place from the start
            module.k_proj.load_state_dict(module.q_proj.state_dict())


def warm_start_loss(sam: Sam, *, count: int, generator: torch.Generator) -> Tensor:
    """Loss on ellipses that fill a box, and discs around a point, without any image."""
    device, size = generator.device, sam.image_encoder.img_size
    draw = torch.rand(6, count, 1, 1, generator=generator, device=device)
    half = size * 0.02 * (20 ** draw[:2])  # 5 to 100 px
    centre = half + (size - 2 * half).clamp_min(1) * draw[2:4]
    axis = torch.arange(size, device=device) + 0.5
    boxed = draw[4, :, 0, 0] < 0.7
    half = torch.where(boxed[:, None, None], half, half.mean(0))
    u, v = (axis - centre[0]) / half[0], (axis[:, None] - centre[1]) / half[1]
    masks = u * u + v * v < 1
    boxes = torch.cat([centre - half, centre + half])[:, :, 0, 0].T
    points = random_points(masks, generator=generator, central=1.0)
    tokens = boxes_or_points(boxed, box_tokens(boxes), points)
    grid, width = sam.prompt_encoder.image_embedding_size, sam.prompt_encoder.embed_dim
    noise = torch.randn((count, width, *grid), generator=generator, device=device)
    noise = noise * draw[5, :, None]
    logits, _ = decode_prompts(sam, noise, tokens)
    low_res = logits.shape[-1]
    target = shrink_masks(masks, low_res)[:, None]
    region = box_region(boxes, low_res, scale=low_res / size)[:, None]
    entropy = regional_cross_entropy(logits, target, region, positive_weight=4.0)
    return (entropy + soft_dice_loss(logits, target)).mean()


def train_step(
    sam: Sam,
    config: PretrainConfig,
    *,
    patch: bool,
    generator: torch.Generator,
    autocast: torch.autocast,
) -> float:
    """Gradients of one step, in passes of few prompts; a `patch` is a quarter of the frame."""
    frame_px, frame_cells = sam.image_encoder.img_size, sam.prompt_encoder.image_embedding_size[0]
    size, cells = (frame_px // 2, frame_cells // 2) if patch else (frame_px, frame_cells)
    count = config.scenes * (2 if patch else 1)
    scenes = random_scenes(count, generator=generator, size=size, padded_share=PADDED_SHARE)
    targets = draw_targets(
        scenes,
        per_scene=config.prompts,
        box_share=config.box_share,
        low_res=4 * cells,
        generator=generator,
    )
    rounds = drawn_rounds(config, generator)
    window = Window.drawn(cells=cells, frame_cells=frame_cells, generator=generator)
    with autocast:
        encoded = sam.image_encoder(encoder_input(sam, scenes)).float()
    leaf = encoded.detach().requires_grad_()

    def loss_of(chosen: slice, embeddings: Tensor) -> Tensor:
        part = targets[chosen]
        with autocast:
            loss = interactive_loss(
                sam,
                embeddings[part.image],
                part,
                rounds=rounds,
                window=window,
                iou_weight=config.iou_weight,
                generator=generator,
            )
        return loss * len(part.image) / len(targets.image)

    together = config.prompts_a_pass * (4 if patch else 1)
    total = backward_in_passes(leaf, loss_of, count=len(targets.image), together=together)
    with autocast:
        feature_loss = config.feature_weight * nearest_mean_loss(sam, leaf, targets)
    feature_loss.backward()  # type: ignore[no-untyped-call]
    encoded.backward(leaf.grad)
    return total + feature_loss.item()


def drawn_rounds(config: PretrainConfig, generator: torch.Generator) -> int:
    """How many masks of each prompt a step trains: the first, and those after corrections."""
    device, most = generator.device, config.corrections
    if float(torch.rand((), generator=generator, device=device)) >= config.second_round:
        return 1
    if most == 1:
        return 2
    return 1 + int(torch.randint(1, most + 1, (), generator=generator, device=device))
