"""``mskseg data`` and ``mskseg models``: list what the manifest names, and fetch it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskseg.cli.outputs import add_quiet, shows_progress
from mskseg.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mskseg.datasets.manifest import DatasetEntry, ModelEntry

    Entries = Mapping[str, DatasetEntry | ModelEntry]


def add_to(commands: Any) -> None:
    """Declare the arguments of ``data`` and ``models``."""
    for noun, help_text in (("data", "the data sets"), ("models", "the checkpoints")):
        parser = commands.add_parser(noun, help=f"list and fetch {help_text}")
        verbs = parser.add_subparsers(metavar="VERB", required=True)
        listing = verbs.add_parser("list", help="names, and which of them are here")
        listing.set_defaults(command=list_entries, noun=noun)
        fetching = verbs.add_parser("fetch", help="bring one into the cache, checked by sha256")
        fetching.add_argument("name", metavar="NAME")
        fetching.add_argument(
            "--from",
            dest="folder",
            type=Path,
            metavar="DIR",
            help="take the files from this folder, whatever they are called there; no internet",
        )
        add_quiet(fetching)
        fetching.set_defaults(command=fetch_entry, noun=noun)
        if noun == "data":
            verifying = verbs.add_parser("verify", help="compare the cache with the manifest")
            verifying.set_defaults(command=verify_cache)


def list_entries(arguments: argparse.Namespace) -> int:
    """Print one line for each entry."""
    from mskseg.datasets.fetching import cache_dir

    entries = _entries(arguments.noun)
    width = max(map(len, entries), default=0)
    for name, entry in entries.items():
        print(f"{name:<{width}}  {_state(name, entry):<10}  {entry.title}; {entry.licence}")
    print(f"cache: {cache_dir()}")
    return 0


def fetch_entry(arguments: argparse.Namespace) -> int:
    """Bring one entry into the cache and print where its files are."""
    from mskseg.datasets.fetching import fetch

    entries = _entries(arguments.noun)
    if arguments.name not in entries:
        raise InputError(
            f"{arguments.name!r} is not among the {arguments.noun}; "
            f"there are {', '.join(sorted(entries)) or 'none'}"
            f"{did_you_mean(arguments.name, entries)}"
        )
    paths = fetch(arguments.name, from_dir=arguments.folder, progress=shows_progress(arguments))
    for role, path in paths.items():
        print(f"{role}: {path}")
    if not paths:
        print(f"{arguments.name} is built in; there is nothing to fetch")
    return 0


def verify_cache(arguments: argparse.Namespace) -> int:
    """Print the state of every file of the manifest; InputError if one is damaged."""
    from mskseg.datasets.fetching import verify

    del arguments
    damaged = []
    for found in verify():
        print(f"{found.entry}  {found.role}  {found.state}")
        damaged += [found.entry] if found.state == "damaged" else []
    if damaged:
        raise InputError(
            f"damaged in the cache: {', '.join(sorted(set(damaged)))}; fetch them again"
        )
    return 0


def _entries(noun: str) -> Entries:
    from mskseg.datasets.manifest import load_manifest

    manifest = load_manifest()
    return manifest.datasets if noun == "data" else manifest.models


def _state(name: str, entry: DatasetEntry | ModelEntry) -> str:
    """Say what a reader needs to do; `verify` reads the files, this only looks for them."""
    from mskseg.datasets.fetching import is_fetched

    if is_fetched(name):
        return "built in" if entry.access == "package" else "here"
    if entry.access == "package":
        return "to install"
    return "to fetch" if entry.access == "direct" else "by hand"
