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
    body: Callable[[Any, np.random.Generator], Body]  # of a subject
    tissues: Mapping[int, str]  # name of each label
    shape: tuple[int, int, int]  # voxels of the default rendering
    sequences: tuple[str, ...]  # those made if none is asked for; all others can be
    stream: tuple[int, ...] = ()  # keeps its randomness apart from that of the other anatomies
    severity: Callable[[int], str] = lambda _: ""  # of a subject's disease; "" where there is none
    more_to_test: tuple[int, ...] = ()  # subjects of the test part beyond those of every anatomy


_THIGH = Anatomy(
    title="thigh",
    sample_subject=lambda rng, _: thigh.sample_subject(rng),
    body=thigh_body.ThighBody,
    tissues=thigh.TISSUES,
    shape=thigh_body.SHAPE,
    sequences=("t1w", "dixon_opposed", "dixon_water", "dixon_fat"),
)

ANATOMIES: Mapping[str, Anatomy] = {
    "thigh": _THIGH,
    "knee": Anatomy(
        title="knee",
        sample_subject=lambda rng, _: knee.sample_subject(rng),
        body=knee_body.KneeBody,
        tissues=knee.TISSUES,
        shape=knee.SHAPE,
        sequences=("pdw_fs", "dess", "t2_map", "pdw_fs_8x"),
        stream=(1,),
    ),
    "spine": Anatomy(
        title="lumbar spine",
        sample_subject=lambda rng, _: spine.sample_subject(rng),
        body=spine_body.SpineBody,
        tissues=spine.TISSUES,
        shape=spine_body.SHAPE,
        sequences=("t1w", "t2w"),
        stream=(2,),
    ),
    "hip": Anatomy(
        title="hip",
        sample_subject=lambda rng, _: hip.sample_subject(rng),
        body=hip_body.HipBody,
        tissues=hip.TISSUES,
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
        raise InputError(f"unknown phantom anatomy {name!r}; choose one of {', '.join(ANATOMIES)}")
    return ANATOMIES[name]
