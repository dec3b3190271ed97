"""nnU-Net's trainer with our numbers; nnU-Net finds it by the class's name.

This folder holds nothing else, since nnU-Net imports every module of the folder that the variable
``nnUNet_extTrainer`` names. What it takes stands in the plans, under ``mskseg``, so that it travels
with the trained model; the model can then be used by nnU-Net's own commands, with that variable.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class TimeIsUp(Exception):  # noqa: N818  no error: the run ends as it was asked to
    """The time limit was passed."""


class MsksegTrainer(nnUNetTrainer):  # type: ignore[misc]
    """Iterations, epochs, a time limit, and no mirroring where labels name a side."""

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
        self.seed = 0
        self.save_every = 1  # so that a run that dies loses one epoch at most
        # Its plot costs more than a short epoch: drawn once, at the end.
        self._plot_progress = self.logger.plot_progress_png
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
            return super().configure_optimizers()
        optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.initial_lr,
            weight_decay=self.weight_decay,
            amsgrad=True,
        )
        return optimiser, PolyLRScheduler(optimiser, self.initial_lr, self.num_epochs)

    def run_training(self) -> None:
        """Train until the last epoch or the end of the time."""
        try:
            super().run_training()
        except TimeIsUp:
            self.print_to_log_file(f"time limit of {self.time_limit_s} s passed")
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
            f"pseudo Dice {dice:.3f}",
            flush=True,
        )
        if self.current_epoch < self.num_epochs and self._elapsed_s() > self._limit_s():
            raise TimeIsUp

    def on_train_end(self) -> None:
        """Write the last checkpoint and the plot of the training."""
        super().on_train_end()
        self._plot_progress(self.output_folder)

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint completely or not at all."""
        partial = f"{filename}.partial"
        super().save_checkpoint(partial)
        if os.path.exists(partial):  # noqa: PTH110  the base deals in strings
            os.replace(partial, filename)

    def plot_network_architecture(self) -> None:
        """Draw nothing: it needs a package that no longer works."""

    def _save_debug_information(self) -> None:
        """Write nothing: it would hold the name of the machine."""

    def _elapsed_s(self) -> float:
        ends = self.logger.get_value("epoch_end_timestamps", step=None)
        starts = self.logger.get_value("epoch_start_timestamps", step=None)
        return float(sum(end - start for start, end in zip(starts, ends, strict=False)))

    def _limit_s(self) -> float:
        return float("inf") if self.time_limit_s is None else float(self.time_limit_s)
