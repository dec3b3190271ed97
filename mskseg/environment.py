"""Whether what is installed fits together."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version

from mskseg.errors import MsksegError


class EnvironmentMismatchError(MsksegError):
    """Installed packages that cannot work together."""


def check_torch_pair() -> None:
    """Import torchvision, which `segment_anything` needs, and say plainly if it does not fit torch.

    Raises
    ------
    EnvironmentMismatchError
        If torchvision cannot be imported beside the installed torch: a CPU-only torch beside the
        registry's torchvision fails with "operator torchvision::nms does not exist".
    """
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        raise EnvironmentMismatchError(
            f"torch {_version('torch')} and torchvision {_version('torchvision')} do not fit "
            f"together ({str(error).splitlines()[0]}); install the pair that constraints.txt "
            "pins: remove .venv and run `make test` again"
        ) from error


def available_cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    try:
        check_torch_pair()
    except EnvironmentMismatchError as mismatch:
        sys.exit(f"mskseg: {mismatch}")
