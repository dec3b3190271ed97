"""Tracks: the prompts of one object on several slices, between and beyond which it is followed.

The object is followed up and down from the slice of its *first* prompt. Boxes on further slices are
*markers*: between two markers each box side moves evenly, and what was predicted there steers
nothing. A *correction* (points, or boxes that say so) mends its slice and what follows, away from
the first prompt, until the next prompted slice; what lies before it stays as it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mskseg.errors import InputError
from mskseg.prompts.files import SlicePrompt
from mskseg.prompts.prompt import Prompt

FOLLOWED = "followed"
"""Where the prompt of a slice came from: the prediction on the slice before."""


@dataclass(frozen=True, eq=False)
class Track:
    """The prompts of one object, by position in a list of slices, in the order they were given."""

    prompts: Mapping[int, Prompt]
    corrections: frozenset[int] = frozenset()  # positions of those that are no markers

    @cached_property
    def markers(self) -> list[int]:
        """Positions of the boxes that are interpolated between."""
        return [
            position
            for position, prompt in self.prompts.items()
            if position not in self.corrections and prompt.point_coords is None
        ]

    @cached_property
    def first(self) -> int:
        """The position from which the object is followed: the first marker, if there is one."""
        return next(iter(self.markers or self.prompts))

    def starts(self, position: int) -> bool:
        """Whether the prompt of a position is the first one or a marker, no correction."""
        return position in self.markers or position == self.first

    def prompt_at(self, position: int, step: int, carried: Prompt) -> tuple[Prompt, str]:
        """Choose the prompt of a position on the way up (step 1) or down (-1), and name its source.

        `carried` are boxes around the prediction on the position before, none once the object has
        ended. A prompt of length 0 where nothing is asked.
        """
        if step * (position - self.first) < 0:
            return Prompt(), ""
        if (given := self.prompts.get(position)) is not None:
            return refined(given, carried), "prompt" if self.starts(position) else "correction"
        behind = max((p for p in self.prompts if step * (position - p) > 0), key=lambda p: step * p)
        ahead = min(
            (p for p in self.markers if step * (p - position) > 0),
            key=lambda p: step * p,
            default=behind,
        )
        start, end = self.prompts[behind].boxes_xyxy, self.prompts[ahead].boxes_xyxy
        if (
            ahead != behind
            and behind in self.markers
            and start is not None
            and end is not None
            and start.shape == end.shape
        ):
            share = (position - behind) / (ahead - behind)
            return Prompt(boxes_xyxy=(1 - share) * start + share * end), "between two prompts"
        return carried, FOLLOWED


def refined(given: Prompt, carried: Prompt) -> Prompt:
    """Give points without a box the carried one, widened to hold those that lie inside."""
    boxes, points, labels = carried.boxes_xyxy, given.point_coords, given.point_labels
    if given.boxes_xyxy is not None or boxes is None or not len(boxes):
        return given
    if points is None or labels is None:
        return given
    inside = points[labels == 1]
    corners = np.vstack([boxes[:, :2], boxes[:, 2:], inside])
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Prompt(boxes_xyxy=box[None], point_coords=points, point_labels=labels)


def tracks_of(prompts: Iterable[SlicePrompt], *, first_slice: int = 0) -> dict[int, Track]:
    """Gather the prompts of each label; positions count from `first_slice`.

    InputError where a label has prompts of different kinds on one slice.
    """
    given: dict[int, dict[int, list[SlicePrompt]]] = {}
    for entry in prompts:
        given.setdefault(entry.label, {}).setdefault(entry.slice, []).append(entry)
    tracks = {}
    for label, slices in given.items():
        joined = {}
        for k, entries in slices.items():
            try:
                joined[k - first_slice] = Prompt.joined([entry.prompt for entry in entries])
            except InputError as error:
                raise InputError(f"the prompts of label {label} on slice {k}: {error}") from error
        mends = {k - first_slice for k, entries in slices.items() if entries[-1].correction}
        tracks[label] = Track(joined, frozenset(mends))
    return tracks
