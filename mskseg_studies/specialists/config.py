"""How a specialist is built and trained; the reason stands beside each default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig, Mode

Architecture = Literal["unet", "deeplabv3plus"]
SpecialistPrompt = Literal["box", "none"]


@dataclass(frozen=True)
class SpecialistConfig:
    """Parameters of a U-Net or DeepLabV3+; the reason stands beside each default.

    Ma 2024 trains one specialist for each modality, with the box as a binary mask in a further
    input channel and one object a pass (``prompt="box"``). ``prompt="none"`` is the fully automatic
    variant: all labels at once, nothing but the image.

    Attributes
    ----------
    encoder : str
        A name of segmentation-models-pytorch; always without pretrained weights.
    frame_px : int
        Side of the square that a slice is resized into; a multiple of 32.
    batch_size : int
        Objects (with a box) or slices (without) in each step.
    validate_every : int
        Steps between two scores on the validation set; the best step's weights are kept.
    learning_rate : float
        Of AdamW; it falls to 0 along a cosine.
    jitter_px : float
        Each side of a training box moves by up to this much, in pixels of the slice.
    rotate_deg, scale, contrast : float
        Augmentation: largest angle, change of size and of contrast and brightness.
    slice_step : int
        Train on every n-th labelled slice.
    validation_slices : int
        Slices scored in validation, spread over the set.
    """

    architecture: Architecture = "unet"  # the stronger of Ma's two where little data is at hand
    prompt: SpecialistPrompt = "box"  # Ma's
    encoder: str = "resnet18"  # smallest of the ResNets; a minute on two cores
    frame_px: int = 128  # 256 costs four times as much, and muscles are still there at 128
    steps: int = 200  # a minute on two cores; the full run takes more
    batch_size: int = 8
    validate_every: int = 50
    learning_rate: float = 5e-3  # from scratch, with batch norm and few steps; 2e-3 learns less
    weight_decay: float = 0.01  # AdamW's default and Ma's
    jitter_px: float = 3.0  # as boxes of people are off; 0 would teach it to fill the box
    rotate_deg: float = 10.0  # how far a leg may lie turned
    scale: float = 0.1
    contrast: float = 0.2
    slice_step: int = 1
    validation_slices: int = 12  # selects among few steps; the report is on the test set
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for value, known in (
            (self.architecture, get_args(Architecture)),
            (self.prompt, get_args(SpecialistPrompt)),
        ):
            if value not in known:
                raise InputError(f"{value!r} is unknown; choose {' or '.join(known)}")
        if self.frame_px < 32 or self.frame_px % 32:
            raise InputError(f"frame_px is {self.frame_px}, expected a multiple of 32")
        for name in ("steps", "validate_every", "slice_step", "validation_slices"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.batch_size < 2:
            raise InputError(
                f"batch_size is {self.batch_size}, expected 2 or more: batch norm needs several"
            )


def short_tuning(
    steps: int,
    *,
    learning_rate: float = 2e-4,
    warm_up: int,
    slice_step: int,
    mode: Mode = "decoder",
    slices_per_step: int = 4,
    jitter_px: float = 3.0,
    seed: int = 0,
) -> FineTuneConfig:
    """Tune a promptable model for minutes: `steps` in three epochs, the rate along a cosine.

    All three epochs are run; the best one is kept. The other parameters are `FineTuneConfig`'s.
    """
    return FineTuneConfig(
        mode=mode,
        epochs=3,
        steps_per_epoch=math.ceil(steps / 3),
        patience=0,
        learning_rate=learning_rate,
        schedule="cosine",
        warm_up=warm_up,
        slices_per_step=slices_per_step,
        slice_step=slice_step,
        jitter_px=jitter_px,
        seed=seed,
    )
