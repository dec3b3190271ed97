"""A training under way: a copy of the model, its optimiser, one step, and its validation Dice."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mskseg.evaluation.averaging import nested_mean
from mskseg.evaluation.metrics import dice
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.dataset import LabelledSlice, Sample, SliceDataset
from mskseg.finetuning.losses import dice_and_entropy, mask_iou, targets_in_frame
from mskseg.finetuning.machine import Processes, memory_explained
from mskseg.finetuning.modes import prepare
from mskseg.finetuning.prompt_tokens import PromptTokens, decode_prompts
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.preprocessing import as_rgb_uint8
from mskseg.models.segmenter import Segmenter, prompts_at_once

_PREPARED_MB = 512.0  # of images in the encoder's form that are kept: MedSAM's spline takes long


class NotFiniteError(ArithmeticError):
    """The loss of a step or its gradient is NaN or infinite; the weights are as before the step."""


@dataclass(frozen=True, eq=False)
class Batch:
    """N prompts about B images, on the model's device."""

    image: Tensor  # (N,) int64: which of the B images a prompt is about
    tokens: PromptTokens  # N of them
    targets: Tensor  # (N, h, w) float32, from `targets_in_frame`
    inside: Tensor  # (B, h, w) float32: share of each cell that lies on the slice

    @classmethod
    def of(cls, samples: Sequence[Sample], segmenter: Segmenter) -> Self:
        """Bring samples to the model's frame."""
        device, preprocessing = segmenter.model.device, segmenter.preprocessing
        height, width = segmenter.model.prompt_encoder.mask_input_size
        tokens, targets, inside = [], [], []
        for sample in samples:
            shape = sample.source.shape
            tokens.append(
                PromptTokens.of_prompt(
                    sample.prompt, preprocessing, image_shape=shape, device=device
                )
            )
            masks = torch.from_numpy(sample.source.masks(sample.chosen)).to(device)
            target, share = targets_in_frame(
                masks, preprocessing=preprocessing, size=(height, width)
            )
            targets.append(target)
            inside.append(share)
        counts = torch.tensor([len(t) for t in tokens])
        return cls(
            image=torch.arange(len(samples)).repeat_interleave(counts).to(device),
            tokens=PromptTokens.joined(tokens),
            targets=torch.cat(targets),
            inside=torch.stack(inside),
        )


def frozen_encoder(
    base: Segmenter, config: FineTuneConfig, *, cache: EmbeddingCache, device: torch.device
) -> Callable[[Sequence[LabelledSlice]], Tensor]:
    """Make what encodes each slice once, by the weights that the training started from."""
    segmenter = Segmenter(
        base.model if device == base.device else copy.deepcopy(base.model),
        base.preprocessing,
        name=base.name,
        device=device,
        precision=config.precision,
        cache=cache,
    )
    # Cloned: what was made in inference mode cannot take part in a graph.
    return lambda slices: torch.cat([segmenter.embed(s.image).features.clone() for s in slices])


class LiveEncoder:
    """Encodes slices by the weights as they are now."""

    def __init__(self, tuned: Segmenter, config: FineTuneConfig) -> None:
        self._tuned, self._half = tuned, config.precision == "bfloat16"
        self._prepared: dict[int, Tensor] = {}
        self._room = int(_PREPARED_MB * 2**20)

    def __call__(self, slices: Sequence[LabelledSlice]) -> Tensor:
        """Features (B, C, h, w) float32 of B slices; with gradient unless it is off."""
        images = torch.cat([self._image(labelled) for labelled in slices])
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._half):
            features: Tensor = self._tuned.model.image_encoder(images)
        return features.float()

    def _image(self, labelled: LabelledSlice) -> Tensor:
        """Prepare a slice, or fetch it; what came first stays: the order is random anyway."""
        tensor = self._prepared.get(id(labelled))
        if tensor is None:
            rgb = as_rgb_uint8(labelled.image)
            tensor = self._tuned.preprocessing.image_tensor(rgb, self._tuned.model)
            size = tensor.numel() * tensor.element_size()
            if size <= self._room:
                self._prepared[id(labelled)] = tensor
                self._room -= size
        return tensor


