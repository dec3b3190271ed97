"""Scans shared by processes: the same table, a killed worker, and what is refused at once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import psutil
import pytest

from mskseg import environment
from mskseg.cli.main import main

N_SCANS, N_MANY = 3, 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of two blocks in noise, and their label maps."""
    folder = tmp_path_factory.mktemp("scans")
    for k in range(N_SCANS):
        labels = np.zeros((40, 36, 3), np.uint8)
        labels[6 : 20 - k, 5:24] = 1
        labels[27:37, 8 : 30 - k, 1:] = 2
        image = np.random.default_rng(k).normal(20, 3, labels.shape) + 60 * labels
        save(folder / "images" / f"p{k}.nii.gz", image.astype(np.float32))
        save(folder / "labels" / f"p{k}.nii.gz", labels)
    return folder


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def evaluate(folder: Path, output: Path, *more: str) -> int:
    words = ["evaluate", folder / "images", "--reference", folder / "labels", "--output", output]
    return main([*map(str, words), *more])


def workers() -> list[psutil.Process]:
    """List the processes that a local cluster of this one has spawned."""
    mine = psutil.Process().children()
    return [process for process in mine if "spawn_main" in " ".join(process.cmdline())]


def without_times(path: Path) -> pd.DataFrame:
    """Read a table as text, digit by digit, but for how long each slice took."""
    table = pd.read_csv(path, dtype=str)
    return table[[name for name in table if not name.endswith("_s")]]


@pytest.mark.slow
def test_two_workers_give_the_tables_of_one_process_and_leave_none_behind(folder, tmp_path, capsys):
    bad = tmp_path / "scans"
    shutil.copytree(folder, bad)
    (bad / "images" / "p1.nii.gz").write_bytes(b"Dear diary")
    assert evaluate(bad, tmp_path / "one") == 2
    alone = capsys.readouterr()
    assert evaluate(bad, tmp_path / "two", "--workers", "2") == 2
    together = capsys.readouterr()
    assert together.err == alone.err  # the bad scan is named, and nothing else is said
    assert together.out == alone.out.replace(str(tmp_path / "one"), str(tmp_path / "two"))
    names = sorted(path.name for path in (tmp_path / "one").glob("*.csv"))
    assert names == ["p0.csv", "p2.csv", "summary.csv"]
    for name in names:
        found = without_times(tmp_path / "two" / name)
        pd.testing.assert_frame_equal(found, without_times(tmp_path / "one" / name))
    assert workers() == []


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_nothing_but_its_time(tmp_path, capsys):
    for k in range(N_MANY):
        labels = np.zeros((40, 36, 12), np.uint8)
        labels[6 : 20 + k % 9, 5:24] = 1
        save(tmp_path / "labels" / f"p{k}.nii.gz", labels)
        save(tmp_path / "tool" / f"p{k}.nii.gz", np.roll(labels, 2, axis=1))
    words = ["score", str(tmp_path / "tool"), "--reference", str(tmp_path / "labels"), "--output"]
    assert main([*words, str(tmp_path / "one")]) == 0
    left: list[int] = []

    def kill_one() -> None:
        while not list((tmp_path / "two").glob("p*.csv")):
            time.sleep(0.01)
        os.kill(workers()[0].pid, signal.SIGKILL)
        left.append(N_MANY - len(list((tmp_path / "two").glob("p*.csv"))))

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    assert main([*words, str(tmp_path / "two"), "--workers", "2"]) == 0
    killer.join()
    assert left[0] > 0  # it was in the middle
    summaries = [without_times(tmp_path / name / "summary.csv") for name in ("one", "two")]
    pd.testing.assert_frame_equal(*summaries)
    assert len(summaries[0]) == N_MANY
    assert capsys.readouterr().err == ""


def refused(capsys: pytest.CaptureFixture[str], output: Path, *words: str) -> None:
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err
    assert not output.exists()


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_a_number_of_workers_below_one_is_refused(folder, tmp_path, capsys, number):
    with pytest.raises(SystemExit) as stopped:
        evaluate(folder, tmp_path / "out", f"--workers={number}")
    assert stopped.value.code == 2
    refused(capsys, tmp_path / "out", f"--workers: {number} is no whole number of 1 or more")


def test_workers_and_a_scheduler_together_are_refused(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        evaluate(folder, tmp_path / "out", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert stopped.value.code == 2
    refused(capsys, tmp_path / "out", "--scheduler: not allowed with argument --workers")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{free}", "no such address", "odd://x:1"])
def test_a_scheduler_that_is_not_there_is_one_line_within_seconds(
    folder, tmp_path, capsys, monkeypatch, address
):
    monkeypatch.setattr("mskseg.cli.cluster._CONNECT_S", 2.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = address.format(free=taken.getsockname()[1])
    assert evaluate(folder, tmp_path / "out", "--scheduler", address) == 2
    refused(capsys, tmp_path / "out", f"no Dask scheduler answers at {address}", "--workers")


def test_without_the_extra_it_is_one_line_with_the_command_that_installs_it(
    folder, tmp_path, capsys, monkeypatch
):
    needs = ["numpy>=2", "dask<2028; extra == 'cluster'", "distributed; extra == 'cluster'"]
    monkeypatch.setattr(environment.metadata, "requires", lambda name: needs)
    monkeypatch.setattr(environment, "package_version", lambda name: None)
    assert evaluate(folder, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1") == 2
    refused(capsys, tmp_path / "out", "dask, distributed not installed", "'mskseg[cluster]'")
