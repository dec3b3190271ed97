"""Fine-tune a segmenter: epochs, the best of them, when to stop, and what to resume from."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from mskseg.case import CaseSet
from mskseg.datasets.splits import check_nobody_twice
from mskseg.errors import InputError
from mskseg.finetuning.checkpoints import Identity, Progress, load_state, save_state
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.distributed import launched_fabric
from mskseg.finetuning.memory import PeakMemory
from mskseg.finetuning.modes import merge_low_rank
from mskseg.finetuning.result import HISTORY, DivergedError, FineTuneResult, Stopped
from mskseg.finetuning.samples import check_sets, gather_slices
from mskseg.finetuning.tuning import NotFiniteError, Tuning
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter

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

    Prompts are taken from the reference: boxes or points of the objects on a slice, of which a few
    are drawn at each visit, sharing one pass of the encoder. The loss is unweighted cross-entropy
    + Dice on the decoder's logits (see `frames.py` for the target), the optimiser AdamW. After each
    epoch the validation Dice is measured with the same oracle prompts.

    Under ``torchrun`` the slices of a step are shared out among the processes, and the gradients
    are those of one process with the same step.

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
    progress : bool
        Show a bar with loss and validation Dice.
    cache : EmbeddingCache, optional
        For ``mode="decoder"``, which encodes each slice once. By default in memory, and in
        ``folder/embeddings`` in half precision if there is a folder. Give one to share embeddings
        between trainings that start from the same model.
    on_epoch : callable, optional
        Called with the history so far after each epoch, to draw it as it grows.

    Returns
    -------
    FineTuneResult

    Raises
    ------
    InputError
        If a subject is in both sets, the sets cannot be trained on, the folder's state is of
        another training, or memory runs out (the message says which setting lowers it).
    DivergedError
        If the loss becomes NaN: it names the slices and carries the best weights until then.
    OutputError
        If the state or an embedding cannot be written.

    Warns
    -----
    UserWarning
        If the validation set lacks a tissue that is trained.
    """
    config = config or FineTuneConfig()
    check_nobody_twice({"train": train.subjects, "validation": validation.subjects})
    prepared = _prepare(segmenter, train, validation, config, folder=folder, cache=cache)
    run = _Run(*prepared, folder=None if folder is None else Path(folder), on_epoch=on_epoch)
    run.resume()
    return run.to_the_end(progress=progress)


def _prepare(
    segmenter: Segmenter,
    train: CaseSet,
    validation: CaseSet,
    config: FineTuneConfig,
    *,
    folder: str | Path | None,
    cache: EmbeddingCache | None,
) -> tuple[Tuning, Identity]:
    fabric = launched_fabric(str(segmenter.device))
    if config.slices_per_step < fabric.world_size:
        raise InputError(
            f"{config.slices_per_step} slices a step came with {fabric.world_size} processes; "
            f"give slices_per_step {fabric.world_size} or more"
        )
    step = config.validation_slice_step or config.slice_step
    trained = gather_slices(train, config, step=config.slice_step)
    if len(trained.slices) < fabric.world_size:
        raise InputError(
            f"{len(trained.slices)} training slices came with {fabric.world_size} processes; "
            "start fewer, or give more slices"
        )
    selecting = gather_slices(validation, config, step=step)
    doubtful = check_sets(trained, selecting)
    if doubtful:
        warnings.warn(doubtful, stacklevel=3)
    if cache is None:
        cache = EmbeddingCache(None if folder is None else Path(folder) / "embeddings")
    identity = Identity(
        config=config.as_dict(),
        base={"name": segmenter.name, "sha256": segmenter.fingerprint},
        data={"train": trained.fingerprint, "validation": selecting.fingerprint},
    )
    tuning = Tuning(segmenter, trained, selecting, config, cache=cache, fabric=fabric)
    return tuning, identity


