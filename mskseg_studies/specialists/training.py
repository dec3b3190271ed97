"""Train a U-Net or DeepLabV3+, with the box as an input channel or automatic."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.finetuning.losses import soft_dice_loss
from mskseg.models.segmenter import available_device
from mskseg.splits import Part, check_nobody_twice
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import box_frames, build_network
from mskseg_studies.specialists.predictions import known_labels
from mskseg_studies.specialists.samples import Samples, draw_batch, gather_samples
from mskseg_studies.specialists.specialist import HISTORY, Specialist


def train_specialist(
    train: Iterable[Case],
    validation: Iterable[Case],
    config: SpecialistConfig,
    *,
    progress: bool = True,
) -> Specialist:
    """Train a specialist from scratch; the step with the best validation Dice is kept.

    The same seed gives the same weights on the same machine with the same number of threads.
    Another number rounds sums in another order, and after few steps at this learning rate that
    shows.

    Each case has a reference, whose labels in `train` are learned, and no subject is in both sets.
    A bar on stderr shows `progress`.

    InputError if a subject is in both sets, a case has no reference, no slice of a set shows a
    label that is learned, the encoder or the device is unknown, or the training diverges: the
    message names the step.
    """
    parts: dict[Part, list[Case]] = {"train": list(train), "validation": list(validation)}
    people = {part: {case.subject for case in cases} for part, cases in parts.items()}
    check_nobody_twice(people, what="the specialist")
    labels = known_labels(parts["train"])
    samples = gather_samples(parts["train"], labels, config)
    held_out = gather_samples(parts["validation"], labels, config, part="validation")
    network = build_network(config, n_labels=len(labels))
    network.to(available_device(config.device))
    history = _train(network, samples, held_out, config, progress=progress)
    sequences = sorted({f"{case.dataset} {case.sequence}" for case in parts["train"]})
    data = f"{len(people['train'])} subjects of {', '.join(sequences)}"
    return Specialist(network, config, labels, history=history, data=data)


def _train(
    network: nn.Module,
    samples: Samples,
    held_out: Samples,
    config: SpecialistConfig,
    *,
    progress: bool,
) -> pd.DataFrame:
    """Train in place, to the weights of the best validation."""
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    best, kept, start = -math.inf, copy.deepcopy(network.state_dict()), time.perf_counter()
    rows: list[dict[str, Any]] = []
    with tqdm(total=config.steps, desc=config.architecture, disable=not progress) as bar:
        for step in range(1, config.steps + 1):
            batch = draw_batch(samples, config, generator=generator, rng=rng)
            loss = _step(network, batch, optimiser)
            _check_finite(loss, "loss", step, config)
            schedule.step()
            bar.update()
            if step % config.validate_every and step != config.steps:
                continue
            score = validation_dice(network, held_out, config)
            _check_finite(score, "validation Dice", step, config)
            bar.set_postfix(loss=f"{loss:.3f}", dice=f"{score:.3f}")
            row = (step, loss, score, time.perf_counter() - start)
            rows.append(dict(zip(HISTORY, row, strict=True)))
            if score > best:
                best, kept = score, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return pd.DataFrame(rows)


def _check_finite(value: float, what: str, step: int, config: SpecialistConfig) -> None:
    if not math.isfinite(value):
        raise InputError(
            f"the {what} became {value} at step {step} of {config.steps}: the training diverged; "
            f"lower the learning rate from {config.learning_rate:g}"
        )


def _step(
    network: nn.Module, batch: tuple[Tensor, Tensor], optimiser: torch.optim.Optimizer
) -> float:
    network.train()
    device = next(network.parameters()).device
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = specialist_loss(network(inputs.contiguous(memory_format=torch.channels_last)), targets)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())


def specialist_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Unweighted soft Dice + cross-entropy, as Ma 2024 trains; targets (B, S, S) int64.

    Logits (B, 1, S, S) are of an object against the rest; (B, C, S, S) of background and labels,
    and then the Dice is over the batch, averaged over the labels that occur in it.
    """
    if logits.shape[1] == 1:
        object_logits, mask = logits[:, 0], targets.float()
        entropy = functional.binary_cross_entropy_with_logits(object_logits, mask)
        return soft_dice_loss(object_logits, mask).mean() + entropy
    reference = functional.one_hot(targets, logits.shape[1]).movedim(-1, 1)[:, 1:].float()
    prediction = logits.softmax(1)[:, 1:]
    overlap = (prediction * reference).sum((0, 2, 3))
    total = (prediction + reference).sum((0, 2, 3))
    occurs = reference.sum((0, 2, 3)) > 0
    soft_dice = ((2 * overlap + 1) / (total + 1))[occurs]
    dice_loss = 1 - soft_dice.mean() if len(soft_dice) else logits.new_zeros(())
    return dice_loss + functional.cross_entropy(logits, targets)


@torch.inference_mode()
def validation_dice(network: nn.Module, samples: Samples, config: SpecialistConfig) -> float:
    """Mean Dice in the frame, over objects or over labels, of slices spread over the set.

    Boxes are tight and nothing is augmented. NaN if a logit is not finite.
    """
    network.eval()
    device = next(network.parameters()).device
    n = len(samples.images)
    chosen = np.unique(np.linspace(0, n - 1, min(config.validation_slices, n)).round().astype(int))
    scores: list[float] = []
    for at in chosen.tolist():
        inputs, targets = _whole_slice(samples, at, config)
        logits = network(inputs.to(device)).cpu()
        if not logits.isfinite().all():  # as a mask it would look like an empty prediction
            return math.nan
        if config.prompt == "box":
            pairs = zip(logits[:, 0] > 0, targets > 0, strict=True)
        else:
            classes, present = logits[0].argmax(0), np.unique(targets[0].numpy()).tolist()
            pairs = ((classes == k, targets[0] == k) for k in present if k)  # type: ignore[assignment]
        scores += [dice(reference.numpy(), prediction.numpy()) for prediction, reference in pairs]
    return float(np.mean(scores))


def _whole_slice(samples: Samples, at: int, config: SpecialistConfig) -> tuple[Tensor, Tensor]:
    """All objects of a slice, or the slice: inputs (N, C, S, S) and targets (N, S, S)."""
    image = samples.images[at]
    if config.prompt == "none":
        return image[None, None], samples.labels[at][None]
    on_slice = samples.objects[:, 0] == at
    boxes = box_frames(samples.boxes_xyxy[on_slice], samples.shapes[at], config.frame_px)
    numbers = samples.objects[on_slice, 1]
    inputs = torch.stack([image.expand(len(boxes), -1, -1), boxes], dim=1)
    return inputs, (samples.components[at] == numbers[:, None, None]).long()
