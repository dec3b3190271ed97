"""Catalogue: the anatomies that can be scanned, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mskseg.errors import InputError
from mskseg_phantom.anatomies import (
    hip,
    hip_body,
    knee,
    knee_body,
    spine,
    spine_body,
    thigh,
    thigh_body,
)
from mskseg_phantom.drawing import Body


@dataclass(frozen=True)
class Anatomy:
    """How one part of the body is drawn and scanned."""

    title: str  # as shown in tables
    sample_subject: Callable[[np.random.Generator, int], Any]  # by the subject's number
    body: Callable[[Any, np.random.Generator, str], Body]  # of a subject, at a granularity
    tissues: Callable[[str], Mapping[int, str]]  # name of each label, at a granularity
    shape: tuple[int, int, int]  # voxels of the default rendering
    sequences: tuple[str, ...]  # those made if none is asked for; all others can be
    granularities: tuple[str, ...] = ()  # of its labels, the default first; empty: only one
    stream: tuple[int, ...] = ()  # keeps its randomness apart from that of the other anatomies
    severity: Callable[[int], str] = lambda _: ""  # of a subject's disease; "" where there is none
    more_to_test: tuple[int, ...] = ()  # subjects of the test part beyond those of every anatomy

    def check_granularity(self, granularity: str | None) -> str:
        """Return `granularity`, or the default for None; InputError if there is no such one."""
        if granularity is None:
            return self.granularities[0] if self.granularities else ""
        if granularity not in self.granularities:
            known = ", ".join(self.granularities)
            raise InputError(
                f"unknown granularity {granularity!r} of the {self.title}'s labels; "
                + (f"expected one of {known}" if known else "they have one only, leave it out")
            )
        return granularity


_THIGH = Anatomy(
    title="thigh",
    sample_subject=lambda rng, _: thigh.sample_subject(rng),
    body=lambda subject, rng, _: thigh_body.ThighBody(subject, rng),
    tissues=lambda _: thigh.TISSUES,
    shape=thigh_body.SHAPE,
    sequences=("t1w", "dixon_opposed", "dixon_water", "dixon_fat"),
)

ANATOMIES: Mapping[str, Anatomy] = {
    "thigh": _THIGH,
    "knee": Anatomy(
        title="knee",
        sample_subject=lambda rng, _: knee.sample_subject(rng),
        body=knee_body.KneeBody,
        tissues=knee.tissues_at,
        shape=knee.SHAPE,
        sequences=("pdw_fs", "dess", "t2_map", "pdw_fs_8x"),
        granularities=("plates", "compartments", "tissue"),
        stream=(1,),
    ),
    "spine": Anatomy(
        title="lumbar spine",
        sample_subject=lambda rng, _: spine.sample_subject(rng),
        body=lambda subject, rng, _: spine_body.SpineBody(subject, rng),
        tissues=lambda _: spine.TISSUES,
        shape=spine_body.SHAPE,
        sequences=("t1w", "t2w"),
        stream=(2,),
    ),
    "hip": Anatomy(
        title="hip",
        sample_subject=lambda rng, _: hip.sample_subject(rng),
        body=lambda subject, rng, _: hip_body.HipBody(subject, rng),
        tissues=lambda _: hip.TISSUES,
        shape=hip_body.SHAPE,
        sequences=("t1w", "pdw_fs"),
        stream=(3,),
    ),
    "infiltrated_thigh": replace(
        _THIGH,
        sample_subject=thigh.sample_infiltrated,
        stream=(4,),
        severity=thigh.grade_of,
        more_to_test=tuple(range(25, 34)),  # five of each grade, the fewest for an interval
    ),
}
"""Every anatomy that the phantom has, by the name it is asked for."""


def find_anatomy(name: str) -> Anatomy:
    """Return the anatomy called `name`, or raise InputError."""
    if name not in ANATOMIES:
        raise InputError(
            f"unknown phantom anatomy {name!r}; expected one of {', '.join(ANATOMIES)}"
        )
    return ANATOMIES[name]
