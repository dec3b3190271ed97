"""Anatomies: the parts of the body that can be scanned, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from mskseg.errors import InputError
from mskseg_phantom import (
    hip,
    hip_body,
    infiltration,
    knee,
    knee_body,
    spine,
    spine_body,
    thigh,
    thigh_body,
)
from mskseg_phantom.anatomy import Body
from mskseg_phantom.sequences import SequenceName

AnatomyName = Literal["thigh", "knee", "spine", "hip", "infiltrated_thigh"]


@dataclass(frozen=True)
class Anatomy:
    """How one part of the body is drawn and scanned.

    Attributes
    ----------
    title : str
        As shown in tables.
    draw_subject : callable
        Draws a subject with a random generator, of its number.
    body : callable
        The `Body` of a subject, a random generator and a granularity of labels.
    tissues : callable
        Tissue name of each label, of a granularity.
    shape : (int, int, int)
        Voxels of the default rendering.
    sequences : tuple of str
        Those made if none is asked for; all others can be.
    granularities : tuple of str
        What its labels can be asked for in, the default first; empty: they are as they are.
    stream : tuple of int
        Keeps its randomness apart from that of the other anatomies.
    severity : callable
        How advanced a subject's disease is, of its number; "" where there is none.
    more_to_test : tuple of int
        Subjects of the test part beyond those of every anatomy.
    """

    title: str
    draw_subject: Callable[[np.random.Generator, int], Any]
    body: Callable[[Any, np.random.Generator, str], Body]
    tissues: Callable[[str], Mapping[int, str]]
    shape: tuple[int, int, int]
    sequences: tuple[SequenceName, ...]
    granularities: tuple[str, ...] = ()
    stream: tuple[int, ...] = ()
    severity: Callable[[int], str] = lambda _: ""
    more_to_test: tuple[int, ...] = ()

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


def _knee_body(person: knee.KneeSubject, rng: np.random.Generator, granularity: str) -> Body:
    return knee_body.KneeBody(person, rng, granularity=granularity)


ANATOMIES: Mapping[AnatomyName, Anatomy] = MappingProxyType(
    {
        "thigh": Anatomy(
            title="thigh",
            draw_subject=lambda rng, _: thigh.draw_subject(rng),
            body=lambda person, rng, _: thigh_body.ThighBody(person, rng),
            tissues=lambda _: thigh.TISSUES,
            shape=thigh_body.SHAPE,
            sequences=("t1w", "dixon_opposed", "dixon_water", "dixon_fat"),
        ),
        "knee": Anatomy(
            title="knee",
            draw_subject=lambda rng, _: knee.draw_subject(rng),
            body=_knee_body,
            tissues=knee.tissues_at,
            shape=knee.SHAPE,
            sequences=("pdw_fs", "dess", "t2_map", "pdw_fs_8x"),
            granularities=("plates", "compartments", "tissue"),
            stream=(1,),
        ),
        "spine": Anatomy(
            title="lumbar spine",
            draw_subject=lambda rng, _: spine.draw_subject(rng),
            body=lambda person, rng, _: spine_body.SpineBody(person, rng),
            tissues=lambda _: spine.TISSUES,
            shape=spine_body.SHAPE,
            sequences=("t1w", "t2w"),
            stream=(2,),
        ),
        "hip": Anatomy(
            title="hip",
            draw_subject=lambda rng, _: hip.draw_subject(rng),
            body=lambda person, rng, _: hip_body.HipBody(person, rng),
            tissues=lambda _: hip.TISSUES,
            shape=hip_body.SHAPE,
            sequences=("t1w", "pdw_fs"),
            stream=(3,),
        ),
        "infiltrated_thigh": Anatomy(
            title="thigh",
            draw_subject=infiltration.draw_infiltrated,
            body=lambda person, rng, _: thigh_body.ThighBody(person, rng),
            tissues=lambda _: thigh.TISSUES,
            shape=thigh_body.SHAPE,
            sequences=("t1w", "dixon_opposed", "dixon_water", "dixon_fat"),
            stream=(4,),
            severity=infiltration.grade_of,
            more_to_test=tuple(range(25, 34)),  # five of each grade, the fewest for an interval
        ),
    }
)
"""Every anatomy that the phantom has, by the name it is asked for."""


def find_anatomy(name: str) -> Anatomy:
    """Return the anatomy called `name`, or raise InputError."""
    for known, anatomy in ANATOMIES.items():
        if name == known:
            return anatomy
    raise InputError(f"unknown phantom anatomy {name!r}; expected one of {', '.join(ANATOMIES)}")
