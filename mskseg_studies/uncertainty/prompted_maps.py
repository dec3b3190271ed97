"""Segmenters under a prompt plan, as a source of maps of probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.multiclass import multiclass_probabilities
from mskseg.evaluation.prediction import PromptableSegmenter, SlicePredictor
from mskseg.prompts import MIN_AREA_MM2, Prompt, boxes_from_mask
from mskseg.prompts.plans import OracleBox, OraclePoint, PromptPlan
from mskseg_studies.uncertainty.ensembles import Ensemble
from mskseg_studies.uncertainty.map_sources import SliceMaps, with_labels

_Answer = tuple[NDArray[np.float32], list[int], NDArray[Any]]
"""Probabilities (N, H, W), the label of each prompt, the model's opinion of each answer (N,)."""


class PromptedMaps:
    """Segmenters under a prompt plan, by the rule of `mskseg.evaluation.multiclass`.

    Parameters
    ----------
    segmenters : PromptableSegmenter or sequence of them
        The members; each answers the same prompts.
    plan : PromptPlan or sequence of OracleBox
        Where the prompts come from. Several, such as jittered boxes of several seeds, multiply the
        members: their spread is the uncertainty that the prompt brings in. Plans that follow a
        prediction (`NeighbourBox`) follow that of the members together.
    labels : sequence of int
        Tissues of the map; other labels of the reference count as background.
    name : str, optional
        Of the model, for tables.
    min_area_mm2 : float
        Components below get no prompt.

    Raises
    ------
    InputError
        If there is no segmenter or no plan, or one of several plans is no oracle.
    """

    prompted = True

    def __init__(
        self,
        segmenters: PromptableSegmenter | Sequence[PromptableSegmenter],
        plan: PromptPlan | Sequence[OracleBox],
        *,
        labels: Sequence[int],
        name: str | None = None,
        min_area_mm2: float = MIN_AREA_MM2,
    ) -> None:
        given = segmenters if isinstance(segmenters, Sequence) else [segmenters]
        self._ensemble = Ensemble(given, name=name)
        self._plans: list[PromptPlan] = list(plan) if isinstance(plan, Sequence) else [plan]
        if not self._plans or (len(self._plans) > 1 and not all(map(_is_oracle, self._plans))):
            raise InputError(
                f"{len(self._plans)} prompt plans came, expected one, or several that take their "
                "boxes from the reference; give OracleBox(jitter_px=5, seed=...) several times"
            )
        self._labels = tuple(labels)
        self._min_area_mm2 = min_area_mm2

    @property
    def model(self) -> str:
        """Name of the segmenter or of the ensemble."""
        return self._ensemble.name

    @property
    def arm(self) -> str:
        """The plan's own name; of several the first, and how many."""
        first, n = self._plans[0].box_source, len(self._plans)
        return first if n == 1 else f"{first}, {n} draws"

    @property
    def miniature(self) -> bool:
        """Whether a miniature is among the members."""
        return self._ensemble.miniature

    @property
    def n_members(self) -> int:
        """Segmenters times plans."""
        return len(self._ensemble.members) * len(self._plans)

    def slices(self, case: Case, *, step: int = 1) -> Iterator[SliceMaps]:
        """Prompt and join; see `MapSource`.

        Raises
        ------
        InputError
            If the case has no reference, or none of the labels.
        """
        narrowed = with_labels(case, self._labels)
        given = [self._prompts(narrowed, plan, step=step) for plan in self._plans]
        for one in narrowed.slices(step=step):
            yield self._maps(one, [each.get(one.index, {}) for each in given])

    def at(self, case: Case, index: int, *, step: int = 1) -> SliceMaps:
        """Give one slice only, to look at; `step` as in the run whose numbers it belongs to.

        Raises
        ------
        InputError
            If the step leaves the slice out, or as `slices`.
        """
        narrowed = with_labels(case, self._labels)
        chosen = [one for one in narrowed.slices(step=step) if one.index == index]
        if not chosen:
            raise InputError(
                f"slice {index} of {case.name} is not one of every {step}; choose one that was "
                "measured"
            )
        given = [self._prompts(narrowed, plan, step=step) for plan in self._plans]
        return self._maps(chosen[0], [each.get(index, {}) for each in given])

    def _prompts(self, case: Case, plan: PromptPlan, *, step: int) -> dict[int, dict[int, Prompt]]:
        """Prompts by slice and label."""
        found: dict[int, dict[int, Prompt]] = {}
        if isinstance(plan, OracleBox | OraclePoint):
            for one in case.slices(labelled_only=False, step=step):
                found[one.index] = self._oracle_prompts(case, one, plan)
            return found
        predictor = SlicePredictor(self._ensemble)
        for predictions in predictor.predict_case(
            case, plan, slice_step=step, min_area_mm2=self._min_area_mm2
        ):
            for label, each in predictions.items():
                if len(each.prompt):
                    found.setdefault(each.case_slice.index, {})[label] = each.prompt
        return found

    def _oracle_prompts(
        self, case: Case, one: CaseSlice, plan: OracleBox | OraclePoint
    ) -> dict[int, Prompt]:
        label_map = np.asarray(one.label_map)
        found = {}
        for label in np.unique(label_map[label_map > 0]).tolist():
            given = plan.prompt_for(
                label_map == label,
                spacing_mm=one.spacing_mm,
                min_area_mm2=self._min_area_mm2,
                key=(case.name, one.plane, one.index, label),
            )
            if len(given):
                found[label] = given
        return found

    def _maps(self, one: CaseSlice, given: Sequence[Mapping[int, Prompt]]) -> SliceMaps:
        answers = [
            self._answer(member, one, prompts)
            for prompts in given
            for member in self._ensemble.members
        ]
        joined = [
            multiclass_probabilities(p, labels, labels=self._labels) for p, labels, _ in answers
        ]
        prompted = list(given[0])
        return SliceMaps(
            one,
            self._labels,
            np.stack(joined),
            {label: self._boxes(one, label, given[0][label]) for label in prompted},
            {label: _mean_of(answers, label) > 0.5 for label in prompted},
            {label: _opinion(answers, label) for label in prompted},
            prompted=True,
        )

    def _boxes(self, one: CaseSlice, label: int, prompt: Prompt) -> NDArray[np.float64]:
        """Boxes given for a label; for points the tight boxes of the components they lie in."""
        if prompt.boxes_xyxy is not None:
            return prompt.boxes_xyxy
        mask = np.asarray(one.label_map) == label
        return boxes_from_mask(mask, spacing_mm=one.spacing_mm, min_area_mm2=self._min_area_mm2)

    def _answer(
        self, member: PromptableSegmenter, one: CaseSlice, prompts: Mapping[int, Prompt]
    ) -> _Answer:
        """Ask one member about all tissues of a slice in one call."""
        labels = [label for label, each in prompts.items() for _ in range(len(each))]
        if not labels:
            return np.empty((0, *one.image.shape), dtype=np.float32), [], np.empty(0)
        prompt = Prompt.joined(list(prompts.values()))
        prediction = member.predict(member.embed(one.image), prompt)
        return prediction.probabilities[:, 0], labels, prediction.predicted_iou[:, 0]


def _is_oracle(plan: PromptPlan) -> bool:
    return isinstance(plan, OracleBox | OraclePoint)


def _mean_of(answers: Sequence[_Answer], label: int) -> NDArray[np.float32]:
    """Mean probability (H, W) of a tissue over the members, each its prompts' maximum."""
    mean: NDArray[np.float32] = np.mean(
        [p[[k == label for k in labels]].max(axis=0) for p, labels, _ in answers], axis=0
    )
    return mean


def _opinion(answers: Sequence[_Answer], label: int) -> float:
    opinions = [iou[[k == label for k in labels]] for _, labels, iou in answers]
    return float(np.mean(np.concatenate(opinions)))
