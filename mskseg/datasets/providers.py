"""Data sets that code makes: what a provider answers about each of its data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mskseg.case import Case
from mskseg.datasets.manifest import load_manifest
from mskseg.registry import load_offer
from mskseg.splits import Split


class DatasetProvider(Protocol):
    """Makes data sets, each known by its name in the manifest."""

    def split(self, name: str) -> Split:
        """Give the split that belongs to a data set; it names all of its subjects."""

    def sequences(self, name: str) -> tuple[str, ...]:
        """List all sequences that can be asked for, those made by default first."""

    def default_sequences(self, name: str) -> tuple[str, ...]:
        """List the sequences that are made if none is asked for."""

    def granularities(self, name: str) -> tuple[str, ...]:
        """List how finely the labels can be asked for, the default first; empty for one way."""

    def load(
        self,
        name: str,
        subjects: Sequence[str],
        sequences: Sequence[str],
        *,
        granularity: str | None = None,
        progress: bool = True,
    ) -> list[Case]:
        """Make, or read from the cache, one case for each image: by subject, then by sequence."""


def provider_of(name: str) -> DatasetProvider | None:
    """Give the provider of a data set that code makes; None for any other name.

    Raises
    ------
    mskseg.errors.InputError
        If the package of the provider is not installed.
    """
    entry = load_manifest().datasets.get(name)
    if entry is None or entry.package is None:
        return None
    provider: DatasetProvider = load_offer("mskseg.datasets", entry.package)
    return provider


def subjects_of(provider: DatasetProvider, name: str) -> tuple[str, ...]:
    """List the subjects of a data set, in the order of the parts of its split."""
    parts = provider.split(name).parts.values()
    return tuple(subject for part in parts for subject in part)
