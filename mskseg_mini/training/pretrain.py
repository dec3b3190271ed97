"""Train SAM-mini from scratch on synthetic scenes: ``python -m mskseg_mini.training.pretrain``.

Two stages: the prompt side learns geometry alone, then all parts train together, interactively
(`pretrain_step.py`). The kept weights are a moving average, chosen on held-out scenes
(`held_out.py`). An interrupted run goes on from its last checkpoint.
"""

import argparse
import copy
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from mskseg.models.upstream import Sam
from mskseg_mini.architecture import build_sam_mini
from mskseg_mini.training.held_out import score_held_out_scenes
from mskseg_mini.training.pretrain_step import (
    PretrainConfig,
    initialise,
    train_step,
    warm_start_loss,
)
from mskseg_mini.training.resumable import (
    Training,
    append_row,
    export_miniature,
    load_sam_mini,
    parse_settings,
)


class Pretraining(Training[PretrainConfig]):
    """A training of the weights and of their moving average."""

    def __init__(self, config: PretrainConfig, folder: Path, *, device: str = "cpu") -> None:
        super().__init__(config, folder)
        torch.manual_seed(config.seed)
        self.device = torch.device(device)
        self.sam = build_sam_mini().to(device)
        initialise(self.sam)
        self.sam.to(memory_format=torch.channels_last)
        self.average: Sam = copy.deepcopy(self.sam).requires_grad_(False)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.autocast = torch.autocast(self.device.type, torch.bfloat16)
        # Norms, biases and embeddings are not pulled towards zero.
        embeddings = {m.weight for m in self.sam.modules() if isinstance(m, nn.Embedding)}
        parameters = list(self.sam.parameters())
        matrices = [p for p in parameters if p.ndim > 1 and p not in embeddings]
        others = [p for p in parameters if p.ndim <= 1 or p in embeddings]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)

    def begin(self) -> None:
        """Train the prompt side on geometry, unless the weights are of an earlier training."""
        if self.start_sha256:
            return
        prompt_side = nn.ModuleList([self.sam.prompt_encoder, self.sam.mask_decoder])
        optimiser = torch.optim.AdamW(prompt_side.parameters())
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
        """Do one joint step; return its loss."""
        config = self.config
        rise = min(1.0, (self.step + 1) / config.warm_up)
        left = (config.steps - self.step) / max(1.0, config.decay_share * config.steps)
        fall = 0.05 + 0.95 * 0.5 * (1 - math.cos(math.pi * min(1.0, max(0.0, left))))
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * rise * fall
        self.optimiser.zero_grad()
        loss = train_step(
            self.sam,
            config,
            patch=self.step < config.patch_share * config.steps,
            generator=self.generator,
            autocast=self.autocast,
        )
        nn.utils.clip_grad_norm_(self.sam.parameters(), config.clip_norm)
        self.optimiser.step()
        # Early on the average follows more closely, or it would drag the random start along.
        keep = min(config.average, (2 + self.step) / (11 + self.step))
        average, now = list(self.average.parameters()), list(self.sam.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(average, now, 1 - keep)
        self.step += 1
        return loss

    def evaluate(self, losses: list[float], *, seconds: int) -> float:
        """Log time, loss and scores of the average on held-out scenes."""
        scores = score_held_out_scenes(self.average, batches=self.config.held_out_batches)
        loss = sum(losses) / len(losses) if losses else math.nan
        of_interest = {name: scores[name] for name in ("box", "point", "filled_box")}
        row = {"step": self.step, "seconds": seconds, "loss": loss, **of_interest}
        append_row(self.folder / "log.csv", row)
        return (scores["box"] + scores["point"]) / 2

    def export(self, score: float) -> None:
        """Write the averaged weights."""
        origin = {"step": self.step, "held_out_score": score, **asdict(self.config)}
        if self.start_sha256:
            origin |= {"from": self.start_sha256, "warm_steps": 0}
        path = self.folder / "sam_vit_mini.safetensors"
        export_miniature(self.average, path, preprocessing="sam", origin=origin)

    def state(self) -> dict[str, Any]:
        """Give the average and the random state."""
        return {"average": self.average.state_dict(), **super().state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back the average and the random state."""
        super().restore(state)
        self.average.load_state_dict(state["average"])

    def start_from(self, weights: str | Path) -> None:
        """Take the weights of an earlier training, of a SAM-mini; all else starts afresh."""
        start = load_sam_mini(weights)
        self.start_sha256 = start.fingerprint
        self.sam.load_state_dict(start.model.state_dict())
        self.average.load_state_dict(start.model.state_dict())


def main(arguments: list[str] | None = None) -> None:
    """Run or continue a training in a folder, with its ``log.csv``."""
    parser = argparse.ArgumentParser("python -m mskseg_mini.training.pretrain", None, __doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/sam_vit_mini"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--weights", help="of SAM-mini, to start from: a file or a name")
    options, config = parse_settings(parser, PretrainConfig(), arguments)
    run = Pretraining(config, options.folder, device=options.device)
    if options.weights is not None:
        run.start_from(options.weights)
    run.run()


if __name__ == "__main__":
    main()
