"""The slices that are trained on, in which order they are shown, and the prompts drawn for them.

Everything random is drawn from the seed and the position in the training, never from a running
state: a resumed training, or one on several processes, draws exactly the same.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mskseg.case import Case, CaseSet, CaseSlice
from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.prompts import jitter_boxes, label_components, random_points
from mskseg.prompts.plans import OraclePoint
from mskseg.prompts.prompt import Prompt
from mskseg.splits import Part
from mskseg.volume import Plane

_ORDER, _PROMPTS = 1, 2  # streams of random numbers that must not meet

SLABS: dict[Part, float] = {"test": 0.2, "validation": 0.2, "train": 0.6}
"""From the first labelled slice to the last. What selects lies between: at an end of the scan,
where few tissues are left, it would select by those alone."""

GAP = 1
"""Slices left out between slabs: the next slice shows the same outlines."""


@dataclass(frozen=True, eq=False)
class LabelledSlice(CaseSlice):
    """A slice (H, W) with its whole reference, and the N objects that a prompt can be made from."""

    case: str
    subject: str
    objects: NDArray[np.int32]  # 0, or the number from 1 of a component that is large enough
    labels: tuple[int, ...]  # of each object
    tissues: tuple[str, ...]  # name of each object's label
    boxes_xyxy: NDArray[np.float64]  # (N, 4), tight, in pixels of the slice

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def masks(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Masks (n, H, W) of some objects, by number from 0."""
        masks: NDArray[np.bool_] = self.objects[None] == (chosen + 1)[:, None, None]
        return masks

    @classmethod
    def of(cls, case: Case, case_slice: CaseSlice, *, min_area_mm2: float) -> Self:
        """Find the objects of a slice of a case."""
        label_map, spacing_mm = np.asarray(case_slice.label_map), case_slice.spacing_mm
        objects = np.zeros(label_map.shape, np.int32)
        labels: list[int] = []
        for label in np.unique(label_map[label_map != 0]):
            components, n = label_components(
                label_map == label, spacing_mm=spacing_mm, min_area_mm2=min_area_mm2
            )
            objects[components > 0] = components[components > 0] + len(labels)
            labels += [int(label)] * n
        boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(objects)]
        return cls(
            **vars(case_slice),
            case=case.name,
            subject=case.subject,
            objects=objects,
            labels=tuple(labels),
            tissues=tuple(case.tissue(label) for label in labels),
            boxes_xyxy=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        )


@dataclass(frozen=True, eq=False)
class Sample:
    """Prompts for some objects of a slice."""

    source: LabelledSlice
    chosen: NDArray[np.int64]  # (n,) the objects, by number from 0
    prompt: Prompt  # n of them


