"""One process or several: Lightning Fabric starts them, here their gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn


def launched_fabric(device: str) -> Fabric:
    """Give the Fabric of this process: its device, its rank, and how many there are.

    Under ``torchrun`` the processes are those that it started (gloo on the CPU, NCCL on CUDA);
    otherwise there is one.

    Parameters
    ----------
    device : str
        "cpu", "cuda" or "cuda:1"; under ``torchrun`` each process takes the GPU of its local rank.
    """
    kind, _, index = device.partition(":")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if "RANK" in os.environ:
        nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
        fabric = Fabric(accelerator=kind, devices=processes, num_nodes=nodes, strategy="ddp")
    else:
        fabric = Fabric(accelerator=kind, devices=[int(index)] if index else 1)
    fabric.launch()
    return fabric


def average_gradients(fabric: Fabric, parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes; a missing one counts as zero.

    Training backpropagates in several passes that share an encoding, which the hooks of
    `DistributedDataParallel` do not follow; so all gradients travel once, as one vector.
    """
    if fabric.world_size == 1:
        return
    trained = [p for p in parameters if p.requires_grad]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    mean = torch.as_tensor(fabric.all_reduce(flat, reduce_op="mean"))
    for parameter, part in zip(trained, _split_like(mean, trained), strict=True):
        parameter.grad = part


def _split_like(flat: Tensor, parameters: list[nn.Parameter]) -> Iterable[Tensor]:
    parts = flat.split([p.numel() for p in parameters])  # type: ignore[no-untyped-call]
    return [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]
