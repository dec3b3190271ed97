"""Fine-tune a segmenter: epochs, the best of them, when to stop, and what to resume from."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from mskseg.case import CaseSet
from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.dataset import SliceDataset, check_datasets
from mskseg.finetuning.machine import PeakMemory, join_processes
from mskseg.finetuning.modes import merge_low_rank
from mskseg.finetuning.result import (
    HISTORY,
    STATE,
    DivergedError,
    FineTuneResult,
    Identity,
    Progress,
    Stopped,
    load_state,
    save_state,
)
from mskseg.finetuning.trainer import NotFiniteError, Trainer
from mskseg.input_files import parsed
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter
from mskseg.splits import check_nobody_twice

OnEpoch = Callable[[pd.DataFrame], object]


def fine_tune(
    segmenter: Segmenter,
    train: CaseSet,
    validation: CaseSet,
    config: FineTuneConfig | None = None,
    *,
    folder: str | Path | None = None,
    progress: bool = True,
    cache: EmbeddingCache | None = None,
    on_epoch: OnEpoch | None = None,
) -> FineTuneResult:
    """Tune a segmenter on labelled scans; the best epoch on the validation set is what comes back.

    Prompts are taken from the reference: boxes or points of a few objects of a slice, drawn at each
    visit. The loss is unweighted cross-entropy + Dice on the decoder's logits, the optimiser AdamW.
    After each epoch the validation Dice is measured with the same oracle prompts. Under
    ``torchrun`` the processes share the slices of a step, with the gradients of one process.

    Parameters
    ----------
    segmenter : Segmenter
        To start from; it stays as it is, a copy is tuned.
    train, validation : CaseSet
        Without a subject in common. The second one selects the epoch, so it must not report.
    config : FineTuneConfig, optional
    folder : path-like, optional
        Where the state is written after each epoch. If there is one of the same settings, model
        and data, it is resumed, and ends with the weights of an uninterrupted training.
    cache : EmbeddingCache, optional
        For ``mode="decoder"``, which encodes each slice once; by default in memory, and in
        ``folder/embeddings`` if there is a folder. Share one between trainings of one model.
    on_epoch : callable, optional
        Called with the history so far after each epoch and when resuming, to draw it as it grows.

    Raises
    ------
    InputError
        If the model does not answer such prompts, the sets cannot be trained on, the folder's state
        is of another training, or memory runs out (the message says which setting lowers it).
    DivergedError
        If the loss becomes NaN: it names the slices and carries the best weights until then.
    """
    config = config or FineTuneConfig()
    segmenter.check_answers({config.prompt})
    if not hasattr(segmenter.model.prompt_encoder, "pe_layer"):
        raise InputError(
            f"{segmenter.name} cannot be fine-tuned here, expected a model with the prompt encoder "
            "of SAM; start from sam_vit_b, sam_vit_mini or lite_medsam"
        )
    path = None if folder is None else Path(folder)
    check_nobody_twice({"train": train.subjects, "validation": validation.subjects})
    processes = join_processes(str(segmenter.device))
    if config.slices_per_step < processes.world_size:
        raise InputError(
            f"expected a slice a step or more for each of {processes.world_size} processes, got "
            f"slices_per_step {config.slices_per_step}; pass {processes.world_size} or more"
        )
    training_set = SliceDataset.from_cases(train, config, step=config.slice_step)
    if len(training_set) < processes.world_size:
        raise InputError(
            f"expected a training slice or more for each of {processes.world_size} processes, got "
            f"{len(training_set)}; start fewer processes, or pass more slices"
        )
    step = config.validation_slice_step or config.slice_step
    validation_set = SliceDataset.from_cases(validation, config, step=step)
    if warning := check_datasets(training_set, validation_set):
        warnings.warn(warning, stacklevel=2)
    if cache is None:
        cache = EmbeddingCache(None if path is None else path / "embeddings")
    trainer = Trainer(
        segmenter, training_set, validation_set, config, cache=cache, processes=processes
    )
    identity: Identity = {
        "config": asdict(config),
        "base": {"name": segmenter.name, "sha256": segmenter.fingerprint},
        "data": {"train": training_set.fingerprint, "validation": validation_set.fingerprint},
    }
    run = _Run(trainer, identity, folder=path, on_epoch=on_epoch, show_progress=progress)
    run.resume()
    return run.to_the_end()


class _Run:
    """A training from its first or a later epoch to its end."""

    def __init__(
        self,
        trainer: Trainer,
        identity: Identity,
        *,
        folder: Path | None,
        on_epoch: OnEpoch | None,
        show_progress: bool,
    ) -> None:
        self.trainer, self.identity, self.folder = trainer, identity, folder
        self.config = trainer.config
        self.on_epoch = on_epoch if trainer.processes.is_first else None
        self.progress = Progress()
        self.memory = PeakMemory(trainer.processes.device)
        self.start = time.perf_counter()
        self.hidden = not (show_progress and trainer.processes.is_first)

    def resume(self) -> None:
        """Go on from the folder's state, if there is one."""
        state = None if self.folder is None else load_state(self.folder, self.identity)
        if state is None:
            return
        with parsed(f"{self.folder}/{STATE}", "state of this training", "delete it to start anew"):
            for weights in (state["best_weights"] or state["weights"], state["weights"]):
                _put(self.trainer.trained, weights)
            self.trainer.optimiser.load_state_dict(state["optimiser"])
            self.progress = Progress(**{name: state[name] for name in vars(self.progress)})
            self.trainer.steps_done = int(self.progress.rows[-1]["step"])
            self.start -= self.progress.seconds

    def to_the_end(self) -> FineTuneResult:
        """Train until the last epoch, or until no better one came for as long as the patience."""
        trainer, config = self.trainer, self.config
        with tqdm(
            total=config.epochs * trainer.steps_per_epoch,
            initial=trainer.steps_done,
            desc=trainer.segmenter.name,
            unit="step",
            disable=self.hidden,
        ) as bar:
            if not self.progress.rows:
                self._close_epoch(float("nan"), bar)
            elif self.on_epoch is not None:
                self.on_epoch(self._history())
            while self._stopped() is None:
                losses = [self._train_step(bar) for _ in range(trainer.steps_per_epoch)]
                self._close_epoch(float(np.mean(losses)), bar)
        return self._result(self._stopped() or "all epochs")

    def _stopped(self) -> Stopped | None:
        epoch, patience = self.progress.epoch, self.config.patience
        if epoch >= self.config.epochs:
            return "all epochs"
        return "converged" if patience and epoch - self.progress.best_epoch >= patience else None

    def _train_step(self, bar: Any) -> float:
        try:
            loss = self.trainer.train_step()
        except NotFiniteError as error:
            raise self._diverged(error) from error
        bar.update()
        self._show(bar, loss)
        return loss

    def _show(self, bar: Any, loss: float) -> None:
        dice = self.progress.rows[-1]["validation_dice"]
        bar.set_postfix(loss=f"{loss:.3f}", validation_dice=f"{dice:.3f}")

    def _close_epoch(self, loss: float, bar: Any) -> None:
        trainer, progress = self.trainer, self.progress
        row = {
            "epoch": len(progress.rows),
            "step": trainer.steps_done,
            "loss": loss,
            "validation_dice": trainer.validation_dice(),
            "seconds": time.perf_counter() - self.start,
        }
        weights: dict[str, Tensor] = dict(trainer.trained)
        progress.add(row, weights)
        progress.peak_memory_mb = max(progress.peak_memory_mb, self.memory.megabytes())
        self._show(bar, loss)
        if not trainer.processes.is_first:
            return
        if self.folder is not None:
            state = trainer.optimiser.state_dict()
            save_state(self.folder, self.identity, progress, weights=weights, optimiser=state)
        if self.on_epoch is not None:
            self.on_epoch(self._history())

    def _history(self) -> pd.DataFrame:
        table = pd.DataFrame(self.progress.rows, columns=list(HISTORY))
        return table.astype({"epoch": int, "step": int})

    def _diverged(self, error: NotFiniteError) -> DivergedError:
        best = self.progress.best_epoch
        kept = f"; the state of epoch {self.progress.epoch} is in {self.folder}"
        return DivergedError(
            f"the loss became NaN or infinite at {error}; look at these slices, or lower the "
            f"learning rate from {self.config.learning_rate:g}. The weights of epoch {best}, the "
            f"best so far, are kept in the error's result{kept if self.folder else ''}",
            self._result("diverged"),
        )

    def _result(self, stopped: Stopped) -> FineTuneResult:
        trainer, progress = self.trainer, self.progress
        count = sum(p.numel() for p in trainer.trained.values())
        _put(trainer.trained, progress.best_weights)
        merge_low_rank(trainer.segmenter.model)
        return FineTuneResult(
            segmenter=trainer.segmenter,
            history=self._history(),
            best_epoch=progress.best_epoch,
            trainable_parameters=count,
            seconds=progress.seconds,
            peak_memory_mb=progress.peak_memory_mb,
            stopped=stopped,
            config=self.config,
            base=self.identity["base"],
            data=self.identity["data"],
        )


def _put(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])
