"""The settings of a pretraining, and one step of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mskseg.errors import InputError
from mskseg.finetuning.passes import backward_in_passes
from mskseg.models.upstream import Sam
from mskseg_mini.interactive import (
    Window,
    draw_prompts,
    encoder_input,
    interactive_loss,
    nearest_mean_loss,
)
from mskseg_mini.scenes import random_scenes
from mskseg_mini.timing import PartTimes

PADDED_SHARE = 0.33  # of the images that lose a strip: slices that are not square arrive padded


@dataclass(frozen=True)
class PretrainConfig:
    """How SAM-mini is trained; the reason stands beside each default."""

    steps: int = 6000  # of joint training; about an hour and a half on two idle cores
    warm_steps: int = 850  # of geometry: Dice 0.8 on its ellipses, after which it flattens
    scenes: int = 8  # images a step: the encoder's batch
    prompts: int = 4  # objects asked for in each image: they share its encoding
    patch_share: float = 0.6  # first steps see quarters of the frame: more scenes a second
    prompts_a_pass: int = (
        8  # decoded together; on two cores more is slower (cache), on a GPU take 64
    )
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up: int = 200  # steps of rising learning rate
    decay_share: float = 0.35  # the last part of the steps, in which the rate falls to a twentieth
    clip_norm: float = 1.0
    second_round: float = 0.34  # share of steps with a corrective point: half a step's cost more
    corrections: int = 1  # most corrective points of these steps; each costs as much again
    box_share: float = 0.65  # of first prompts; the rest are points
    iou_weight: float = 1.0  # of the predicted IoU's squared error beside the masks' loss, as SAM's
    feature_weight: float = 0.5  # of the nearest-mean loss, which wakes the encoder
    average: float = 0.998  # of the weights that are kept (exponential moving average)
    evaluate_every: int = 250  # steps between held-out scores and checkpoints
    held_out_batches: int = 6  # of 8 scenes and 32 objects: a standard error of about 0.015
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that no training can be made of."""
        for name in ("steps", "scenes", "prompts", "prompts_a_pass", "warm_up", "evaluate_every"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name} is {value}, expected 1 or more")


def train_step(
    sam: Sam,
    config: PretrainConfig,
    *,
    patch: bool,
    generator: torch.Generator,
    autocast: torch.autocast,
    times: PartTimes,
) -> float:
    """Gradients of one step, in passes of few prompts so that memory stays small.

    With `patch`, the images are quarters of the frame, and twice as many.
    """
    frame_px, frame_cells = sam.image_encoder.img_size, sam.prompt_encoder.image_embedding_size[0]
    size, cells = (frame_px // 2, frame_cells // 2) if patch else (frame_px, frame_cells)
    count = config.scenes * (2 if patch else 1)
    with times.part("scenes"):
        scenes = random_scenes(count, generator=generator, size=size, padded_share=PADDED_SHARE)
        prompts = draw_prompts(
            scenes,
            per_scene=config.prompts,
            box_share=config.box_share,
            low_res=4 * cells,
            generator=generator,
        )
    rounds = drawn_rounds(config, generator)
    window = Window.drawn(cells=cells, frame_cells=frame_cells, generator=generator)
    with times.part("encoder"), autocast:
        encoded = sam.image_encoder(encoder_input(sam, scenes)).float()
    leaf = encoded.detach().requires_grad_()

    def loss_of(chosen: slice, embeddings: Tensor) -> Tensor:
        part = prompts.part(chosen)
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
        return loss * len(part.image) / len(prompts.image)

    with times.part("decoder"):
        together = config.prompts_a_pass * (4 if patch else 1)
        total = backward_in_passes(leaf, loss_of, count=len(prompts.image), together=together)
        with autocast:
            feature_loss = config.feature_weight * nearest_mean_loss(sam, leaf, prompts)
        feature_loss.backward()  # type: ignore[no-untyped-call]
    with times.part("encoder"):
        encoded.backward(leaf.grad)
    return total + feature_loss.item()


def drawn_rounds(config: PretrainConfig, generator: torch.Generator) -> int:
    """How many masks of each prompt a step trains: the first, and those after corrections."""
    device = generator.device
    if float(torch.rand((), generator=generator, device=device)) >= config.second_round:
        return 1
    if config.corrections == 1:
        return 2
    return 1 + int(torch.randint(1, config.corrections + 1, (), generator=generator, device=device))
