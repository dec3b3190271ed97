"""Slices with their objects, in which order they are shown, and what is asked about them.

Everything random is drawn from the seed and the number of the step, never from a running state: a
resumed training, or one on several processes, asks exactly the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.prompts import jitter_boxes, label_components, random_points
from mskseg.prompts.plans import OraclePoint
from mskseg.prompts.prompt import Prompt

_ORDER, _VISIT = 1, 2  # streams of random numbers that must not meet


@dataclass(frozen=True, eq=False)
class PromptedSlice:
    """A slice and the objects on it that a prompt can be made from.

    Attributes
    ----------
    case, subject : str
    index : int
        Of the slice in its plane.
    image : (H, W) uint8
        As `CaseSlice.image`.
    label_map : (H, W) int
        The whole reference; components too small for a prompt are in it too.
    objects : (H, W) int32
        0, or the number of an object, from 1: a component of one label, large enough.
    labels : (N,) int
        The label of each object.
    boxes_xyxy : (N, 4) float64
        Tight, in pixels of the slice.
    spacing_mm : (row, column)
    """

    case: str
    subject: str
    index: int
    image: NDArray[np.uint8]
    label_map: NDArray[Any]
    objects: NDArray[np.int32]
    labels: tuple[int, ...]
    tissues: tuple[str, ...]
    boxes_xyxy: NDArray[np.float64]
    spacing_mm: tuple[float, float]

    @property
    def name(self) -> str:
        """Case and number of the slice, for messages."""
        return f"{self.case} slice {self.index}"

    def masks(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Masks (n, H, W) of some objects, by number from 0."""
        found: NDArray[np.bool_] = self.objects[None] == (chosen + 1)[:, None, None]
        return found


@dataclass(frozen=True)
class GatheredSlices:
    """The slices of a set, and the sha256 of what they came from."""

    slices: tuple[PromptedSlice, ...]
    fingerprint: str

    @property
    def tissues(self) -> set[str]:
        """Names of all labels that have an object."""
        return {tissue for each in self.slices for tissue in each.tissues}


@dataclass(frozen=True, eq=False)
class Visit:
    """What one step asks about one slice.

    Attributes
    ----------
    of : PromptedSlice
    chosen : (n,) int64
        The objects asked for, by number from 0.
    prompts : Prompt
        n of them, in pixels of the slice.
    """

    of: PromptedSlice
    chosen: NDArray[np.int64]
    prompts: Prompt


def gather_slices(cases: CaseSet, config: FineTuneConfig, *, step: int) -> GatheredSlices:
    """Take the labelled slices of a set; each case is read once.

    Parameters
    ----------
    cases : CaseSet
        Each with a reference.
    config : FineTuneConfig
        Its plane and least area.
    step : int
        Of a case's labelled slices, take the first and then every `step`-th.

    Raises
    ------
    InputError
        If a case has no reference.
    """
    found: list[PromptedSlice] = []
    prints = []
    for case in cases:
        prints.append(case.fingerprint)
        labelled = case.slices(config.plane, labelled_only=True, step=step)
        found += [_prompted(case, each, config.min_area_mm2) for each in labelled]
    fingerprint = hashlib.sha256("".join(sorted(prints)).encode()).hexdigest()
    return GatheredSlices(tuple(s for s in found if s.labels), fingerprint)


def _prompted(case: Case, at: CaseSlice, min_area_mm2: float) -> PromptedSlice:
    label_map = np.asarray(at.label_map)
    objects = np.zeros(label_map.shape, np.int32)
    labels: list[int] = []
    for label in np.unique(label_map[label_map != 0]):
        components, n = label_components(
            label_map == label, spacing_mm=at.spacing_mm, min_area_mm2=min_area_mm2
        )
        objects[components > 0] = components[components > 0] + len(labels)
        labels += [int(label)] * n
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(objects)]
    return PromptedSlice(
        case=case.name,
        subject=case.subject,
        index=at.index,
        image=at.image,
        label_map=label_map,
        objects=objects,
        labels=tuple(labels),
        tissues=tuple(case.tissue(label) for label in labels),
        boxes_xyxy=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        spacing_mm=at.spacing_mm,
    )