class _Run:
    """A training from its first or a later epoch to its end."""

    def __init__(
        self,
        tuning: Tuning,
        identity: Identity,
        *,
        folder: Path | None,
        on_epoch: OnEpoch | None,
    ) -> None:
        self.tuning, self.identity, self.folder = tuning, identity, folder
        self.config, self.on_epoch = tuning.config, on_epoch
        self.progress = Progress()
        self.memory = PeakMemory(tuning.fabric.device)
        self.start = time.perf_counter()

    def resume(self) -> None:
        """Go on from the folder's state, if there is one."""
        state = None if self.folder is None else load_state(self.folder, self.identity)
        if state is None:
            return
        _put(self.tuning.trained, state["weights"])
        self.tuning.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(
            state["rows"],
            state["best_dice"],
            state["best_epoch"],
            state["best_weights"],
            state["peak_memory_mb"],
        )
        self.tuning.step = int(self.progress.rows[-1]["step"])
        self.start -= self.progress.seconds

    def to_the_end(self, *, progress: bool) -> FineTuneResult:
        """Train until the last epoch, or until no better one came for as long as the patience."""
        tuning, config = self.tuning, self.config
        with tqdm(
            total=config.epochs * tuning.steps_per_epoch,
            initial=tuning.step,
            desc=tuning.segmenter.name,
            unit="step",
            disable=not (progress and tuning.fabric.is_global_zero),
        ) as bar:
            if not self.progress.rows:
                self._close_epoch(float("nan"), bar)
            while self._stopped() is None:
                losses = [self._advance(bar) for _ in range(tuning.steps_per_epoch)]
                self._close_epoch(float(np.mean(losses)), bar)
        return self._result(self._stopped() or "all epochs")

    def _stopped(self) -> Stopped | None:
        epoch, patience = self.progress.epoch, self.config.patience
        if epoch >= self.config.epochs:
            return "all epochs"
        return "converged" if patience and epoch - self.progress.best_epoch >= patience else None

    def _advance(self, bar: Any) -> float:
        try:
            loss = self.tuning.advance()
        except NotFiniteError as error:
            raise self._diverged(error) from error
        bar.update()
        bar.set_postfix(loss=f"{loss:.3f}", validation_dice=f"{self._last_dice():.3f}")
        return loss

    def _last_dice(self) -> float:
        return self.progress.rows[-1]["validation_dice"]

    def _close_epoch(self, loss: float, bar: Any) -> None:
        tuning = self.tuning
        dice = tuning.validation_dice()
        values = (
            len(self.progress.rows), tuning.step, loss, dice, time.perf_counter() - self.start
        )  # fmt: skip
        weights: dict[str, Tensor] = dict(tuning.trained)
        self.progress.add(dict(zip(HISTORY, values, strict=True)), weights)
        self.progress.peak_memory_mb = max(self.progress.peak_memory_mb, self.memory.megabytes())
        bar.set_postfix(loss=f"{loss:.3f}", validation_dice=f"{dice:.3f}")
        if self.folder is not None and tuning.fabric.is_global_zero:
            state = tuning.optimiser.state_dict()
            save_state(self.folder, self.identity, self.progress, weights=weights, optimiser=state)
        if self.on_epoch is not None and tuning.fabric.is_global_zero:
            self.on_epoch(self._history())

    def _history(self) -> pd.DataFrame:
        table = pd.DataFrame(self.progress.rows, columns=list(HISTORY))
        return table.astype({"epoch": int, "step": int})

    def _diverged(self, error: NotFiniteError) -> DivergedError:
        best = self.progress.best_epoch
        kept = (
            ""
            if self.folder is None
            else f"; the state of epoch {self.progress.epoch} is in {self.folder}"
        )
        return DivergedError(
            f"the loss became NaN or infinite at {error}; look at these slices, or lower the "
            f"learning rate from {self.config.learning_rate:g}. The weights of epoch {best}, the "
            f"best so far, are kept in the error's result{kept}",
            self._result("diverged"),
        )

    def _result(self, stopped: Stopped) -> FineTuneResult:
        tuning = self.tuning
        count = sum(p.numel() for p in tuning.trained.values())
        _put(tuning.trained, self.progress.best_weights)
        merge_low_rank(tuning.segmenter.model)
        return FineTuneResult(
            segmenter=tuning.segmenter,
            history=self._history(),
            best_epoch=self.progress.best_epoch,
            trainable_parameters=count,
            seconds=self.progress.seconds,
            peak_memory_mb=self.progress.peak_memory_mb,
            stopped=stopped,
            config=self.config,
            base=self.identity.base,
            data=self.identity.data,
        )


def _put(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])
