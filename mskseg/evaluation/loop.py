"""The one loop over cases, slices and labels, which carries out a prompt plan on each slice.

An experiment is what is done with each `PromptedSlice`: `score_cases` predicts and scores it. What
takes no prompt from a plan goes through slices by itself: label maps (`score_label_maps`), and a
propagation, whose prompt is the prediction of the slice before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.prompts import Prompt, label_components
from mskseg.prompts.checks import bounding_slices
from mskseg.prompts.plans import SlicePlan
from mskseg.volume import Plane

BoolMask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PromptedSlice:
    """One slice of one case, with the prompts of a plan, of length 0 for what gets none."""

    case: Case
    case_slice: CaseSlice
    prompts: Mapping[int, Prompt]  # by label
    is_missing: bool = False  # the plan has no source for the whole case: a specialist that failed

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of `prompts`, in their order: ascending, but for a propagation."""
        return tuple(self.prompts)

    @cached_property
    def references(self) -> dict[int, BoolMask]:
        """The reference of each label, (H, W) bool; empty masks where the case has none."""
        return {label: reference_mask(self.case_slice, label) for label in self.prompts}

    @cached_property
    def promptable_px(self) -> dict[int, int]:
        """For each label, the pixels of its reference in components of the minimum area or more."""
        counts = {}
        for label, mask in self.references.items():
            components, _ = label_components(
                mask[bounding_slices(mask)], spacing_mm=self.case_slice.spacing_mm
            )
            counts[label] = int(np.count_nonzero(components))
        return counts

    @cached_property
    def prompt(self) -> Prompt:
        """All prompts of the slice in one, label after label, for a single call of the decoder."""
        return Prompt.joined(list(self.prompts.values()))

    def rows(self, label: int) -> slice:
        """Rows of `prompt`, and so of its prediction, that are about a label."""
        before = self.labels[: self.labels.index(label)]
        start = sum(len(self.prompts[other]) for other in before)
        return slice(start, start + len(self.prompts[label]))


def prompted_slices(
    cases: Case | Iterable[Case],
    plan: SlicePlan,
    *,
    plane: Plane | None = None,
    slice_step: int = 1,
    labelled_only: bool = False,
    progress: bool = False,
    description: str = "",
) -> Iterator[PromptedSlice]:
    """Go through the slices of cases and carry out a plan on each, also where nothing is prompted.

    `plan` is an `OracleBox`, `OraclePoint` or `SpecialistBox`; `NeighbourBox` needs predictions,
    see `mskseg.evaluation.prediction.SlicePredictor.predict_case`. `plane` is by default each
    case's own, the acquired one; with `labelled_only` slices without a label are left out before
    the steps are counted. Yields a `PromptedSlice` for each slice, in order. InputError if there is
    no case, a case has no reference, or the step is below 1.
    """
    with tqdm(desc=description, unit="slice", total=0, disable=not progress) as bar:
        for case in listed_cases(cases):
            slices = list(case.slices(plane, labelled_only=labelled_only, step=slice_step))
            bar.total = (bar.total or 0) + len(slices)
            for case_slice in slices:
                yield prompt_slice(case, case_slice, plan)
                bar.update()


def prompt_slice(case: Case, case_slice: CaseSlice, plan: SlicePlan) -> PromptedSlice:
    """Carry out a plan on one slice of a case; arguments and errors as in `prompted_slices`."""
    source = plan.source_map(case, case_slice)
    labels = labels_on(case_slice)
    prompts = {}
    for label in sorted(labels | set(np.unique(source[source != 0]).tolist())):
        prompt = plan.prompt_for(
            source == label,
            spacing_mm=case_slice.spacing_mm,
            key=(case.name, case_slice.plane, case_slice.index, label),
        )
        if len(prompt) or label in labels:
            prompts[label] = prompt
    return PromptedSlice(case, case_slice, prompts, plan.is_missing(case))


def labels_on(case_slice: CaseSlice) -> set[int]:
    """Return the labels of the reference on a slice, without the background."""
    if case_slice.label_map is None:
        return set()
    return set(np.unique(case_slice.label_map).tolist()) - {0}


def reference_mask(case_slice: CaseSlice, label: int) -> BoolMask:
    """Return the reference of a label on a slice, (H, W) bool; empty if the case has none."""
    if case_slice.label_map is None:
        return np.zeros(case_slice.image.shape, dtype=bool)
    mask: BoolMask = case_slice.label_map == label
    return mask


def listed_cases(cases: Case | Iterable[Case]) -> list[Case]:
    """List the cases, a case alone too; refuse them all before the first is worked on."""
    listed = list(cases) if isinstance(cases, Iterable) else [cases]
    if not listed:
        raise InputError("expected one case or more, got none; check the selection")
    for case in listed:
        check_has_reference(case)
    return listed


def check_has_reference(case: Case) -> None:
    """Refuse a case without a reference (InputError)."""
    if case.reference is None:
        raise InputError(
            f"{case.name} has no reference, expected one to score against; "
            "give the label map with the case"
        )