def check_sets(train: GatheredSlices, validation: GatheredSlices) -> str:
    """Refuse sets that cannot be trained on, or cannot select.

    Returns
    -------
    str
        What is doubtful, to be said as a warning; "" if nothing is.

    Raises
    ------
    InputError
        If fewer than two slices train, none selects, or no tissue is in both.
    """
    n = len(train.slices)
    if n < 2:
        raise InputError(
            f"the training set has {n} slice{'s' if n == 0 else ''} with an object large enough "
            "for a prompt, expected 2 or more, since a model learns one by heart; give more "
            "slices or subjects, or a smaller slice_step"
        )
    if not validation.slices:
        raise InputError(
            "the validation set has no slice with an object large enough for a prompt, so nothing "
            "could select the best epoch; give labelled subjects or a smaller slice_step"
        )
    missing = sorted(train.tissues - validation.tissues)
    if len(missing) == len(train.tissues):
        raise InputError(
            f"the validation set shows none of the {len(missing)} tissues that are trained "
            f"({missing[0]}, ...); give subjects with the same labels"
        )
    if not missing:
        return ""
    return (
        f"the validation set shows {len(train.tissues) - len(missing)} of the "
        f"{len(train.tissues)} tissues that are trained; {', '.join(missing)} cannot help to "
        "select the best epoch: add a subject that shows them to the validation set"
    )


def positions_of(step: int, config: FineTuneConfig, *, n: int) -> range:
    """Give the positions, in the endless sequence of `shown_at`, that a step shows of n slices."""
    together = min(config.slices_per_step, n)
    return range(step * together, (step + 1) * together)


def shown_at(
    position: int, slices: Sequence[PromptedSlice], config: FineTuneConfig
) -> PromptedSlice:
    """Find the slice at a position: all slices in a random order, then all in another one, ..."""
    round_, number = divmod(position, len(slices))
    order = np.random.default_rng([config.seed, _ORDER, round_]).permutation(len(slices))
    return slices[int(order[number])]


def n_prompts(at: PromptedSlice, config: FineTuneConfig) -> int:
    """Count the prompts of a visit to a slice."""
    return min(len(at.labels), config.prompts_per_slice or len(at.labels))


def draw_visit(position: int, slices: Sequence[PromptedSlice], config: FineTuneConfig) -> Visit:
    """Ask for some objects of the slice at a position, by boxes or points that are drawn anew."""
    at = shown_at(position, slices, config)
    rng = np.random.default_rng([config.seed, _VISIT, position])
    chosen = np.sort(rng.permutation(len(at.labels))[: n_prompts(at, config)])
    if config.prompt == "point":
        drawn = [random_points(mask, config.points, rng=rng) for mask in at.masks(chosen)]
        return Visit(at, chosen, _point_prompts(np.stack(drawn)))
    boxes = at.boxes_xyxy[chosen]
    if config.jitter_px:
        shape = (at.image.shape[0], at.image.shape[1])
        boxes = jitter_boxes(boxes, shape=shape, rng=rng, pixels=config.jitter_px)
    return Visit(at, chosen, _box_prompts(boxes))


def oracle_visit(at: PromptedSlice, config: FineTuneConfig) -> Visit:
    """Ask for all objects by tight boxes, or by `OraclePoint`: the same at every epoch."""
    chosen = np.arange(len(at.labels))
    if config.prompt == "box":
        return Visit(at, chosen, _box_prompts(at.boxes_xyxy))
    plan = OraclePoint(config.points)
    prompts = [
        plan.prompt_for(
            mask, spacing_mm=at.spacing_mm, min_area_mm2=0.0, key=(at.case, at.index, number)
        )
        for number, mask in enumerate(at.masks(chosen))
    ]
    points = [one.point_coords for one in prompts if one.point_coords is not None]
    return Visit(at, chosen, _point_prompts(np.concatenate(points)))


def _box_prompts(boxes_xyxy: NDArray[np.float64]) -> Prompt:
    return Prompt(boxes_xyxy=boxes_xyxy)


def _point_prompts(point_coords: NDArray[np.float64]) -> Prompt:
    inside = np.ones(point_coords.shape[:2], dtype=np.int64)
    return Prompt(point_coords=point_coords, point_labels=inside)
