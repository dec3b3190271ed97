"""Train a U-Net or DeepLabV3+, with the box as an input channel or automatic.

It is trained on slices, and with a box on the objects on them.
"""

import copy
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.metrics import dice
from mskseg.finetuning.losses import soft_dice_loss
from mskseg.models.segmenter import available_device
from mskseg.prompts import boxes_from_mask, jitter_boxes, label_components
from mskseg.splits import Part, check_nobody_twice
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import box_frames, build_network, image_frame, label_frame
from mskseg_studies.specialists.predictions import known_labels
from mskseg_studies.specialists.specialist import HISTORY, Specialist


@dataclass(frozen=True, eq=False)
class Samples:
    """Slices (S, size, size) in the frame, and the N objects on them."""

    images: Tensor
    labels: Tensor  # int64, 0 for background, then the place of the label in `Specialist.labels`
    shapes: list[tuple[int, int]]  # of the original slices
    objects: Tensor  # (N, 2) int64, the slice and the component of each
    boxes_xyxy: Tensor  # (N, 4), tight, in pixels of the original slices
    components: Tensor  # int64, numbered over all labels of a slice, from 1


def gather_samples(
    cases: Iterable[Case],
    labels: Iterable[int],
    config: SpecialistConfig,
    *,
    part: str = "training",
) -> Samples:
    """Take labelled slices into the frame; InputError, which names the `part`, if none is left."""
    # Without what is too thin for the frame: nothing could be learned, and it would have no Dice.
    places = {label: place for place, label in enumerate(labels, start=1)}
    automatic, framed = config.prompt == "none", []
    for case in cases:
        for case_slice in case.slices(labelled_only=True, step=config.slice_step):
            shown, components, boxes = _labels_of(case_slice, places)
            in_frame = label_frame(components, config.frame_px)
            numbers = [k for k in torch.unique(in_frame).tolist() if k]  # still there in the frame
            labelled = label_frame(shown, config.frame_px)
            if numbers or (automatic and labelled.any()):
                image = image_frame(case_slice.image, config.frame_px)
                kept = boxes[[k - 1 for k in numbers]]
                framed.append((image, labelled, in_frame, shown.shape, numbers, kept))
    if not framed:
        prompted = "" if automatic else " and is large enough for a prompt"
        raise InputError(
            f"no slice of the {part} cases shows a label that is learned{prompted}; check the "
            "references"
        )
    images, maps, components_of, shapes, numbers_of, boxes_of = zip(*framed, strict=True)
    objects = [(place, k) for place, numbers in enumerate(numbers_of) for k in numbers]
    return Samples(
        images=torch.stack(images),
        labels=torch.stack(maps),
        shapes=list(shapes),
        objects=torch.tensor(objects, dtype=torch.int64).reshape(-1, 2),
        boxes_xyxy=torch.from_numpy(np.concatenate(boxes_of)).float(),
        components=torch.stack(components_of),
    )


