"""What a specialist is trained on: slices, and with a box the objects on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.prompts import boxes_from_mask, jitter_boxes, label_components
from mskseg_studies.specialists.config import SpecialistConfig
from mskseg_studies.specialists.networks import box_frames, image_frame, label_frame


@dataclass(frozen=True, eq=False)
class Samples:
    """Slices (S, size, size) in the frame, and the N objects on them.

    `labels` int64 are 0 for background, then the place of the label in `Specialist.labels`, from 1;
    `components` int64 number the components over all labels of a slice, from 1. `shapes` (H, W) are
    those of the original slices, in whose pixels the tight boxes (N, 4) are; `objects` (N, 2) int64
    give the slice and the component of each.
    """

    images: Tensor
    labels: Tensor
    shapes: list[tuple[int, int]]
    objects: Tensor
    boxes_xyxy: Tensor
    components: Tensor


def gather_samples(
    cases: Iterable[Case],
    labels: Iterable[int],
    config: SpecialistConfig,
    *,
    part: str = "training",
) -> Samples:
    """Take the labelled slices of cases into the frame; labels ascend, others become background.

    Slices that show none of the labels there are left out, and with a box objects that are too thin
    for the frame: nothing could be learned from them, and their Dice would not be defined. Raises
    InputError, which names the `part`, if nothing is left.
    """
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
    """Draw and augment one batch; `generator` draws slices or objects, `rng` jitters the boxes.

    Gives inputs (B, C, size, size) float32, the image and with a box its mask, and targets (B,
    size, size) int64: the object as 1, or without a box all labels by place.
    """
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
    """Turn and scale image, box and mask alike; change contrast and brightness of the image.

    A sample that would lose its box, which may be a pixel or lie at the edge, stays in place.
    """
    draw = torch.rand((len(inputs), 4), generator=generator) * 2 - 1
    angle = torch.deg2rad(draw[:, 0] * config.rotate_deg)
    size = 1 + draw[:, 1] * config.scale
    cosine, sine, zero = angle.cos() * size, angle.sin() * size, torch.zeros(len(inputs))
    turn = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(turn, list(inputs.shape), align_corners=False)

    def nearest(masks: Tensor) -> Tensor:
        return functional.grid_sample(masks, grid, align_corners=False, mode="nearest")

    if inputs.shape[1] > 1:
        turn[nearest(inputs[:, 1:]).sum((1, 2, 3)) == 0] = torch.eye(2, 3)
        grid = functional.affine_grid(turn, list(inputs.shape), align_corners=False)
    moved = functional.grid_sample(inputs + 1, grid, align_corners=False) - 1  # outside is black
    if inputs.shape[1] > 1:
        moved = torch.cat([moved[:, :1], nearest(inputs[:, 1:])], dim=1)
    masks = nearest(targets[:, None].float())
    gain, shift = 1 + draw[:, 2] * config.contrast, draw[:, 3] * config.contrast
    moved[:, 0] = moved[:, 0] * gain[:, None, None] + shift[:, None, None]
    return moved, masks[:, 0].round().long()
