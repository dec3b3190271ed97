"""One process, or several that ``torchrun`` started and that train one model together."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Processes:
    """The processes that train together, as one of them sees them."""

    device: torch.device  # of this process
    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum a tensor over the processes."""
        total = values.detach().to(self.device, copy=True)
        if self.world_size > 1:
            distributed.all_reduce(total)
        return total

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes; a missing one counts as zero."""
        if self.world_size == 1:
            return
        trained = [p for p in parameters if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        mean = self.sum(flat) / self.world_size
        start = 0
        for parameter in trained:
            parameter.grad = mean[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()


def join_processes(device: str) -> Processes:
    """Join the processes that ``torchrun`` started, if it did, each on its own GPU."""
    chosen = torch.device(device)
    if "RANK" not in os.environ:
        return Processes(chosen)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return Processes(chosen, distributed.get_rank(), distributed.get_world_size())
