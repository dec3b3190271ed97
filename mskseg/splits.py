"""Who trains, who selects, who is reported: splits by subject, kept in small files.

A subject's sides, visits, sequences and echoes stay together, because a split knows subjects only.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from mskseg.errors import InputError
from mskseg.files import write_text
from mskseg.input_files import parsed, read_text

Part = Literal["train", "validation", "test", "inference"]

SHARES: Mapping[Part, float] = MappingProxyType(
    {"train": 1 / 2, "validation": 1 / 6, "test": 1 / 4, "inference": 1 / 12}
)
"""Of a data set without a split of its own; those of the phantoms, 12, 4, 6 and 2 of 24."""


@dataclass(frozen=True)
class Split:
    """Which subjects of a data set are in which part, each of one or more, and nobody in two.

    The seed decided it, or the data set's makers (None). InputError if it is no such split.
    """

    dataset: str
    parts: Mapping[Part, tuple[str, ...]]
    seed: int | None = None

    def __post_init__(self) -> None:
        for part, subjects in self.parts.items():
            if part not in get_args(Part) or not subjects:
                raise InputError(
                    f"a split of {self.dataset} has a part {part!r} of {len(subjects)} subjects; "
                    f"the parts are {', '.join(get_args(Part))}, each of one subject or more"
                )
        check_nobody_twice(self.parts, what=f"the split of {self.dataset}")

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects of all parts, ascending."""
        return tuple(sorted(subject for part in self.parts.values() for subject in part))

    @property
    def sha256(self) -> str:
        """Equal for equal parts of one data set only; the order of subjects does not matter."""
        parts = {part: sorted(subjects) for part, subjects in self.parts.items()}
        content = json.dumps({"dataset": self.dataset, "parts": parts}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def check_nobody_twice(parts: Mapping[Part, Iterable[str]], *, what: str = "the split") -> None:
    """Make sure that no subject is in two parts, or twice in one; InputError names the first."""
    homes: dict[str, list[str]] = {}
    for part, subjects in parts.items():
        for subject in subjects:
            homes.setdefault(subject, []).append(part)
    for subject, found in homes.items():
        if len(found) > 1:
            raise InputError(
                f"{what} has the subject {subject!r} in {' and in '.join(found)}; whoever trains "
                "or selects a model must not be scored, so keep each subject in one part, once"
            )


def make_split(
    dataset: str,
    subjects: Iterable[str],
    *,
    parts: Mapping[Part, int] | None = None,
    seed: int,
) -> Split:
    """Split subjects, whose order does not matter, at random, by default in `SHARES`.

    `parts` are counts, beyond which subjects are left out. InputError if they cannot be met, or a
    part is unknown or empty.
    """
    ordered = sorted(set(subjects))
    wanted = default_counts(len(ordered)) if parts is None else parts
    if not wanted or sum(wanted.values()) > len(ordered) or min(wanted.values()) < 1:
        raise InputError(
            f"cannot split {len(ordered)} subjects into {dict(wanted)}: expected counts of "
            "subjects, one or more in every part, and nobody can be in two"
        )
    order = np.random.default_rng(seed).permutation(len(ordered))
    shuffled = [ordered[i] for i in order]
    chosen: dict[Part, tuple[str, ...]] = {}
    for part, size in wanted.items():
        chosen[part], shuffled = tuple(sorted(shuffled[:size])), shuffled[size:]
    return Split(dataset, chosen, seed=seed)


def default_counts(n_subjects: int) -> dict[Part, int]:
    """Count subjects after `SHARES`, one or more in each part; InputError if there are too few."""
    if n_subjects < len(SHARES):
        raise InputError(
            f"cannot split {n_subjects} subjects into {len(SHARES)} parts; give {len(SHARES)} "
            "subjects or more, or say which parts are wanted"
        )
    counts = {part: max(1, round(share * n_subjects)) for part, share in SHARES.items()}
    counts["train"] += n_subjects - sum(counts.values())  # the largest part takes the rounding
    return counts


def stored_split(path: Path, *, dataset: str, subjects: Sequence[str], seed: int) -> Split:
    """Read a split from its JSON file; make one by the seed and keep it if there is no file.

    InputError if the file is of another data set or other subjects, or was edited: results from
    before could not be compared with those after. OutputError if it cannot be written.
    """
    if not path.is_file():
        save_split(make_split(dataset, subjects, seed=seed), path)
    split = load_split(path)
    changed = sorted(set(subjects) ^ set(split.subjects))
    if split.dataset != dataset or changed:
        raise InputError(
            f"{path} splits {len(split.subjects)} subjects of {split.dataset}, and {dataset} now "
            f"has {len(set(subjects))} (the first that differs: {', '.join(changed[:1]) or 'none'})"
            "; bring the data set back to what it was, or delete the file for a new split"
        )
    return split


def save_split(split: Split, path: Path) -> None:
    """Write a split as JSON, with its hash; OutputError if that is not possible."""
    content = {
        "dataset": split.dataset,
        "seed": split.seed,
        "sha256": split.sha256,
        "parts": {part: list(subjects) for part, subjects in split.parts.items()},
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


def load_split(path: Path) -> Split:
    """Read a split that `save_split` wrote; InputError if it is none, or its hash is another."""
    with parsed(path, "split", "delete it, and a new one will be made"):
        content: Any = json.loads(read_text(path))
        parts = {part: tuple(map(str, names)) for part, names in content["parts"].items()}
        dataset, seed, sha256 = str(content["dataset"]), content["seed"], content["sha256"]
    split = Split(dataset, parts, seed=seed)
    if split.sha256 != sha256:
        raise InputError(
            f"{path} was edited: its parts hash to {split.sha256[:12]}..., it says "
            f"{str(sha256)[:12]}...; undo that, or delete the file for a new split"
        )
    return split
