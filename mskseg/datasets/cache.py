"""Where fetched files, made phantoms and brought folders lie."""

from __future__ import annotations

import os
from pathlib import Path

from mskseg.errors import InputError


def cache_dir() -> Path:
    """Find the folder of the cache, made or not: ``MSKSEG_CACHE``, else the platform's."""
    if chosen := os.environ.get("MSKSEG_CACHE"):
        return Path(chosen).expanduser().absolute()
    import pooch  # here: it brings requests, and a named cache needs neither

    return Path(pooch.os_cache("mskseg"))


def cache_path(*parts: str) -> Path:
    """Join a path below the cache; InputError if it would leave it, by ``..`` or by a link."""
    root = cache_dir().resolve()
    path = root.joinpath(*parts).resolve()
    if not path.is_relative_to(root) or path == root:
        raise InputError(f"{path} lies outside the cache {root}; remove the link that leads there")
    return path


def brought_path(dataset: str) -> Path:
    """Say where a data set's folder is looked for: in ``MSKSEG_DATA`` if set, else in the cache."""
    chosen = os.environ.get("MSKSEG_DATA")
    return (Path(chosen).expanduser().absolute() if chosen else cache_dir()) / dataset