def _labels_of(
    case_slice: CaseSlice, places: Mapping[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Places of labels (H, W), numbered components (H, W), and the box k - 1 of component k."""
    label_map, spacing_mm = np.asarray(case_slice.label_map), case_slice.spacing_mm
    shown, components = np.zeros((2, *label_map.shape), np.int64)
    boxes = [np.empty((0, 4))]
    for label in places.keys() & set(np.unique(label_map).tolist()):
        mask = label_map == label
        shown[mask] = places[label]
        numbered, _ = label_components(mask, spacing_mm=spacing_mm)
        components[numbered > 0] = numbered[numbered > 0] + components.max()
        boxes.append(boxes_from_mask(mask, spacing_mm=spacing_mm))
    return shown, components, np.concatenate(boxes)


def draw_batch(
    samples: Samples,
    config: SpecialistConfig,
    *,
    generator: torch.Generator,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw and augment a batch: inputs (B, C, size, size), targets (B, size, size) int64."""
    n = len(samples.objects) if config.prompt == "box" else len(samples.images)
    chosen = torch.randint(n, (config.batch_size,), generator=generator)
    if config.prompt == "none":
        inputs, targets = samples.images[chosen][:, None], samples.labels[chosen]
    else:
        slices, numbers = samples.objects[chosen].T
        targets = (samples.components[slices] == numbers[:, None, None]).long()
        masks = []
        for box, at in zip(samples.boxes_xyxy[chosen].numpy(), slices.tolist(), strict=True):
            shape = samples.shapes[at]
            moved = jitter_boxes(box, shape=shape, rng=rng, pixels=config.jitter_px)
            masks.append(box_frames(torch.from_numpy(moved).float(), shape, config.frame_px))
        inputs = torch.stack([samples.images[slices], torch.cat(masks)], dim=1)
    return _augmented(inputs, targets, config, generator)


def _augmented(
    inputs: Tensor, targets: Tensor, config: SpecialistConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn and scale image, box and mask alike; change contrast and brightness of the image."""
    draw = torch.rand((len(inputs), 4), generator=generator) * 2 - 1
    angle = torch.deg2rad(draw[:, 0] * config.rotate_deg)
    size = 1 + draw[:, 1] * config.scale
    cosine, sine, zero = angle.cos() * size, angle.sin() * size, torch.zeros(len(inputs))
    turn = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(turn, list(inputs.shape), align_corners=False)

    def nearest(masks: Tensor) -> Tensor:
        return functional.grid_sample(masks, grid, align_corners=False, mode="nearest")

    if inputs.shape[1] > 1:
        # What would lose its box, which may be a pixel or lie at the edge, stays in place.
        turn[nearest(inputs[:, 1:]).sum((1, 2, 3)) == 0] = torch.eye(2, 3)
        grid = functional.affine_grid(turn, list(inputs.shape), align_corners=False)
    moved = functional.grid_sample(inputs + 1, grid, align_corners=False) - 1  # outside is black
    if inputs.shape[1] > 1:
        moved = torch.cat([moved[:, :1], nearest(inputs[:, 1:])], dim=1)
    masks = nearest(targets[:, None].float())
    gain, shift = 1 + draw[:, 2] * config.contrast, draw[:, 3] * config.contrast
    moved[:, 0] = moved[:, 0] * gain[:, None, None] + shift[:, None, None]
    return moved, masks[:, 0].round().long()


def train_specialist(
    train: Iterable[Case],
    validation: Iterable[Case],
    config: SpecialistConfig,
) -> Specialist:
    """Train a specialist from scratch; the step with the best validation Dice is kept.

    All labels of `train` are learned. The same seed gives the same weights on the same machine with
    the same number of threads; another number rounds sums in another order, and that shows.

    InputError if a subject is in both sets, a case has no reference, no slice of a set shows a
    label that is learned, the encoder or the device is unknown, or the training diverges.
    """
    parts: dict[Part, list[Case]] = {"train": list(train), "validation": list(validation)}
    people = {part: {case.subject for case in cases} for part, cases in parts.items()}
    check_nobody_twice(people, what="the specialist")
    labels = known_labels(parts["train"])
    samples = gather_samples(parts["train"], labels, config)
    held_out = gather_samples(parts["validation"], labels, config, part="validation")
    network = build_network(config, n_labels=len(labels))
    network.to(available_device(config.device))
    history = _train(network, samples, held_out, config)
    sequences = sorted({f"{case.dataset} {case.sequence}" for case in parts["train"]})
    data = f"{len(people['train'])} subjects of {', '.join(sequences)}"
    return Specialist(network, config, labels, history=history, data=data)


def _train(
    network: nn.Module, samples: Samples, held_out: Samples, config: SpecialistConfig
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
    with tqdm(total=config.steps, desc=config.architecture) as bar:
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
    """Mean Dice in the frame over objects or labels of some slices; NaN if a logit is infinite."""
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
