"""Scans on several processes of this machine or of others, by Dask; what schedules them is its."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli.inputs import at_least_1
from mskseg.environment import available_cores, check_extra
from mskseg.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 10.0  # a scheduler answers at once, or is not there
_ONE_AT_A_TIME = threading.Lock()  # a worker may have several threads, and holds one model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how many processes share the scans, or the cluster that does."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=at_least_1, metavar="N", help="processes on this machine that share them"
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster that does, as tcp://host:8786"
    )


@contextmanager
def connected(arguments: argparse.Namespace, n_scans: int) -> Iterator[Client | None]:
    """Give a client of the cluster that was asked for, a local one for the time; None for none."""
    if not (arguments.workers or arguments.scheduler):
        yield None
        return
    check_extra("cluster")
    import dask
    from distributed import Client, LocalCluster

    if arguments.scheduler:
        try:
            client = Client(arguments.scheduler, timeout=_CONNECT_S)
        except (OSError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at {arguments.scheduler}; start one there with `dask "
                "scheduler`, or use --workers"
            ) from error
        with client:
            yield client
        return
    n = min(arguments.workers, n_scans)
    threads = str(max(1, available_cores() // n))
    own = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": own}),
        LocalCluster(
            n_workers=n,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,  # as without workers: nothing is paused or killed for its size
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def spread(
    client: Client | None, job: Callable[..., Any], todo: Mapping[str, tuple[Any, ...]]
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Do a job for each name, by the workers of a client if there is one; give names with results.

    A worker that dies costs its scan a new start on another, until Dask's `allowed-failures`.
    """
    if client is None:
        return ((name, partial(job, name, *what)) for name, what in todo.items())
    import cloudpickle
    from distributed import as_completed

    call, names = partial(_call, cloudpickle.dumps((job, str(Path.cwd())))), list(todo)
    futures = client.map(call, names, todo.values(), key=names, pure=False)
    return ((future.key, future.result) for future in as_completed(futures))


def _call(pickled: bytes, name: str, what: tuple[Any, ...]) -> Any:
    with _ONE_AT_A_TIME:
        return _unpacked(pickled)(name, *what)


@lru_cache(maxsize=1)
def _unpacked(pickled: bytes) -> Callable[..., Any]:
    """Unpack a job once in each worker, so that the model which it holds is loaded once."""
    import cloudpickle

    job: Callable[..., Any]
    job, folder = cloudpickle.loads(pickled)
    os.chdir(folder)  # the caller's, as paths may be relative to it
    return job
