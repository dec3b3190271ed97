"""Sizes of the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from mskseg.errors import InputError

Part = Literal["train", "validation", "test", "inference"]


def part_sizes(parts: Mapping[Part, float], *, n_subjects: int) -> dict[Part, int]:
    """How many subjects come into each part.

    Parameters
    ----------
    parts : mapping of {"train", "validation", "test", "inference"} to float or int
        Fractions that add up to 1, or counts (integers).
    n_subjects : int

    Raises
    ------
    InputError
        If a part is unknown or empty, or the fractions or counts cannot be met.
    """
    for part, size in parts.items():
        if part not in get_args(Part) or size <= 0:
            raise InputError(
                f"cannot make a part {part!r} of size {size}; "
                f"the parts are {', '.join(get_args(Part))}, each above 0"
            )
    if all(isinstance(size, int) for size in parts.values()):
        counts = {part: int(size) for part, size in parts.items()}
    else:
        counts = _rounded(parts, n_subjects=n_subjects)
    if not counts or sum(counts.values()) > n_subjects or 0 in counts.values():
        raise InputError(
            f"cannot split {n_subjects} subjects into {dict(parts)}: "
            "every part needs one subject or more, and nobody can be in two"
        )
    return counts


def _rounded(parts: Mapping[Part, float], *, n_subjects: int) -> dict[Part, int]:
    total = sum(parts.values())
    if abs(total - 1) > 1e-6:
        raise InputError(f"fractions of a split add up to 1, got {total:g} from {dict(parts)}")
    counts = {part: int(size * n_subjects + 1e-9) for part, size in parts.items()}
    by_rest = sorted(parts, key=lambda part: counts[part] - parts[part] * n_subjects)
    for part in by_rest[: n_subjects - sum(counts.values())]:
        counts[part] += 1  # largest remainder: the counts add up, each within one of its share
    return counts
