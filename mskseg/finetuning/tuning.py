"""A tuning under way: a copy of the model, its optimiser, one step, and its validation Dice."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mskseg.evaluation.metrics import dice
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.distributed import average_gradients
from mskseg.finetuning.encoding import FrozenEncoder, LiveEncoder
from mskseg.finetuning.losses import dice_and_entropy, mask_iou
from mskseg.finetuning.memory import memory_explained
from mskseg.finetuning.modes import prepare
from mskseg.finetuning.passes import backward_in_passes
from mskseg.finetuning.questions import Questions, answer, ask
from mskseg.finetuning.samples import (
    GatheredSlices,
    PromptedSlice,
    Visit,
    draw_visit,
    n_prompts,
    oracle_visit,
    positions_of,
    shown_at,
)
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter

_PROMPTS_PER_PASS = {"cpu": 8, "mps": 16}  # on a CPU more do not fit its cache; elsewhere:
_PROMPTS_PER_PASS_GPU = 64


class NotFiniteError(ArithmeticError):
    """The loss of a step or its gradient is NaN or infinite; the weights are as before the step."""


class Tuning:
    """A copy of a model in training.

    Parameters
    ----------
    base : Segmenter
        Stays as it is.
    train, validation : GatheredSlices
    config : FineTuneConfig
    cache : EmbeddingCache
        Of embeddings, where the encoder is frozen.
    fabric : Fabric
        Device, rank and number of processes.

    Attributes
    ----------
    segmenter : Segmenter
        Around the copy, which changes with every step.
    trained : dict of str to Parameter
    step : int
        Steps done.
    """

    def __init__(
        self,
        base: Segmenter,
        train: GatheredSlices,
        validation: GatheredSlices,
        config: FineTuneConfig,
        *,
        cache: EmbeddingCache,
        fabric: Fabric,
    ) -> None:
        self.config, self.fabric, self.step = config, fabric, 0
        self._train, self._validation = train.slices, validation.slices
        self.segmenter = Segmenter(
            copy.deepcopy(base.model),
            base.preprocessing,
            name=f"{base.name}, {config.mode} tuned",
            device=fabric.device,
            miniature=base.miniature,
            learned_iou=config.keep_iou_loss,
            precision=base.precision,
        )
        self.trained: dict[str, nn.Parameter] = prepare(self.segmenter.model, config)
        self.optimiser = torch.optim.AdamW(
            self.trained.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._encode: Callable[[Sequence[PromptedSlice]], Tensor] = (
            FrozenEncoder(base, config, cache=cache, device=fabric.device)
            if config.mode == "decoder"
            else LiveEncoder(self.segmenter, config)
        )
        kind = fabric.device.type
        self._together = config.prompts_per_pass or _PROMPTS_PER_PASS.get(
            kind, _PROMPTS_PER_PASS_GPU
        )
        self._autocast = torch.autocast(
            kind, torch.bfloat16, enabled=config.precision == "bfloat16"
        )

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch: as many as were asked for, or as show each slice once."""
        n = len(self._train)
        return self.config.steps_per_epoch or -(-n // min(self.config.slices_per_step, n))

    def advance(self) -> float:
        """One step; returns its loss, the mean over the prompts of all processes.

        Raises
        ------
        NotFiniteError
            Naming the slices of the step.
        InputError
            If memory runs out.
        """
        positions = positions_of(self.step, self.config, n=len(self._train))
        shown = [shown_at(p, self._train, self.config) for p in positions]
        total = sum(n_prompts(each, self.config) for each in shown)
        fabric = self.fabric
        with memory_explained(self.config):
            mine = positions[fabric.global_rank :: fabric.world_size]
            visits = [draw_visit(p, self._train, self.config) for p in mine]
            loss = self._backward(visits, share=fabric.world_size / total)
        loss = float(self._over_processes(torch.tensor([loss]), "mean"))
        average_gradients(fabric, self.trained.values())
        norm = nn.utils.clip_grad_norm_(self.trained.values(), self.config.clip_norm)
        if not (math.isfinite(loss) and bool(norm.isfinite())):
            self.optimiser.zero_grad()
            names = ", ".join(each.name for each in shown)
            raise NotFiniteError(f"step {self.step + 1} ({names})")
        self._update()
        return loss

    def _backward(self, visits: Sequence[Visit], *, share: float) -> float:
        questions = ask(visits, self.segmenter.model, self.segmenter.preprocessing)
        embeddings = self._encode([v.of for v in visits])

        def loss_of(part: slice, encoded: Tensor) -> Tensor:
            return self._losses(questions, part, encoded).sum() * share

        return backward_in_passes(
            embeddings, loss_of, count=len(questions), together=self._together
        )

    def _losses(self, questions: Questions, part: slice, embeddings: Tensor) -> Tensor:
        image, targets = questions.image[part], questions.targets[part]
        with self._autocast:
            logits, predicted_iou = answer(
                self.segmenter.model, embeddings, image, questions.coords[part],
                questions.kinds[part],
            )  # fmt: skip
        inside = questions.inside[image]
        focal = self.config.loss == "dice_focal"
        losses = dice_and_entropy(logits, targets, weight=inside, focal=focal)
        if self.config.keep_iou_loss:  # as SAM learned it: the squared error of the estimate
            shown = logits.detach().masked_fill(inside == 0, -1.0)
            found = mask_iou(shown[:, None], targets > 0.5)[:, 0]
            losses = losses + (predicted_iou - found).square()
        return losses

    def _update(self) -> None:
        self.optimiser.param_groups[0]["lr"] = learning_rate(
            self.step, self.config, last=self.config.epochs * self.steps_per_epoch
        )
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1

    def validation_dice(self) -> float:
        """Mean Dice of the validation slices, by the same oracle prompts at every epoch.

        As the tables have it: within a subject over the slices of each tissue, then over its
        tissues, then over the subjects; a tissue's mask is the union of its objects' masks.
        """
        rank, world = self.fabric.global_rank, self.fabric.world_size
        keys: list[tuple[str, str]] = []
        values: list[float] = []
        for i, each in enumerate(self._validation):
            pairs = dict.fromkeys(zip(each.labels, each.tissues, strict=True))
            keys += [(each.subject, f"{label} {tissue}") for label, tissue in pairs]
            values += self._dice_on(each) if i % world == rank else [0.0] * len(pairs)
        return mean_of_subjects(keys, self._over_processes(torch.tensor(values), "sum").tolist())

    def _over_processes(self, values: Tensor, how: Literal["mean", "sum"]) -> Tensor:
        values = values.to(self.fabric.device)
        return torch.as_tensor(self.fabric.all_reduce(values, reduce_op=how)).cpu()

    @torch.no_grad()
    def _dice_on(self, at: PromptedSlice) -> list[float]:
        """Dice of each label that has an object on a slice, in their order."""
        segmenter, model = self.segmenter, self.segmenter.model
        with memory_explained(self.config):
            asked = ask([oracle_visit(at, self.config)], model, segmenter.preprocessing)
            embeddings = self._encode([at])
            masks = []
            for start in range(0, len(asked), self._together):
                part = slice(start, start + self._together)
                with self._autocast:
                    logits, _ = answer(
                        model, embeddings, asked.image[part], asked.coords[part], asked.kinds[part]
                    )
                size = (at.image.shape[0], at.image.shape[1])
                found, _ = segmenter.preprocessing.upsample(logits[:, None], size, model)
                masks.append(found[:, 0].cpu().numpy())
        of_object = np.concatenate(masks)
        labels = np.array(at.labels)
        return [
            dice(at.label_map == label, of_object[labels == label].any(axis=0))
            for label in dict.fromkeys(at.labels)
        ]


def learning_rate(step: int, config: FineTuneConfig, *, last: int) -> float:
    """Rate of a step, from 0: it rises over the warm-up; with "cosine" it falls until `last`."""
    rise = min(1.0, (step + 1) / max(1, config.warm_up))
    if config.schedule == "constant":
        return config.learning_rate * rise
    fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, last))))
    return config.learning_rate * rise * fall


def mean_of_subjects(keys: Sequence[tuple[str, str]], values: Sequence[float]) -> float:
    """Mean over slices within subject and tissue, then over tissues, then over subjects."""
    table = pd.DataFrame(keys, columns=["subject", "tissue"]).assign(value=values)
    per_tissue = table.groupby(["subject", "tissue"])["value"].mean()
    return float(per_tissue.groupby("subject").mean().mean())
