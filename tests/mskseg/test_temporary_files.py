"""Temporary files: whole or nothing, and swept after a week."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mskseg.files import PARTIAL, locked, written_atomically

KILLED = """
import os, signal, sys
from pathlib import Path
from mskseg.files import written_atomically
with written_atomically(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
COUNTING = """
import sys, time
from pathlib import Path
from mskseg.files import locked
path = Path(sys.argv[1])
for _ in range(20):
    with locked(path):
        n = int(path.read_text())
        time.sleep(0.002)
        path.write_text(str(n + 1))
"""


@pytest.mark.skipif(os.name != "posix", reason="processes are killed by a signal")
def test_what_a_killed_process_left_is_swept_after_a_week_by_the_next_that_writes_there(tmp_path):
    target = tmp_path / "table.csv"
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert done.returncode < 0
    (left,) = tmp_path.glob(f"{PARTIAL}*")
    assert not target.exists()
    new, folder = tmp_path / f"{PARTIAL}at-work", tmp_path / f"{PARTIAL}unpacking"
    new.touch()
    (folder / "part").mkdir(parents=True)
    foreign = tmp_path / ".partial-of-another-program"
    foreign.touch()
    two_weeks_ago = time.time() - 14 * 86_400
    for path in (left, folder, foreign):
        os.utime(path, (two_weeks_ago, two_weeks_ago))
    with written_atomically(target) as temporary:
        temporary.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([target, new, foreign])


@pytest.mark.skipif(os.name != "posix", reason="the lock is fcntl's")
def test_processes_that_take_turns_lose_nothing(tmp_path):
    path = tmp_path / "count"
    path.write_text("0")
    words = [sys.executable, "-c", COUNTING, str(path)]
    assert [each.wait() for each in [subprocess.Popen(words) for _ in range(3)]] == [0, 0, 0]
    assert path.read_text() == "60"
    with locked(path):
        pass
