"""Where a model runs, and how many prompts it decodes at a time there."""

from __future__ import annotations

import torch

from mskseg.errors import InputError

# Prompts decoded in one call, measured by benchmarks/decode_chunks.py (its docstring has the
# numbers). A fixed number per kind of device, not a calibration at run time: chunks of another size
# round differently, and two runs on one machine must give the same masks.
# "cuda" and "mps" have not been measured: they only bound the memory.
CHUNK_SIZES = {"cpu": 2, "mps": 16, "cuda": 64}


def chunk_size(device: torch.device) -> int:
    """Give the number of prompts to decode in one call."""
    return CHUNK_SIZES.get(device.type, CHUNK_SIZES["cpu"])


def available_device(device: str | torch.device) -> torch.device:
    """Give the torch device of that name.

    Raises
    ------
    InputError
        If it is not a device's name, or this machine has no such device.
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"the device {str(device)!r} is not available here (torch {torch.__version__}); "
            "use 'cpu'"
        ) from error
    return found
