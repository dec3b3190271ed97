"""Check that what is installed fits together, and count the cores."""

import importlib
import os
import re
import sys
from importlib import metadata

from mskseg.errors import MsksegError


class EnvironmentMismatchError(MsksegError):
    """Installed packages that are missing or cannot work together."""


def check_torch_pair() -> None:
    """Raise EnvironmentMismatchError if torch and torchvision do not fit together."""
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        torch, torchvision = package_version("torch"), package_version("torchvision")
        raise EnvironmentMismatchError(
            f"torch {torch or '(not installed)'} and torchvision {torchvision or '(not installed)'}"
            f" do not fit together ({str(error).splitlines()[0]}); install the pair that "
            "constraints.txt pins: remove .venv and run `make test` again"
        ) from error


def check_extra(extra: str) -> None:
    """Raise EnvironmentMismatchError if a package of an extra, such as "workbook", is missing."""
    try:
        requirements = metadata.requires("mskseg") or []
    except metadata.PackageNotFoundError:  # a source tree that was never installed
        return
    marker = re.compile(rf"([\w.-]+).*\bextra == ['\"]{extra}['\"]")
    names = [found[1] for found in map(marker.match, requirements) if found]
    if missing := [name for name in names if package_version(name) is None]:
        raise EnvironmentMismatchError(
            f"expected the packages of mskseg[{extra}], {', '.join(missing)} not installed; "
            f"run: python -m pip install 'mskseg[{extra}]'"
        )


def package_version(name: str) -> str | None:
    """Look up the version of an installed package; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def available_cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    try:
        check_torch_pair()
    except EnvironmentMismatchError as mismatch:
        sys.exit(f"mskseg: {mismatch}")
