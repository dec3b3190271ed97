"""Train SAM-mini from scratch on synthetic scenes: ``python -m mskseg.training.pretrain``.

Two stages: the prompt side learns geometry alone (`warm_start.py`), then all parts train together
on `scenes.py`, interactively (`interactive.py`). The kept weights are a moving average, chosen on
held-out scenes (`held_out.py`). An interrupted run goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from mskseg.files import written_atomically
from mskseg.models.mini.architecture import build_sam_mini
from mskseg.models.upstream import Sam
from mskseg.training.held_out import score_held_out_scenes
from mskseg.training.interactive import (
    Window,
    draw_prompts,
    interactive_loss,
    nearest_mean_loss,
    normalised,
)
from mskseg.training.scenes import random_scenes
from mskseg.training.warm_start import initialise, warm_start_loss


@dataclass(frozen=True)
class PretrainConfig:
    """How SAM-mini is trained; the reason stands beside each default."""

    steps: int = 6000  # of joint training; about an hour and a half on two idle cores
    warm_steps: int = 850  # of geometry: Dice 0.8 on its ellipses, after which it flattens
    scenes: int = 8  # images a step: the encoder's batch
    prompts: int = 4  # objects asked for in each image: they share its encoding
    patch_share: float = 0.6  # first steps see quarters of the frame: more scenes a second
    prompts_a_pass: int = (
        8  # decoded together; on two cores more is slower (cache), on a GPU take 64
    )
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up: int = 200  # steps of rising learning rate
    decay_share: float = 0.35  # the last part of the steps, in which the rate falls to a twentieth
    clip_norm: float = 1.0
    second_round: float = 0.34  # share of steps with a corrective point: half a step's cost more
    box_share: float = 0.65  # of first prompts; the rest are points
    feature_weight: float = 0.5  # of the nearest-mean loss, which wakes the encoder
    average: float = 0.998  # of the weights that are kept (exponential moving average)
    evaluate_every: int = 250  # steps between held-out scores and checkpoints
    held_out_batches: int = 6  # of 8 scenes and 32 objects: a standard error of about 0.015
    seed: int = 0


def train_step(
    sam: Sam,
    config: PretrainConfig,
    *,
    patch: bool,
    generator: torch.Generator,
    autocast: torch.autocast,
) -> float:
    """Gradients of one step, in passes of few prompts so that memory stays small.

    With `patch`, the images are quarters of the frame, and twice as many.
    """
    frame_px, frame_cells = sam.image_encoder.img_size, sam.prompt_encoder.image_embedding_size[0]
    size, cells = (frame_px // 2, frame_cells // 2) if patch else (frame_px, frame_cells)
    count = config.scenes * (2 if patch else 1)
    scenes = random_scenes(count, generator=generator, size=size)
    prompts = draw_prompts(
        scenes,
        per_scene=config.prompts,
        box_share=config.box_share,
        low_res=4 * cells,
        generator=generator,
    )
    draw = torch.rand((), generator=generator, device=generator.device)
    rounds = 2 if float(draw) < config.second_round else 1
    window = Window.drawn(cells=cells, frame_cells=frame_cells, generator=generator)
    with autocast:
        encoded = sam.image_encoder(normalised(sam, scenes.images, generator=generator)).float()
    leaf = encoded.detach().requires_grad_()
    total, together = 0.0, config.prompts_a_pass * (4 if patch else 1)
    for start in range(0, len(prompts.image), together):
        part = prompts.part(slice(start, start + together))
        with autocast:
            loss = interactive_loss(
                sam, leaf[part.image], part, rounds=rounds, window=window, generator=generator
            )
        loss = loss * len(part.image) / len(prompts.image)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    with autocast:
        feature_loss = nearest_mean_loss(sam, leaf, prompts)
    (config.feature_weight * feature_loss).backward()  # type: ignore[no-untyped-call]
    encoded.backward(leaf.grad)
    return total + feature_loss.item()


class Pretraining:
    """A training under way: model, average, optimiser and random state, all in one checkpoint."""

    def __init__(self, config: PretrainConfig, folder: Path, *, device: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.step = config, folder, 0
        self.sam = build_sam_mini().to(device)
        initialise(self.sam)
        self.sam.to(memory_format=torch.channels_last)
        self.average: Sam = copy.deepcopy(self.sam).requires_grad_(False)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.autocast = torch.autocast(device.split(":")[0], torch.bfloat16)
        self.optimiser = self._new_optimiser()

    def _new_optimiser(self) -> torch.optim.AdamW:
        # Norms, biases and embeddings are not pulled towards zero.
        matrices = [p for p in self.sam.parameters() if p.ndim > 1]
        others = [p for p in self.sam.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": self.config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.config.learning_rate)

    def warm_start(self) -> None:
        """Train the prompt side on geometry, then start joint training with a fresh optimiser."""
        prompt_side = nn.ModuleList([self.sam.prompt_encoder, self.sam.mask_decoder])
        optimiser = torch.optim.AdamW(prompt_side.parameters(), lr=1e-3)
        bar = tqdm(range(self.config.warm_steps), desc="warm start", mininterval=5)
        for step in bar:
            for group in optimiser.param_groups:
                group["lr"] = self.config.learning_rate * min(1.0, (step + 1) / 100)
            loss = warm_start_loss(self.sam, count=16, generator=self.generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
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
        )
        nn.utils.clip_grad_norm_(self.sam.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.step += 1
        # Early on the average follows more closely, or it would drag the random start along.
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.sam.parameters()), 1 - keep
            )
        return loss

    def _set_learning_rate(self) -> None:
        config = self.config
        rise = min(1.0, (self.step + 1) / config.warm_up)
        left = (config.steps - self.step) / max(1.0, config.decay_share * config.steps)
        fall = 0.05 + 0.95 * 0.5 * (1 - math.cos(math.pi * min(1.0, max(0.0, left))))
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * rise * fall

    def save(self) -> None:
        """Write the checkpoint to resume from, and the averaged weights as safetensors."""
        with written_atomically(self.folder / "state.pt") as path:
            torch.save(self._state(), path)
        export_weights(self.average, self.folder / "sam_vit_mini.safetensors")

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "sam": self.sam.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none."""
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.sam.pixel_mean.device, weights_only=True)
        self.sam.load_state_dict(state["sam"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"].cpu())
        self.step = state["step"]
        return True

    def start_from(self, weights: Path) -> None:
        """Take the weights of an earlier training; optimiser and schedule start afresh."""
        state = {name: value.float() for name, value in load_file(weights).items()}
        self.sam.load_state_dict(state)
        self.average.load_state_dict(state)


def export_weights(sam: Sam, path: Path) -> None:
    """Write `sam` in half precision as safetensors."""
    state: dict[str, Tensor] = {
        name: value.detach().half().contiguous().cpu() for name, value in sam.state_dict().items()
    }
    with written_atomically(path) as temporary:
        save_file(state, temporary)


def pretrain(
    config: PretrainConfig, folder: Path, *, device: str = "cpu", weights: Path | None = None
) -> None:
    """Run or continue a training in `folder`; log losses and held-out scores to ``log.csv``."""
    run = Pretraining(config, folder, device=device)
    if not run.resume():
        if weights is None:
            run.warm_start()
        else:
            run.start_from(weights)
        run.save()
    started, losses_since = time.monotonic(), []
    bar = tqdm(range(run.step, config.steps), initial=run.step, total=config.steps, mininterval=10)
    for _ in bar:
        losses_since.append(run.advance())
        if run.step % config.evaluate_every == 0 or run.step == config.steps:
            mean_loss = sum(losses_since) / len(losses_since)
            row = {
                "step": run.step,
                "seconds": round(time.monotonic() - started),
                "loss": mean_loss,
            }
            row.update(score_held_out_scenes(run.average, batches=config.held_out_batches))
            _append_row(folder / "log.csv", row)
            run.save()
            bar.set_postfix({name: f"{value:.3f}" for name, value in row.items()})
            losses_since.clear()


def _append_row(path: Path, row: dict[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in row.items()})


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mskseg.training.pretrain", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/sam_vit_mini"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--weights", type=Path, help="start from these instead of from scratch")
    for name, default in asdict(PretrainConfig()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the training."""
    options = _parse(arguments)
    names = [field.name for field in fields(PretrainConfig)]
    config = PretrainConfig(**{name: getattr(options, name) for name in names})
    pretrain(config, options.folder, device=options.device, weights=options.weights)


if __name__ == "__main__":
    main()
