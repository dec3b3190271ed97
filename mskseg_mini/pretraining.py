"""A pretraining under way: its schedule and its checkpoint."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from tqdm.auto import tqdm

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.finetuning.distributed import average_gradients, launched_fabric
from mskseg.models.upstream import Sam
from mskseg_mini.architecture import build_sam_mini
from mskseg_mini.miniatures import export_miniature, load_sam_mini
from mskseg_mini.pretrain_step import PretrainConfig, train_step
from mskseg_mini.timing import PartTimes
from mskseg_mini.warm_start import initialise, warm_start_loss


class Pretraining:
    """A training under way: model, average, optimiser and random state, all in one checkpoint.

    Parameters
    ----------
    config : PretrainConfig
        Steps count once, whatever the number of processes; scenes are those of each process.
    folder : path
        Of the checkpoint and the kept weights; only the first process writes.
    fabric : lightning_fabric.Fabric, optional
        The processes that train together; by default this one alone, on the CPU.
    """

    def __init__(
        self, config: PretrainConfig, folder: Path, *, fabric: Fabric | None = None
    ) -> None:
        torch.manual_seed(config.seed)  # the same start in all processes
        self.fabric = fabric or launched_fabric("cpu")
        device = self.fabric.device
        self.config, self.folder, self.step, self.best = config, folder, 0, -math.inf
        self.start_sha256 = ""
        self.sam = build_sam_mini().to(device)
        initialise(self.sam)
        self.sam.to(memory_format=torch.channels_last)
        self.average: Sam = copy.deepcopy(self.sam).requires_grad_(False)
        # Every process draws scenes of its own; the first one those of a training alone.
        seed = config.seed + 7919 * self.fabric.global_rank
        self.generator = torch.Generator(device).manual_seed(seed)
        self.autocast = torch.autocast(device.type, torch.bfloat16)
        self.times = PartTimes(device)
        self.optimiser = self._new_optimiser()

    def _new_optimiser(self) -> torch.optim.AdamW:
        # Norms, biases and embeddings are not pulled towards zero.
        embeddings = {m.weight for m in self.sam.modules() if isinstance(m, nn.Embedding)}
        every = list(self.sam.parameters())
        matrices = [p for p in every if p.ndim > 1 and p not in embeddings]
        others = [p for p in every if p.ndim <= 1 or p in embeddings]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": self.config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.config.learning_rate)

    def warm_start(self) -> None:
        """Train the prompt side on geometry, then start joint training with a fresh optimiser."""
        prompt_side = nn.ModuleList([self.sam.prompt_encoder, self.sam.mask_decoder])
        optimiser = torch.optim.AdamW(prompt_side.parameters())
        bar = tqdm(range(self.config.warm_steps), desc="warm start", mininterval=5)
        for step in bar:
            for group in optimiser.param_groups:
                group["lr"] = self.config.learning_rate * min(1.0, (step + 1) / 100)
            loss = warm_start_loss(self.sam, count=16, generator=self.generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            average_gradients(self.fabric, prompt_side.parameters())
            nn.utils.clip_grad_norm_(prompt_side.parameters(), self.config.clip_norm)
            optimiser.step()
            bar.set_postfix(loss=f"{loss.item():.3f}")
        self.average.load_state_dict(self.sam.state_dict())

    def advance(self) -> float:
        """One joint step; returns its loss."""
        self._set_learning_rate()
        self.optimiser.zero_grad()
        loss = train_step(
            self.sam,
            self.config,
            patch=self.step < self.config.patch_share * self.config.steps,
            generator=self.generator,
            autocast=self.autocast,
            times=self.times,
        )
        with self.times.part("update"):
            average_gradients(self.fabric, self.sam.parameters())
            nn.utils.clip_grad_norm_(self.sam.parameters(), self.config.clip_norm)
            self.optimiser.step()
            self._follow()
        self.step += 1
        return loss

    def _follow(self) -> None:
        """Move the average towards the weights as they are now."""
        # Early on the average follows more closely, or it would drag the random start along.
        keep = min(self.config.average, (2 + self.step) / (11 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.sam.parameters()), 1 - keep
            )

    def _set_learning_rate(self) -> None:
        config = self.config
        rise = min(1.0, (self.step + 1) / config.warm_up)
        left = (config.steps - self.step) / max(1.0, config.decay_share * config.steps)
        fall = 0.05 + 0.95 * 0.5 * (1 - math.cos(math.pi * min(1.0, max(0.0, left))))
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * rise * fall

    def save(self, score: float) -> None:
        """Write the checkpoint to resume from; and the averaged weights, if `score` is the best.

        All processes call it, since it holds the random state of each; the first one writes.
        """
        state = self._state()
        if not self.fabric.is_global_zero:
            return
        if score >= self.best:
            self.best = score
            origin = {"step": self.step, "held_out_score": score, **asdict(self.config)}
            if self.start_sha256:
                origin |= {"from": self.start_sha256, "warm_steps": 0}
            path = self.folder / "sam_vit_mini.safetensors"
            export_miniature(self.average, path, preprocessing="sam", origin=origin)
        with written_atomically(self.folder / "state.pt") as path:
            torch.save(state | {"best": self.best}, path)

    def _state(self) -> dict[str, Any]:
        mine = self.generator.get_state()
        every = torch.as_tensor(self.fabric.all_gather(mine.to(self.fabric.device)))
        return {
            "step": self.step,
            "config": asdict(self.config),
            "from": self.start_sha256,
            "sam": self.sam.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": every.view(-1, len(mine)).cpu(),
        }

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none.

        Raises
        ------
        InputError
            If the checkpoint was made with other settings, whose schedule would not be this one's,
            or from other weights.
        """
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.sam.pixel_mean.device, weights_only=True)
        asked = {**asdict(self.config), "from": self.start_sha256}
        made = {**state["config"], "from": state.get("from")}
        if other := {k: v for k, v in made.items() if asked.get(k) != v}:
            raise InputError(
                f"{path} was made with {other}, other than asked now; give the same settings, or "
                "start in a new folder with --weights"
            )
        self.sam.load_state_dict(state["sam"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        rank, every = self.fabric.global_rank, state["generators"]
        if rank < len(every):  # a process more than before keeps its own fresh state
            self.generator.set_state(every[rank].cpu().clone())  # it wants storage of its own
        self.step, self.best = state["step"], state["best"]
        return True

    def start_from(self, weights: str | Path) -> None:
        """Take the weights of an earlier training; optimiser and schedule start afresh.

        Raises
        ------
        InputError
            If the file holds no SAM-mini.
        """
        start = load_sam_mini(weights)
        self.start_sha256 = start.fingerprint
        self.sam.load_state_dict(start.model.state_dict())
        self.average.load_state_dict(start.model.state_dict())
