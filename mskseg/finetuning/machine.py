"""What a training runs on: the processes that train one model together, and their memory."""

import atexit
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig

_OUT_OF_CPU_MEMORY = ("can't allocate memory", "not enough memory", "cannot allocate memory")


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
        for parameter in (p for p in parameters if p.requires_grad):
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = self.sum(gradient) / self.world_size


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


@contextmanager
def memory_explained(config: FineTuneConfig) -> Iterator[None]:
    """Turn "out of memory" into an InputError that names the setting which lowers it most."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(_advice(config)) from error
    except RuntimeError as error:
        if any(words in str(error).lower() for words in _OUT_OF_CPU_MEMORY):
            raise InputError(_advice(config)) from error
        raise


def _advice(config: FineTuneConfig) -> str:
    cheaper = []
    if config.slices_per_step > 1:
        cheaper.append(f"slices_per_step below {config.slices_per_step}")
    if config.prompts_per_pass != 1:
        cheaper.append(f"prompts_per_pass below {config.prompts_per_pass or 'its default'}")
    if config.precision == "float32":
        cheaper.append("precision bfloat16")
    if config.mode != "decoder":
        cheaper.append("mode decoder")
    return (
        f"memory ran out with mode {config.mode}, {config.slices_per_step} slices a step; lower "
        f"it by {', or '.join(cheaper) or 'a smaller model'}"
    )


class PeakMemory:
    """Most memory in use since this was made: torch's on a GPU, else the whole process's."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError):  # proc(5): 5 resets the "high water mark" VmHWM
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def megabytes(self) -> float:
        """Give the peak so far, in MB of 2**20 bytes; NaN where the system does not say."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        with suppress(OSError, IndexError):  # getrusage would count the parent's peak, too
            status = Path("/proc/self/status").read_text(encoding="ascii")
            return int(status.partition("VmHWM:")[2].split()[0]) / 2**10
        try:
            import resource
        except ImportError:  # Windows
            return float("nan")
        unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
