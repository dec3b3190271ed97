"""How an nnU-Net is planned and trained here; the reason stands beside each default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mskseg.errors import InputError
from mskseg_studies.specialists.nnunet.worker import PLATEAU_GAIN, PLATEAU_ITERATIONS

Configuration = Literal["2d", "3d_fullres"]
_NO_END = 100_000  # epochs that no run reaches
SHORT_DEPTH = 8  # slices of a patch of `NnunetConfig.short` in 3-D: a third of a phantom, for speed

# "vastus lateralis" and "medial meniscus" count; "bilateral" does not.
_SIDE = re.compile(r"\b(left|right|medial\w*|lateral\w*)\b", re.IGNORECASE)


@dataclass(frozen=True)
class NnunetConfig:
    """Parameters of a run, stock values where there are some.

    A patch is rows and columns of a slice in "2d"; in "3d_fullres" slices come first (nnU-Net puts
    the axis of the largest spacing there). It is rounded up to what the network can halve.

    Of the optimisers "sgd" is nnU-Net's, with a momentum of 0.99; "adam" is its own variant, AdamW
    with AMSGrad (`nnUNetTrainerAdam`), which gets away from an empty mask in hundreds of steps
    instead of thousands. The rate falls as nnU-Net's does, to 0 after `epochs`. With a number of
    `plateau_iterations` it is constant, and the validation Dice decides (`stopped_rising`): where
    its mean over the last so many is less than `plateau_gain` above that of as many before, the
    rate falls to a tenth; the second time the training ends. So the first nnU-Net of 2018 did, by
    its losses.
    """

    configuration: Configuration = "2d"
    epochs: int = 1000  # nnU-Net's, as the next two: a day on a GPU, weeks on two cores
    iterations_per_epoch: int = 250
    validation_iterations: int = 50
    patch_size: tuple[int, ...] | None = None  # planned by nnU-Net
    batch_size: int | None = None  # planned by nnU-Net
    base_features: int | None = None  # of the first stage; nnU-Net plans 32
    optimiser: Literal["sgd", "adam"] = "sgd"  # nnU-Net's
    learning_rate: float = 0.01  # nnU-Net's, at the start; for "adam" 0.001 is usual
    time_limit_s: float | None = None  # of all calls together; a higher one goes on from there
    plateau_iterations: int | None = None  # nnU-Net's own trains all its epochs
    plateau_gain: float = PLATEAU_GAIN
    mirrored_prediction: bool = True  # nnU-Net's: the mean of four answers, in four times the time
    box_channels: bool = False  # with it, each label's filled oracle boxes are one more channel
    seed: int = 0
    device: str = "cpu"  # or "cuda", "mps"

    def __post_init__(self) -> None:
        if self.configuration not in ("2d", "3d_fullres"):
            raise InputError(
                f"the configuration {self.configuration!r} is unknown; choose 2d or 3d_fullres"
            )
        if self.optimiser not in ("sgd", "adam"):
            raise InputError(f"the optimiser {self.optimiser!r} is unknown; choose sgd or adam")
        counts = ("epochs", "iterations_per_epoch", "validation_iterations", "plateau_iterations")
        for name in counts:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")
        axes = 2 if self.configuration == "2d" else 3
        if self.patch_size is not None and len(self.patch_size) != axes:
            raise InputError(
                f"the patch {self.patch_size} has {len(self.patch_size)} axes, expected {axes} for "
                f"{self.configuration}; give rows and columns, with slices before them in 3-D"
            )

    @classmethod
    def short(
        cls,
        configuration: Configuration = "2d",
        *,
        length: Sequence[int] = (_NO_END, 50),
        patch: Sequence[int],
        features: int,
        hours: float = 0.0,
        **more: Any,
    ) -> NnunetConfig:
        """Ask for minutes in place of a day: AdamW, few patches a step, two steps of validation.

        `length` is epochs and iterations of each, `patch` rows and columns (in 3-D of `SHORT_DEPTH`
        slices), `features` are those of the first stage. With `hours`, whatever the length, it
        trains until the validation Dice stops rising, for so long at most, in epochs that are
        short, since a run that dies loses one. `more` are other parameters, such as `seed`.
        """
        flat = configuration == "2d"
        epochs, iterations = (_NO_END, 50) if hours else length
        return cls(
            configuration,
            epochs=epochs,
            iterations_per_epoch=iterations,
            # Of 4 patches: a mean over 20 epochs is steady to 0.002.
            validation_iterations=10 if hours else 2,
            patch_size=tuple(patch) if flat else (SHORT_DEPTH, *patch),
            batch_size=4 if flat else 2,
            base_features=features,
            optimiser="adam",
            learning_rate=0.003,
            time_limit_s=hours * 3600 if hours else None,
            plateau_iterations=PLATEAU_ITERATIONS if hours else None,
            mirrored_prediction=False,
            **more,
        )


def names_a_side(tissues: Iterable[str]) -> bool:
    """Whether a name says a side: mirrored, a left hip is a right one that is still called left."""
    return any(_SIDE.search(name) for name in tissues)
