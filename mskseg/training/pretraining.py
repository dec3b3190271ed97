"""A pretraining under way: its settings, one step, its checkpoint."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from mskseg.errors import InputError
from mskseg.files import written_atomically
from mskseg.models.mini.architecture import build_sam_mini
from mskseg.models.upstream import Sam
from mskseg.training.distributed import average_gradients, launched_fabric
from mskseg.training.interactive import (
    Window,
    draw_prompts,
    interactive_loss,
    nearest_mean_loss,
    normalised,
)
from mskseg.training.scenes import random_scenes
from mskseg.training.timing import PartTimes
from mskseg.training.warm_start import initialise, warm_start_loss

# Tells `mskseg.load_segmenter` what the file holds.
METADATA = {
    "mskseg.architecture": "vit_mini",
    "mskseg.preprocessing": "sam",
    "mskseg.learned_iou": "true",
}


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
    corrections: int = 1  # most corrective points of these steps; each costs as much again
    box_share: float = 0.65  # of first prompts; the rest are points
    iou_weight: float = 1.0  # of the predicted IoU's squared error beside the masks' loss, as SAM's
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
    times: PartTimes,
) -> float:
    """Gradients of one step, in passes of few prompts so that memory stays small.

    With `patch`, the images are quarters of the frame, and twice as many.
    """
    frame_px, frame_cells = sam.image_encoder.img_size, sam.prompt_encoder.image_embedding_size[0]
    size, cells = (frame_px // 2, frame_cells // 2) if patch else (frame_px, frame_cells)
    count = config.scenes * (2 if patch else 1)
    with times.part("scenes"):
        scenes = random_scenes(count, generator=generator, size=size)
        prompts = draw_prompts(
            scenes,
            per_scene=config.prompts,
            box_share=config.box_share,
            low_res=4 * cells,
            generator=generator,
        )
    rounds = _drawn_rounds(config, generator)
    window = Window.drawn(cells=cells, frame_cells=frame_cells, generator=generator)
    with times.part("encoder"), autocast:
        encoded = sam.image_encoder(normalised(sam, scenes.images, generator=generator)).float()
    leaf = encoded.detach().requires_grad_()
    total, together = 0.0, config.prompts_a_pass * (4 if patch else 1)
    with times.part("decoder"):
        for start in range(0, len(prompts.image), together):
            part = prompts.part(slice(start, start + together))
            with autocast:
                loss = interactive_loss(
                    sam,
                    leaf[part.image],
                    part,
                    rounds=rounds,
                    window=window,
                    iou_weight=config.iou_weight,
                    generator=generator,
                )
            loss = loss * len(part.image) / len(prompts.image)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        with autocast:
            feature_loss = nearest_mean_loss(sam, leaf, prompts)
        (config.feature_weight * feature_loss).backward()  # type: ignore[no-untyped-call]
    with times.part("encoder"):
        encoded.backward(leaf.grad)
    return total + feature_loss.item()


def _drawn_rounds(config: PretrainConfig, generator: torch.Generator) -> int:
    """How many masks of each prompt a step trains: the first, and those after corrections."""
    device = generator.device
    if float(torch.rand((), generator=generator, device=device)) >= config.second_round:
        return 1
    if config.corrections == 1:
        return 2
    return 1 + int(torch.randint(1, config.corrections + 1, (), generator=generator, device=device))


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
            export_weights(self.average, self.folder / "sam_vit_mini.safetensors", origin=origin)
        with written_atomically(self.folder / "state.pt") as path:
            torch.save(state | {"best": self.best}, path)

    def _state(self) -> dict[str, Any]:
        mine = self.generator.get_state()
        every = torch.as_tensor(self.fabric.all_gather(mine.to(self.fabric.device)))
        return {
            "step": self.step,
            "config": asdict(self.config),
            "sam": self.sam.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": mine,  # the first process's; all of them:
            "generators": every.view(-1, len(mine)).cpu(),
        }

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False where there is none.

        Raises
        ------
        InputError
            If the checkpoint was made with other settings: its schedule would not be this one's.
        """
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.sam.pixel_mean.device, weights_only=True)
        asked = asdict(self.config)
        other = {k: v for k, v in state["config"].items() if asked[k] != v}
        if other:
            raise InputError(
                f"{path} was made with {other}, other than asked now; give the same settings, or "
                "start in a new folder with --weights"
            )
        self.sam.load_state_dict(state["sam"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        rank, every = self.fabric.global_rank, state.get("generators", state["generator"][None])
        if rank < len(every):  # a process more than before keeps its own fresh state
            self.generator.set_state(every[rank].cpu().clone())  # it wants storage of its own
        self.step, self.best = state["step"], state["best"]
        return True

    def start_from(self, weights: Path) -> None:
        """Take the weights of an earlier training; optimiser and schedule start afresh."""
        state = {name: value.float() for name, value in load_file(weights).items()}
        self.sam.load_state_dict(state)
        self.average.load_state_dict(state)


def export_weights(sam: Sam, path: Path, *, origin: dict[str, Any]) -> None:
    """Write `sam` in half precision as safetensors that `mskseg.load_segmenter` reads.

    `origin` says how the weights came about; it is stored in the file.
    """
    state: dict[str, Tensor] = {
        name: value.detach().half().contiguous().cpu() for name, value in sam.state_dict().items()
    }
    with written_atomically(path) as temporary:
        save_file(state, temporary, metadata={**METADATA, "mskseg.origin": json.dumps(origin)})
