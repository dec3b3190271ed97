"""How much memory a training took, and what lowers it when there is not enough."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig

_OUT_OF_CPU_MEMORY = ("can't allocate memory", "not enough memory", "cannot allocate memory")


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
        with suppress(OSError):
            for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 2**10
        try:
            import resource
        except ImportError:  # Windows
            return float("nan")
        unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