class Trainer:
    """A copy of a model in training: `segmenter` is around it, the base stays as it is."""

    def __init__(
        self,
        base: Segmenter,
        train: SliceDataset,
        validation: SliceDataset,
        config: FineTuneConfig,
        *,
        cache: EmbeddingCache,
        processes: Processes,
    ) -> None:
        self.config, self.processes, self.steps_done = config, processes, 0
        self._train, self._validation = train, validation
        device = processes.device
        self.segmenter = Segmenter(
            copy.deepcopy(base.model),
            base.preprocessing,
            name=f"{base.name}, {config.mode} tuned",
            device=device,
            miniature=base.miniature,
            learned_iou=config.keep_iou_loss,
            prompt_kinds=base.prompt_kinds,
            precision=base.precision,
        )
        self.trained: dict[str, nn.Parameter] = prepare(self.segmenter.model, config)
        self.optimiser = torch.optim.AdamW(
            self.trained.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.encode: Callable[[Sequence[LabelledSlice]], Tensor] = (
            frozen_encoder(base, config, cache=cache, device=device)
            if config.mode == "decoder"
            else LiveEncoder(self.segmenter, config)
        )
        side = base.model.prompt_encoder
        numbers = side.embed_dim * math.prod(side.image_embedding_size)
        # Twice as many as in inference are quickest on a CPU: two of SAM, 16 of SAM-mini.
        together = prompts_at_once(numbers, device.type) * (2 if device.type == "cpu" else 1)
        self._prompts_per_pass = config.prompts_per_pass or together
        self._autocast = torch.autocast(
            device.type, torch.bfloat16, enabled=config.precision == "bfloat16"
        )

    @property
    def steps_per_epoch(self) -> int:
        """As many as the settings say, or as show each slice once."""
        n = len(self._train)
        return self.config.steps_per_epoch or math.ceil(n / min(self.config.slices_per_step, n))

    def train_step(self) -> float:
        """Do one step; return the loss of all processes. NotFiniteError names the slices."""
        processes, train = self.processes, self._train
        positions = train.positions(self.steps_done)
        n_prompts = sum(train.n_prompts_at(p) for p in positions)
        with memory_explained(self.config):
            mine = positions[processes.rank :: processes.world_size]
            samples = [train.sample_at(p) for p in mine]
            loss = self._backward(samples, share=processes.world_size / n_prompts)
        loss = float(processes.sum(torch.tensor(loss)) / processes.world_size)
        processes.average_gradients(self.trained.values())
        norm = nn.utils.clip_grad_norm_(self.trained.values(), self.config.clip_norm)
        if not (math.isfinite(loss) and bool(norm.isfinite())):
            self.optimiser.zero_grad()
            shown = [train.slice_at(position) for position in positions]
            names = ", ".join(f"{each.case} slice {each.index}" for each in shown)
            raise NotFiniteError(f"step {self.steps_done + 1} ({names})")
        self.optimiser.param_groups[0]["lr"] = learning_rate(
            self.steps_done, self.config, last=self.config.epochs * self.steps_per_epoch
        )
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.steps_done += 1
        return loss

    def _backward(self, samples: Sequence[Sample], *, share: float) -> float:
        batch = Batch.of(samples, self.segmenter)
        embeddings = self.encode([sample.source for sample in samples])

        def loss_of(part: slice, encoded: Tensor) -> Tensor:
            return self._losses(batch, part, encoded).sum() * share

        return backward_in_passes(
            embeddings, loss_of, count=len(batch.tokens), together=self._prompts_per_pass
        )

    def _losses(self, batch: Batch, part: slice, embeddings: Tensor) -> Tensor:
        """Loss (n,) of some of the prompts."""
        targets, inside = batch.targets[part], batch.inside[batch.image[part]]
        logits, predicted_iou = self._decode(batch, part, embeddings)
        losses = dice_and_entropy(logits, targets, weight=inside)
        if self.config.keep_iou_loss:  # as SAM learned it: the squared error of the estimate
            shown = logits.detach().masked_fill(inside == 0, -1.0)
            iou = mask_iou(shown[:, None], targets > 0.5)[:, 0]
            losses = losses + (predicted_iou - iou).square()
        return losses

    def _decode(self, batch: Batch, part: slice, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, h, w) and predicted IoU (n,) of SAM's single mask, for some of the prompts."""
        with self._autocast:
            logits, predicted_iou = decode_prompts(
                self.segmenter.model, embeddings[batch.image[part]], batch.tokens[part]
            )
        return logits[:, 0].float(), predicted_iou[:, 0].float()

    def validation_dice(self) -> float:
        """Mean Dice of the validation slices (`nested_mean`), by the same oracle prompts always."""
        processes = self.processes
        rows: list[tuple[str, str, str]] = []
        values: list[float] = []
        for i, labelled in enumerate(self._validation.slices):
            pairs = dict.fromkeys(zip(labelled.labels, labelled.tissues, strict=True))
            rows += [("", labelled.subject, f"{label} {tissue}") for label, tissue in pairs]
            mine = i % processes.world_size == processes.rank
            values += self._dice_on(labelled) if mine else [0.0] * len(pairs)
        table = pd.DataFrame(rows, columns=["dataset", "subject", "tissue"])
        table["dice"] = processes.sum(torch.tensor(values)).tolist()
        return float(nested_mean(table)["dice"].iloc[0])

    @torch.no_grad()
    def _dice_on(self, labelled: LabelledSlice) -> list[float]:
        """Dice of each label that has an object on a slice, in their order."""
        segmenter = self.segmenter
        with memory_explained(self.config):
            batch = Batch.of([self._validation.oracle_sample(labelled)], segmenter)
            embeddings = self.encode([labelled])
            masks = []
            for start in range(0, len(batch.tokens), self._prompts_per_pass):
                part = slice(start, start + self._prompts_per_pass)
                logits, _ = self._decode(batch, part, embeddings)
                upsampled, _ = segmenter.preprocessing.upsample(
                    logits[:, None], labelled.shape, segmenter.model
                )
                masks.append(upsampled[:, 0].cpu().numpy())
        of_object = np.concatenate(masks)
        labels = np.array(labelled.labels)
        return [
            dice(labelled.label_map == label, of_object[labels == label].any(axis=0))
            for label in dict.fromkeys(labelled.labels)
        ]


def backward_in_passes(
    embeddings: Tensor, loss_of: Callable[[slice, Tensor], Tensor], *, count: int, together: int
) -> float:
    """Backpropagate `count` prompts, few `together` to save memory; the encoder's part once."""
    encoder_trains = embeddings.requires_grad
    leaf, total = embeddings.detach().requires_grad_(encoder_trains), 0.0
    for start in range(0, count, together):
        loss = loss_of(slice(start, min(start + together, count)), leaf)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    if encoder_trains:
        embeddings.backward(leaf.grad)  # type: ignore[no-untyped-call]
    return total


def learning_rate(step: int, config: FineTuneConfig, *, last: int) -> float:
    """Rate of a step, from 0: it rises over the warm-up; with "cosine" it falls until `last`."""
    rise = min(1.0, (step + 1) / max(1, config.warm_up))
    if config.schedule == "constant":
        return config.learning_rate * rise
    fall = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, last))))
    return config.learning_rate * rise * fall
