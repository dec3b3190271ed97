"""What is tuned on and what is scored: subsets by anatomy, by sequence, by diversity.

Hoyer 2024 tuned on seven subsets that were chosen so; which scans each of them held is not public.
Here they are made of the data sets that a run has, whatever their names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from mskseg.case import Case, CaseSet
from mskseg.datasets.loading import check_can_be_scored, load_cases
from mskseg.datasets.sources import source_of
from mskseg.errors import InputError
from mskseg.splits import Part

ChosenBy = Literal["anatomy", "sequence", "diversity"]

ANATOMY, FIRST, DIVERSE = "anatomy", "first", "diverse"
_SEQUENCES_OF_DIVERSE = 2


@dataclass(frozen=True)
class Subset:
    """Scans that a model is tuned on."""

    name: str
    chosen_by: ChosenBy  # what its scans have in common, or that they have nothing in common
    scans: tuple[tuple[str, str], ...]  # data set and sequence

    def __post_init__(self) -> None:
        if {len(scan) for scan in self.scans} - {2}:  # of texts where a comma was forgotten
            raise InputError(
                f"expected pairs of data set and sequence, got {self.scans!r}; write one as "
                '(("phantom_thigh", "dixon_fat"),), with both commas'
            )

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets, each once."""
        return tuple(dict.fromkeys(dataset for dataset, _ in self.scans))

    def sequences(self, dataset: str) -> tuple[str, ...]:
        """Its sequences of a data set."""
        return tuple(sequence for name, sequence in self.scans if name == dataset)

    def load(self, part: Part, *, n_subjects: int, progress: bool = True) -> CaseSet:
        """Load the first subjects of a part, shared out over the data sets, the first get more.

        A data set gives no more than it has. InputError if fewer subjects are asked for than there
        are data sets, or as `load_cases` raises it.
        """
        if n_subjects < len(self.datasets):
            raise InputError(
                f"expected a subject or more for each of the {len(self.datasets)} data sets of "
                f"{self.name}, got {n_subjects}; ask for {len(self.datasets)} or more"
            )
        share, remainder = divmod(n_subjects, len(self.datasets))
        cases: list[Case] = []
        for k, dataset in enumerate(self.datasets):
            subjects = source_of(dataset, download=True).subjects_in(part)
            cases += load_cases(
                dataset,
                subjects=subjects[: share + (k < remainder)],
                sequences=self.sequences(dataset),
                progress=progress,
            )
        return CaseSet(f"{self.name}/{part}", cases)

    def asks_for(self, cases: Iterable[Case], *, part: Part) -> list[Case]:
        """Choose what a model that was tuned on it is scored on: of others the first sequence."""
        firsts: dict[str, str] = {}
        chosen = []
        for case in cases:
            is_first = firsts.setdefault(case.dataset, case.sequence) == case.sequence
            if case.dataset in self.datasets or (is_first and part != "inference"):
                chosen.append(case)
        return chosen


def choose_subsets(names: Sequence[str], datasets: Sequence[str]) -> tuple[Subset, ...]:
    """Make training subsets of data sets of the manifest.

    `names` are "anatomy" for one subset of each data set that has a training part, in its first
    sequence; "first" or the name of a data set for that one alone; the name of a sequence for all
    data sets that have it; "diverse" for two sequences of each. What only one data set would be in
    is left out: it is a subset by anatomy. A data set that is too small for a split is not trained
    on. InputError if nothing is left, or a data set is unknown or not here.
    """
    known = {name: _default_sequences(name) for name in datasets if _people(name, "train")}
    subsets = []
    for name in names:
        if name == ANATOMY:
            subsets += [Subset(d, "anatomy", ((d, firsts[0]),)) for d, firsts in known.items()]
            continue
        if name == FIRST and known:
            name = next(iter(known))
        if name in known:
            subsets.append(Subset(name, "anatomy", ((name, known[name][0]),)))
            continue
        if name == DIVERSE:
            scans = tuple(
                (d, s) for d, all_s in known.items() for s in all_s[:_SEQUENCES_OF_DIVERSE]
            )
        else:
            scans = tuple((d, name) for d in known if name in source_of(d).sequences())
        if len({dataset for dataset, _ in scans}) > 1:
            subsets.append(Subset(name, "diversity" if name == DIVERSE else "sequence", scans))
    if not subsets:
        raise InputError(
            f"expected a training subset or more, got none from {', '.join(names) or 'no name'} "
            f"and {', '.join(datasets) or 'no data set'}; give a data set with people enough for a "
            f"split, and {ANATOMY!r}, {DIVERSE!r} or a sequence of two data sets"
        )
    return tuple(subsets)


def find_subset(name: str, subsets: Sequence[Subset]) -> Subset:
    """Give the subset of a name, the last one by anatomy for "" (the last at all if none is).

    InputError if there is none of the name.
    """
    found = [s for s in subsets if s.name == name or (not name and s.chosen_by == "anatomy")]
    if name and not found:
        raise InputError(
            f"{name!r} is no training subset of this run; choose one of "
            f"{', '.join(subset.name for subset in subsets)}"
        )
    return (found or list(subsets))[-1]


def load_parts(
    subsets: Iterable[Subset],
    datasets: Sequence[str],
    *,
    n_of_part: Mapping[Part, int],
    progress: bool = True,
) -> dict[Part, list[Case]]:
    """Load the people who report or select, the first of each part of each data set.

    Each data set comes in its first sequence; in the "test" part also in the sequences that a
    subset trains on, so that what is trained on is tested on. A data set that is too small for a
    split trains nobody: its people are all in the "test" part. InputError as
    `check_can_be_scored` and `load_cases` raise it.
    """
    trained = [scan for subset in subsets for scan in subset.scans]
    parts: dict[Part, list[Case]] = {}
    for part, n_subjects in n_of_part.items():
        parts[part] = []
        for name in datasets:
            check_can_be_scored(name)
            if not (subjects := _people(name, part)[:n_subjects]):
                continue
            also = [s for d, s in trained if d == name and part == "test"]
            sequences = dict.fromkeys((_default_sequences(name)[0], *also))
            parts[part] += load_cases(
                name, subjects=subjects, sequences=tuple(sequences), progress=progress
            )
    return parts


def describe_subsets(subsets: Iterable[Subset]) -> pd.DataFrame:
    """Lay subsets out as a table: what each is chosen by, its data sets and sequences."""
    rows = []
    for subset in subsets:
        sequences = ", ".join(dict.fromkeys(sequence for _, sequence in subset.scans))
        rows.append((subset.name, subset.chosen_by, ", ".join(subset.datasets), sequences))
    columns = ["training subset", "chosen by", "data sets", "sequences"]
    return pd.DataFrame(rows, columns=columns).set_index("training subset")


def _people(name: str, part: Part) -> tuple[str, ...]:
    """List the people of a part; without a split all are in the "test" part, and nobody trains."""
    source = source_of(name, download=True)
    split = source.split()
    if split is None:
        return source.subjects() if part == "test" else ()
    return split.parts.get(part, ())


def _default_sequences(name: str) -> tuple[str, ...]:
    source = source_of(name, download=True)
    return tuple(source.default_sequences(source.subjects()))
