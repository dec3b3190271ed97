"""nnU-Net's trainer with our numbers; nnU-Net finds it by the class's name.

This folder holds nothing else, since nnU-Net imports every module of the folder that the variable
``nnUNet_extTrainer`` names. What it takes stands in the plans, under ``mskseg``, so that it travels
with the trained model; the model can then be used by nnU-Net's own commands, with that variable.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class Ended(Exception):  # noqa: N818  no error: the run ends as it was asked to
    """The time limit was passed, or the validation Dice stopped rising twice."""


class StepRate:
    """A learning rate that falls to a tenth at each plateau; nnU-Net calls `step` every epoch."""

    def __init__(self, trainer: MsksegTrainer) -> None:
        self.trainer = trainer

    def step(self, _epoch: int) -> None:
        """Set the rate from the whole history, so that a resumed run has the same."""
        for group in self.trainer.optimizer.param_groups:
            group["lr"] = self.trainer.initial_lr * 0.1 ** self.trainer.n_plateaus()


class MsksegTrainer(nnUNetTrainer):  # type: ignore[misc]
    """Iterations, epochs, plateaus, a time limit, and no mirroring where labels name a side."""

    plateaus: Callable[[Sequence[float]], list[int]] | None = None  # the worker's, if it decides

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008  the signature of its base
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        settings = self.plans_manager.plans["mskseg"]
        self.num_epochs = settings["epochs"]
        self.num_iterations_per_epoch = settings["iterations_per_epoch"]
        self.num_val_iterations_per_epoch = settings["validation_iterations"]
        self.initial_lr = settings["learning_rate"]
        self.optimiser = settings["optimiser"]
        self.time_limit_s = settings["time_limit_s"]
        self.mirroring = settings["mirroring"]
        self.seed, self.out_of_time = 0, False
        self.save_every = 1  # so that a run that dies loses one epoch at most
        # Its plot costs more than a short epoch; `learning_curves` reads the same from the log.
        self.logger.plot_progress_png = lambda _folder: None

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> Any:  # noqa: N802
        """Take its values, without the axes to mirror if mirroring is off."""
        rotation, dummy_2d, initial_patch, axes = (
            super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        )
        if not self.mirroring:
            axes = self.inference_allowed_mirroring_axes = None
        return rotation, dummy_2d, initial_patch, axes

    def configure_optimizers(self) -> Any:
        """Take its optimiser, or AdamW as in nnU-Net's variant ``nnUNetTrainerAdam``."""
        if self.optimiser == "sgd":
            optimiser, schedule = super().configure_optimizers()
        else:
            optimiser = torch.optim.AdamW(
                self.network.parameters(),
                lr=self.initial_lr,
                weight_decay=self.weight_decay,
                amsgrad=True,
            )
            schedule = PolyLRScheduler(optimiser, self.initial_lr, self.num_epochs)
        return optimiser, schedule if self.plateaus is None else StepRate(self)

    def run_training(self) -> None:
        """Train until the last epoch, the second plateau, or the end of the time."""
        try:
            super().run_training()
        except Ended as reason:
            self.print_to_log_file(str(reason))
            self.on_train_end()

    def on_epoch_start(self) -> None:
        """Start each epoch with random numbers of its own, so that a resumed run draws the same."""
        super().on_epoch_start()
        seed = self.seed + 1000 * self.current_epoch
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  nnU-Net draws from the global state
        torch.manual_seed(seed)

    def on_epoch_end(self) -> None:
        """Report progress in a line that the parent process reads; stop if the time is up."""
        super().on_epoch_end()
        loss = self.logger.get_value("train_losses", step=-1)
        dice = np.nanmean(self.logger.get_value("dice_per_class_or_region", step=-1))
        print(  # noqa: T201  the log is how the parent process learns of it
            f"mskseg: epoch {self.current_epoch} of {self.num_epochs}, loss {loss:.3f}, "
            f"pseudo Dice {dice:.4f}, rate {self.optimizer.param_groups[0]['lr']:.2g}, "
            f"{self._elapsed_s():.1f} s",
            flush=True,
        )
        if self.n_plateaus() >= 2:
            raise Ended("the validation Dice stopped rising a second time")
        if self.current_epoch < self.num_epochs and self.time_is_up():
            self.out_of_time = True
            raise Ended(f"time limit of {self.time_limit_s} s passed")

    def n_plateaus(self) -> int:
        """Count how often the validation Dice, which nnU-Net calls pseudo Dice, stopped rising."""
        dice = self.logger.get_value("mean_fg_dice", step=None)
        return len(self.plateaus(dice)) if self.plateaus else 0

    def time_is_up(self) -> bool:
        """Whether the time limit was passed, resumed runs added up."""
        return self.time_limit_s is not None and self._elapsed_s() > self.time_limit_s

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint completely or not at all."""
        partial = f"{filename}.partial"
        super().save_checkpoint(partial)
        if os.path.exists(partial):  # noqa: PTH110  the base deals in strings
            os.replace(partial, filename)

    def _save_debug_information(self) -> None:
        """Write nothing: it would hold the name of the machine."""

    def _elapsed_s(self) -> float:
        ends = self.logger.get_value("epoch_end_timestamps", step=None)
        starts = self.logger.get_value("epoch_start_timestamps", step=None)
        return float(sum(end - start for start, end in zip(starts, ends, strict=False)))
