"""How a fine-tuning is done: one frozen description, which travels inside the weights."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from mskseg.errors import InputError
from mskseg.models.segmenter import Precision
from mskseg.prompts import MIN_AREA_MM2
from mskseg.volume import Plane

Mode = Literal["full", "encoder_decoder", "decoder", "lora"]
PromptKind = Literal["box", "point"]
Loss = Literal["dice_entropy", "dice_focal"]
Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True)
class FineTuneConfig:
    """How a segmenter is tuned; the reason stands beside each default.

    Raises InputError if a value is out of range or a choice unknown.
    """

    mode: Mode = "decoder"  # what trains, see `modes.py`; this one encodes each slice only once
    epochs: int = 35  # at most: Hoyer 2024 stops on convergence or there
    patience: int = 5  # epochs without a better validation Dice that end it; 0: never
    steps_per_epoch: int | None = None  # as many as show each slice once
    slices_per_step: int = 4  # a step's images, over all processes together
    prompts_per_slice: int | None = 6  # objects drawn of each: they share its encoding; None: all
    prompts_per_pass: int | None = None  # decoded together; by default 8 on a CPU (cache), else 64
    learning_rate: float = 1e-4  # Ma 2024; for a miniature 3e-4 is quicker, 1e-3 too much
    weight_decay: float = 0.01  # Ma 2024
    warm_up: int = 20  # steps of rising rate: Adam's first estimates are poor
    schedule: Schedule = "constant"  # cosine falls to a twentieth by the last epoch: short runs
    clip_norm: float = 1.0  # of the gradient: one odd slice must not undo an epoch
    loss: Loss = "dice_entropy"  # unweighted sum, Hoyer and Ma 2024; or focal loss for the entropy
    keep_iou_loss: bool = False  # as the studies; then the predicted IoU is stale, and given as NaN
    prompt: PromptKind = "box"  # that all the studies tune with
    points: int = 1  # of a "point" prompt, anywhere in the object
    jitter_px: float = 0.0  # each side of a box moves by up to this, anew at each visit; Ma: 20
    min_area_mm2: float = MIN_AREA_MM2  # smaller components get no prompt, as in the tables
    plane: Plane | None = None  # the acquired one
    slice_step: int = 1  # take every so manyth labelled slice: neighbours are much alike
    validation_slice_step: int | None = None  # as slice_step
    lora_rank: int = 4  # as SAMed (Zhang and Liu 2023)
    lora_alpha: float = 16.0  # the term counts alpha / rank times: its factors start near nothing
    precision: Precision = "float32"  # bfloat16 where the device is made for it
    seed: int = 0  # of the order of slices, objects, jitter, points and LoRA's start

    def __post_init__(self) -> None:
        choices = {"mode": Mode, "loss": Loss, "schedule": Schedule, "prompt": PromptKind,
                   "precision": Precision}  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in get_args(allowed):
                raise InputError(
                    f"{name} {getattr(self, name)!r} is unknown; choose one of "
                    f"{', '.join(get_args(allowed))}"
                )
        for name in ("epochs", "slices_per_step", "points", "slice_step", "lora_rank"):
            _check_count(name, getattr(self, name))
        optional = ("steps_per_epoch", "prompts_per_slice", "prompts_per_pass",
                    "validation_slice_step")  # fmt: skip
        for name in optional:
            if getattr(self, name) is not None:
                _check_count(name, getattr(self, name))
        for name in ("patience", "warm_up", "seed"):
            _check_count(name, getattr(self, name), least=0)
        for name in ("learning_rate", "clip_norm", "lora_alpha"):
            _check_amount(name, getattr(self, name), zero_is_fine=False)
        for name in ("weight_decay", "jitter_px", "min_area_mm2"):
            _check_amount(name, getattr(self, name), zero_is_fine=True)


def _check_count(name: str, value: object, *, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} is {value!r}, expected a whole number of {least} or more")


def _check_amount(name: str, value: float, *, zero_is_fine: bool) -> None:
    if not (0 <= value < math.inf) or (value == 0 and not zero_is_fine):
        expected = "0 or more" if zero_is_fine else "a number above 0"
        raise InputError(f"{name} is {value!r}, expected {expected}")
