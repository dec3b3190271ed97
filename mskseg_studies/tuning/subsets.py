"""Seven training subsets after Hoyer 2024: by anatomy, by sequence, by diversity.

The abstract says that seven were chosen, and by what; which scans each of them held is not public.
These seven are our choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Literal

import pandas as pd

from mskseg.case import Case, CaseSet
from mskseg.datasets.loading import list_subjects, load_cases
from mskseg.errors import InputError
from mskseg.splits import Part
from mskseg_phantom.provider import PHANTOMS

ChosenBy = Literal["anatomy", "sequence", "diversity"]
Kin = Literal["in", "other sequence", "out"]

ANATOMIES = ("phantom_knee", "phantom_spine", "phantom_hip", "phantom_thigh")


@dataclass(frozen=True)
class Subset:
    """Scans that a model is tuned on."""

    name: str
    chosen_by: ChosenBy  # what its scans have in common, or that they have nothing in common
    scans: tuple[tuple[str, str], ...]  # data set and sequence; "" for all that a data set holds

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets, each once."""
        return tuple(dict.fromkeys(dataset for dataset, _ in self.scans))

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
        counts = {name: share + (k < remainder) for k, name in enumerate(self.datasets)}
        cases: list[Case] = []
        for dataset, sequence in self.scans:
            subjects = list_subjects(dataset, part=part)[: counts[dataset]]
            sequences = [sequence] if sequence else None
            cases += load_cases(dataset, subjects=subjects, sequences=sequences, progress=progress)
        return CaseSet(f"{self.name}/{part}", cases)

    def kinship(self, dataset: str, sequence: str) -> Kin:
        """Say if a scan is "in" the subset, of its data sets in an "other sequence", or "out"."""
        if (dataset, sequence) in self.scans or (dataset, "") in self.scans:
            return "in"
        return "other sequence" if dataset in self.datasets else "out"


SUBSETS: tuple[Subset, ...] = (
    Subset("knee", "anatomy", (("phantom_knee", "pdw_fs"),)),
    Subset("spine", "anatomy", (("phantom_spine", "t1w"),)),
    Subset("hip", "anatomy", (("phantom_hip", "t1w"),)),
    Subset("thigh", "anatomy", (("phantom_thigh", "t1w"),)),
    Subset("T1-weighted", "sequence", tuple(product(ANATOMIES, ("t1w",)))),
    Subset("8x undersampled", "sequence", tuple(product(ANATOMIES, ("pdw_fs_8x",)))),
    Subset(
        "diverse",
        "diversity",
        (
            ("phantom_knee", "pdw_fs"),
            ("phantom_knee", "dess"),
            ("phantom_spine", "t1w"),
            ("phantom_spine", "t2w"),
            ("phantom_hip", "t1w"),
            ("phantom_hip", "pdw_fs"),
            ("phantom_thigh", "t1w"),
            ("phantom_thigh", "dixon_water"),
        ),
    ),
)
"""In the order of the table: four by anatomy, two by sequence, one by diversity."""


def find_subset(name: str) -> Subset:
    """Give one of the seven by its name, or make one of a data set; InputError without either."""
    named = {subset.name: subset for subset in SUBSETS}
    if name in named:
        return named[name]
    try:
        list_subjects(name)
    except InputError as error:
        raise InputError(
            f"{name!r} is neither a subset nor a data set that is here ({error}); choose one of "
            f"{', '.join(named)}, or a data set of `mskseg data list`"
        ) from None
    sequence = PHANTOMS[name].sequences[0] if name in PHANTOMS else ""
    return Subset(name, "anatomy", ((name, sequence),))


def describe_subsets(subsets: Iterable[Subset] = SUBSETS) -> pd.DataFrame:
    """Lay the definitions out as a table: what it is chosen by, data sets, sequences."""
    return pd.DataFrame(
        {
            "training subset": subset.name,
            "chosen by": subset.chosen_by,
            "data sets": ", ".join(subset.datasets),
            "sequences": ", ".join(dict.fromkeys(s or "all" for _, s in subset.scans)),
        }
        for subset in subsets
    ).set_index("training subset")
