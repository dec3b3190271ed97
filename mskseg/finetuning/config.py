"""How a fine-tuning is done: one frozen description, which travels inside the weights."""

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from mskseg.models.segmenter import Precision
from mskseg.prompts import MIN_AREA_MM2
from mskseg.settings import settings
from mskseg.volume import Plane

Mode = Literal["full", "encoder_decoder", "decoder", "lora"]
PromptKind = Literal["box", "point"]
Schedule = Literal["constant", "cosine"]


@settings
class FineTuneConfig:
    """How a segmenter is tuned; the reason stands beside each default.

    Raises InputError if a value is out of range or a choice unknown.
    """

    mode: Mode = "decoder"  # what trains, see `modes.py`; this one encodes each slice only once
    epochs: PositiveInt = 35  # at most: Hoyer 2024 stops on convergence or there
    patience: NonNegativeInt = 5  # epochs without a better validation Dice that end it; 0: never
    steps_per_epoch: PositiveInt | None = None  # as many as show each slice once
    slices_per_step: PositiveInt = 4  # a step's images, over all processes together
    prompts_per_slice: PositiveInt | None = 6  # objects drawn of each, on one encoding; None: all
    prompts_per_pass: PositiveInt | None = None  # decoded together; None: as many as are fast here
    learning_rate: PositiveFloat = 1e-4  # Ma 2024; for a miniature 3e-4 is quicker, 1e-3 too much
    weight_decay: NonNegativeFloat = 0.01  # Ma 2024
    warm_up: NonNegativeInt = 20  # steps of rising rate: Adam's first estimates are poor
    schedule: Schedule = "constant"  # cosine falls to a twentieth by the last epoch: short runs
    clip_norm: PositiveFloat = 1.0  # of the gradient: one odd slice must not undo an epoch
    keep_iou_loss: bool = False  # as the studies; then the predicted IoU is stale, and given as NaN
    prompt: PromptKind = "box"  # that all the studies tune with
    points: PositiveInt = 1  # of a "point" prompt, anywhere in the object
    jitter_px: NonNegativeFloat = 0.0  # a box's sides move by up to this at each visit; Ma: 20
    min_area_mm2: NonNegativeFloat = MIN_AREA_MM2  # smaller components get no prompt, as in tables
    plane: Plane | None = None  # the acquired one
    slice_step: PositiveInt = 1  # take every so manyth labelled slice: neighbours are much alike
    validation_slice_step: PositiveInt | None = None  # as slice_step
    lora_rank: PositiveInt = 4  # as SAMed (Zhang and Liu 2023)
    lora_alpha: PositiveFloat = 16.0  # the term counts alpha / rank times: it starts near nothing
    precision: Precision = "float32"  # bfloat16 where the device is made for it
    seed: NonNegativeInt = 0  # of the order of slices, objects, jitter, points and LoRA's start