@dataclass(frozen=True, eq=False)
class SliceDataset:
    """The labelled slices of a set of cases."""

    slices: tuple[LabelledSlice, ...]  # each with an object
    fingerprint: str  # sha256 of the cases that they came from
    config: FineTuneConfig

    @classmethod
    def from_cases(cls, cases: CaseSet, config: FineTuneConfig, *, step: int = 1) -> Self:
        """Take every `step`-th of each case's labelled slices; InputError without a reference."""
        slices: list[LabelledSlice] = []
        fingerprints = []
        for case in cases:
            fingerprints.append(case.fingerprint)
            slices += [
                LabelledSlice.of(case, case_slice, min_area_mm2=config.min_area_mm2)
                for case_slice in case.slices(config.plane, labelled_only=True, step=step)
            ]
        fingerprint = hashlib.sha256("".join(sorted(fingerprints)).encode()).hexdigest()
        return cls(tuple(s for s in slices if s.labels), fingerprint, config)

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def tissues(self) -> set[str]:
        """Names of all labels that have an object."""
        return {tissue for labelled in self.slices for tissue in labelled.tissues}

    def positions(self, step: int) -> range:
        """Positions, in the endless sequence of `slice_at`, that a step of training shows."""
        together = min(self.config.slices_per_step, len(self))
        return range(step * together, (step + 1) * together)

    def slice_at(self, position: int) -> LabelledSlice:
        """Slice at a position: all of them in a random order, then all in another one, ..."""
        epoch, number = divmod(position, len(self))
        order = np.random.default_rng([self.config.seed, _ORDER, epoch]).permutation(len(self))
        return self.slices[int(order[number])]

    def n_prompts_at(self, position: int) -> int:
        """Count the prompts of the sample at a position."""
        n_objects = len(self.slice_at(position).labels)
        return min(n_objects, self.config.prompts_per_slice or n_objects)

    def sample_at(self, position: int) -> Sample:
        """Draw some objects of the slice at a position, and boxes or points for them."""
        config, labelled = self.config, self.slice_at(position)
        rng = np.random.default_rng([config.seed, _PROMPTS, position])
        order = rng.permutation(len(labelled.labels))
        chosen = np.sort(order[: self.n_prompts_at(position)])
        if config.prompt == "point":
            points = [random_points(m, config.points, rng=rng) for m in labelled.masks(chosen)]
            inside = np.ones((len(points), config.points), np.int64)
            return Sample(labelled, chosen, Prompt(None, np.stack(points), inside))
        boxes = labelled.boxes_xyxy[chosen]
        if config.jitter_px:
            boxes = jitter_boxes(boxes, shape=labelled.shape, rng=rng, pixels=config.jitter_px)
        return Sample(labelled, chosen, Prompt(boxes_xyxy=boxes))

    def oracle_sample(self, labelled: LabelledSlice) -> Sample:
        """All objects of a slice by tight boxes, or by `OraclePoint`: the same at every epoch."""
        chosen = np.arange(len(labelled.labels))
        if self.config.prompt == "box":
            return Sample(labelled, chosen, Prompt(boxes_xyxy=labelled.boxes_xyxy))
        plan = OraclePoint(self.config.points)
        prompts = [
            plan.prompt_for(
                mask,
                spacing_mm=labelled.spacing_mm,
                min_area_mm2=0.0,
                key=(labelled.case, labelled.index, number),
            )
            for number, mask in enumerate(labelled.masks(chosen))
        ]
        return Sample(labelled, chosen, Prompt.joined(prompts))


def check_datasets(train: SliceDataset, validation: SliceDataset) -> str:
    """Refuse sets that cannot train or select (InputError); return a warning, or "" without one."""
    n = len(train)
    if n < 2:
        raise InputError(
            f"the training set has {n} slice{'s' if n == 0 else ''} with an object large enough "
            "for a prompt, expected 2 or more, since a model learns one by heart; pass more "
            "slices or subjects, or a smaller slice_step"
        )
    if not len(validation):
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


def split_by_slab(cases: CaseSet, *, plane: Plane | None = None) -> dict[Part, CaseSet]:
    """Split each scan of seven labelled slices or more into slabs for test, training, validation.

    A stopgap where there are not enough subjects to split by. Neighbouring slices of one person are
    much alike, and every slab shares the person, the scanner and whoever drew the labels: what is
    measured on the third slab says whether tuning works at all, not that it works on anybody else.
    Images stay whole; a slab's reference is emptied outside, and its subject is "S (train slab)".
    """
    parts: dict[Part, list[Case]] = {part: [] for part in SLABS}
    for case in cases:
        for part, slices in _slabs(case, plane).items():
            parts[part].append(_slab_of(case, part, slices, plane))
    return {part: CaseSet(f"{cases.name}/{part} slabs", found) for part, found in parts.items()}


def _slabs(case: Case, plane: Plane | None) -> dict[Part, tuple[int, ...]]:
    labelled = case.labelled_slices(plane)
    left = len(labelled) - GAP * (len(SLABS) - 1)
    counts = {part: max(1, round(share * left)) for part, share in SLABS.items()}
    counts["train"] += left - sum(counts.values())
    if counts["train"] < 3:
        raise InputError(
            f"{case.name} has {len(labelled)} labelled slices, expected 7 or more to cut it into "
            "slabs; give more subjects"
        )
    slabs, start = {}, 0
    for part, count in counts.items():
        slabs[part] = labelled[start : start + count]
        start += count + GAP
    return slabs


def _slab_of(case: Case, part: Part, slices: tuple[int, ...], plane: Plane | None) -> Case:
    assert case.reference is not None  # noqa: S101  (`labelled_slices` has asked)
    plane = plane or case.plane
    stack = case.reference.stack(plane)
    kept = np.zeros_like(stack)
    kept[list(slices)] = stack[list(slices)]
    return replace(
        case,
        subject=f"{case.subject} ({part} slab)",
        reference=case.reference.from_stack(kept, plane),
    )
