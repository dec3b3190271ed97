"""Python processes of their own, which find the checkout and the tests' support."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mskseg

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def run_python(*arguments: str | Path) -> None:
    """Run Python with arguments; the end of its stderr is the message if it fails."""
    home = [str(Path(mskseg.__file__).parents[1]), str(Path(__file__).parents[1])]
    path = os.pathsep.join(filter(None, [*home, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-3000:]
