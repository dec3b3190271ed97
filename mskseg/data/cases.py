"""Sets of scans that are split by subject."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self, overload

from mskseg.data.case import Case, CaseSlice
from mskseg.data.splits import Part, Split, make_split
from mskseg.errors import InputError

__all__ = ["Case", "CaseSet", "CaseSlice"]


class CaseSet(Sequence[Case]):
    """Cases under one name, in a fixed order.

    Parameters
    ----------
    name : str
    cases : iterable of Case

    Attributes
    ----------
    split_sha256 : str or None
        Of the `Split` that the cases are a part of; goes into the provenance of every result.

    Raises
    ------
    InputError
        If there is no case, or two have one name (their rows of a table could not be told apart).
    """

    def __init__(self, name: str, cases: Sequence[Case]) -> None:
        self.name = name
        self.split_sha256: str | None = None
        self._cases = tuple(cases)
        if not self._cases:
            raise InputError(f"the set {name!r} holds no case; give one or more")
        doubled = [case for case, n in Counter(c.name for c in self._cases).items() if n > 1]
        if doubled:
            raise InputError(
                f"the set {name!r} holds {doubled[0]} more than once; "
                "give each case its own subject, sequence or side"
            )

    def __repr__(self) -> str:
        sizes = f"{len(self.subjects)} subjects, {len(self.tissues)} tissues"
        return f"{type(self).__name__}({self.name!r}: {len(self)} cases, {sizes})"

    def __len__(self) -> int:
        return len(self._cases)

    @overload
    def __getitem__(self, index: int) -> Case: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Case | Self:
        if isinstance(index, slice):
            return self._of(self._cases[index])
        return self._at(index)

    def _at(self, index: int) -> Case:
        return self._cases[index]

    def _of(self, cases: Sequence[Case], *, name: str | None = None) -> Self:
        """Make a set of some of these cases, still of the same split."""
        made = type(self)(name or self.name, cases)
        made.split_sha256 = self.split_sha256
        return made

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, ascending, each once."""
        return tuple(sorted({case.subject for case in self._cases}))

    @property
    def tissues(self) -> dict[int, str]:
        """Names of all labels that the cases name, by label; the first case that names one wins."""
        named: dict[int, str] = {}
        for case in self._cases:
            for label, tissue in case.tissues.items():
                named.setdefault(label, tissue)
        return dict(sorted(named.items()))

    def where(self, **values: str) -> CaseSet:
        """Cases whose attributes have the given values: ``where(site="A", sequence="t1w")``.

        Raises
        ------
        InputError
            If no case does, or a case has no such attribute.
        """
        unknown = sorted(set(values) - set(Case.__dataclass_fields__))
        if unknown:
            raise InputError(f"a case has no {unknown[0]!r}; choose subject, sequence, site, ...")
        kept = [c for c in self._cases if all(getattr(c, k) == v for k, v in values.items())]
        if not kept:
            raise InputError(f"no case of {self.name!r} has {values}")
        return self._of(kept)

    def split(self, parts: Mapping[Part, float], *, seed: int) -> dict[Part, Self]:
        """Split by subject: all cases of one subject come into one part.

        Subjects are told apart by their name alone, so one name in two datasets stays together,
        which can cost a little balance and never leaks.

        Parameters
        ----------
        parts : mapping of {"train", "validation", "test", "inference"} to float or int
            Fractions that add up to 1, or counts of subjects (integers); subjects beyond the
            counts are left out.
        seed : int
            Decides who goes where; the order of the cases does not.

        Raises
        ------
        InputError
            If a part is unknown, is empty, or the fractions or counts cannot be met.
        """
        return self.split_by(make_split(self.name, self.subjects, parts=parts, seed=seed))

    def split_by(self, split: Split) -> dict[Part, Self]:
        """Split as was decided before; each part carries the hash of the split.

        Raises
        ------
        InputError
            If a part of the split has no case here.
        """
        result: dict[Part, Self] = {}
        for part, subjects in split.parts.items():
            cases = [case for case in self._cases if case.subject in subjects]
            result[part] = self._of(cases, name=f"{self.name}/{part}")
            result[part].split_sha256 = split.sha256
        return result

    def fingerprint(self) -> str:
        """Return the sha256 over all cases, whatever their order."""
        prints = sorted(case.fingerprint for case in self._cases)
        return hashlib.sha256("".join(prints).encode()).hexdigest()
