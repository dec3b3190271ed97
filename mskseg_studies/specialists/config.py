"""How a specialist is built and trained; the reason stands beside each default."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from mskseg.finetuning.config import FineTuneConfig
from mskseg.settings import settings

Architecture = Literal["unet", "deeplabv3plus"]
SpecialistPrompt = Literal["box", "none"]


@settings
class SpecialistConfig:
    """Parameters of a U-Net or DeepLabV3+; the reason stands beside each default.

    Ma 2024 trains one specialist for each modality, with the box as a binary mask in a further
    input channel and one object a pass (``prompt="box"``). ``prompt="none"`` is the fully automatic
    variant: all labels at once, nothing but the image.

    Boxes, angles and the like change in training only. Each ``prompt="box"`` step has `batch_size`
    objects, others slices, of every `slice_step`-th labelled slice.
    """

    architecture: Architecture = "unet"  # the stronger of Ma's two where little data is at hand
    prompt: SpecialistPrompt = "box"  # Ma's
    encoder: str = "resnet18"  # of segmentation-models-pytorch; the smallest of its ResNets
    # The side of the square that a slice is resized into.
    frame_px: Annotated[int, Field(ge=32, multiple_of=32)] = 128
    steps: PositiveInt = 200  # a minute on two cores; the full run takes more
    batch_size: Annotated[int, Field(ge=2)] = 8  # batch norm needs several
    validate_every: PositiveInt = 50  # steps between two scores; the weights of the best are kept
    learning_rate: float = 5e-3  # of AdamW, along a cosine to 0; from scratch 2e-3 learns less
    weight_decay: float = 0.01  # AdamW's default and Ma's
    jitter_px: float = 3.0  # of the slice, at most; 0 would teach it to fill the box
    rotate_deg: float = 10.0  # at most, either way: how far a leg may lie turned
    scale: float = 0.1  # largest change of size
    contrast: float = 0.2  # largest change of contrast and of brightness
    slice_step: PositiveInt = 1
    validation_slices: PositiveInt = 12  # spread over the set; they select among few steps
    seed: int = 0
    device: str = "cpu"


def short_tuning(steps: int, **parameters: Any) -> FineTuneConfig:
    """Tune a promptable model for minutes: `steps` in three epochs, the rate along a cosine.

    All three epochs are run; the best one is kept. The parameters are `FineTuneConfig`'s; of these
    the learning rate is 2e-4 and the jitter three pixels, unless they are given.
    """
    short: dict[str, Any] = {"epochs": 3, "steps_per_epoch": math.ceil(steps / 3), "patience": 0}
    usual = {"schedule": "cosine", "learning_rate": 2e-4, "jitter_px": 3.0}
    return FineTuneConfig(**(short | usual | parameters))
