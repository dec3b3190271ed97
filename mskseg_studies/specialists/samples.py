"""What a specialist is trained on: slices, and with a box the objects on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

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
    framed = (
        _Slice.of(case_slice, places, config)
        for case in cases
        for case_slice in case.slices(labelled_only=True, step=config.slice_step)
    )
    automatic = config.prompt == "none"
    slices = [at for at in framed if at.numbers or (automatic and at.labels.any())]
    if not slices:
        prompted = "" if automatic else " and is large enough for a prompt"
        raise InputError(
            f"no slice of the {part} cases shows a label that is learned{prompted}; check the "
            "references"
        )
    objects = [(place, k) for place, at in enumerate(slices) for k in at.numbers]
    boxes = [at.boxes_xyxy[[k - 1 for k in at.numbers]] for at in slices]
    return Samples(
        images=torch.stack([at.image for at in slices]),
        labels=torch.stack([at.labels for at in slices]),
        shapes=[at.shape for at in slices],
        objects=torch.tensor(objects, dtype=torch.int64).reshape(-1, 2),
        boxes_xyxy=torch.from_numpy(np.concatenate(boxes)).float(),
        components=torch.stack([at.components for at in slices]),
    )


@dataclass(frozen=True, eq=False)
class _Slice:
    """One slice of `Samples`; component k has the box k - 1."""

    image: Tensor
    labels: Tensor
    components: Tensor
    shape: tuple[int, int]
    boxes_xyxy: NDArray[np.float64]

    @property
    def numbers(self) -> list[int]:
        """Components that are still there in the frame, ascending."""
        return [k for k in torch.unique(self.components).tolist() if k]

    @classmethod
    def of(cls, case_slice: CaseSlice, places: Mapping[int, int], config: SpecialistConfig) -> Self:
        """Take a slice with its numbered components into the frame."""
        label_map, spacing_mm = np.asarray(case_slice.label_map), case_slice.spacing_mm
        labels, components = np.zeros((2, *label_map.shape), np.int64)
        boxes = [np.empty((0, 4))]
        for label in places.keys() & set(np.unique(label_map).tolist()):
            mask = label_map == label
            labels[mask] = places[label]
            numbered, _ = label_components(mask, spacing_mm=spacing_mm)
            components[numbered > 0] = numbered[numbered > 0] + components.max()
            boxes.append(boxes_from_mask(mask, spacing_mm=spacing_mm))
        return cls(
            image_frame(case_slice.image, config.frame_px),
            label_frame(labels, config.frame_px),
            label_frame(components, config.frame_px),
            (label_map.shape[0], label_map.shape[1]),
            np.concatenate(boxes),
        )


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
    if inputs.shape[1] > 1:
        boxes = functional.grid_sample(inputs[:, 1:], grid, align_corners=False, mode="nearest")
        turn[boxes.sum((1, 2, 3)) == 0] = torch.eye(2, 3)
        grid = functional.affine_grid(turn, list(inputs.shape), align_corners=False)
    moved = functional.grid_sample(inputs + 1, grid, align_corners=False) - 1  # outside is black
    if inputs.shape[1] > 1:
        boxes = functional.grid_sample(inputs[:, 1:], grid, align_corners=False, mode="nearest")
        moved = torch.cat([moved[:, :1], boxes], dim=1)
    masks = functional.grid_sample(
        targets[:, None].float(), grid, align_corners=False, mode="nearest"
    )
    gain, shift = 1 + draw[:, 2] * config.contrast, draw[:, 3] * config.contrast
    moved[:, 0] = moved[:, 0] * gain[:, None, None] + shift[:, None, None]
    return moved, masks[:, 0].round().long()
