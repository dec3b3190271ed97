"""Carry out prompt plans on a case: each slice embedded once, whatever the plans and labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mskseg.errors import InputError
from mskseg.evaluation.prediction import (
    LabelPrediction,
    PromptableSegmenter,
    areas_px,
    check_run,
    promptable_px,
)
from mskseg.prompts.label_prompts import BoolMask, LabelPrompts, predict_arguments
from mskseg.prompts.oracle_plans import OracleBox, OraclePlan
from mskseg.prompts.plans import NeighbourBox, PromptPlan, SpecialistBox

if TYPE_CHECKING:
    from mskseg.case import Case
    from mskseg.volume import Plane


class CaseRun:
    """One segmenter on the slices of one case.

    Embeddings are kept for the life of this object, so that several plans share them: about 4 MB a
    slice for SAM's own encoders.

    Parameters
    ----------
    segmenter : PromptableSegmenter
        The model.
    case : Case
        With a reference.
    plane : {"axial", "coronal", "sagittal"}, optional
        Default: the case's own, the acquired plane.
    min_area_mm2 : float
        Components below get no prompt.
    slice_step : int
        Use every `slice_step`-th slice.

    Raises
    ------
    InputError
        If the case has no reference, or the step or the area is out of range.
    """

    def __init__(
        self,
        segmenter: PromptableSegmenter,
        case: Case,
        *,
        plane: Plane | None = None,
        min_area_mm2: float = 30.0,
        slice_step: int = 1,
    ) -> None:
        check_run(case, min_area_mm2=min_area_mm2, slice_step=slice_step)
        self._segmenter = segmenter
        self._case = case
        self._min_area_mm2 = min_area_mm2
        self._slices = list(case.slices(plane, step=slice_step))
        self._areas_px = [areas_px(each) for each in self._slices]
        self._embeddings: dict[int, tuple[Any, float]] = {}
        self._promptable_px: dict[tuple[int, int], int] = {}

    @property
    def n_labelled_slices(self) -> int:
        """Slices on which the reference has a label."""
        return sum(bool(areas) for areas in self._areas_px)

    def predictions(
        self, plan: PromptPlan, *, on_slice: Callable[[], object] = lambda: None
    ) -> Iterator[LabelPrediction]:
        """Carry out a plan.

        Parameters
        ----------
        plan : OracleBox, OraclePoint, NeighbourBox or SpecialistBox
            Where the prompts come from.
        on_slice : callable
            Called without arguments whenever a slice is done, for a progress bar.

        Yields
        ------
        LabelPrediction
            One for each label that the reference has on a slice or that the plan prompted there,
            in the order of slices and labels.
        """
        if isinstance(plan, NeighbourBox):
            found = self._propagate(plan, on_slice)
            for position, areas in enumerate(self._areas_px):
                prompted = {label for at, label in found if at == position}
                for label in sorted(prompted | set(areas)):
                    yield found.get((position, label)) or self._unprompted(position, label)
        else:
            for position, areas in enumerate(self._areas_px):
                yield from self._carry_out(plan, position).values()
                if areas:
                    on_slice()

    def predictions_on(
        self, plan: OraclePlan | SpecialistBox, index: int
    ) -> dict[int, LabelPrediction]:
        """Carry out a plan on one slice, to look at what stands in a table.

        Parameters
        ----------
        plan : OracleBox, OraclePoint or SpecialistBox
            Where the prompts come from.
        index : int
            Of the slice, as in the table.

        Returns
        -------
        dict of int to LabelPrediction
            By label, for the labels that the reference has or the plan prompts there.

        Raises
        ------
        InputError
            If the slice does not exist or the step leaves it out.
        """
        positions = {each.index: position for position, each in enumerate(self._slices)}
        if index not in positions:
            raise InputError(
                f"slice {index} of {self._case.name} is not one of {len(positions)}; "
                "choose a slice of the table"
            )
        return self._carry_out(plan, positions[index])

    def _carry_out(
        self, plan: OraclePlan | SpecialistBox, position: int
    ) -> dict[int, LabelPrediction]:
        given = {
            label: self._prompts(plan, position, label, mask)
            for label, mask in self._sources(plan, position).items()
        }
        labels = self._areas_px[position]
        given = {k: each for k, each in given.items() if k in labels or len(each)}
        results = self._predict(position, given)
        if isinstance(plan, SpecialistBox) and not plan.has(self._case):
            return {label: replace(each, missing=True) for label, each in results.items()}
        return results

    def _sources(self, plan: OraclePlan | SpecialistBox, position: int) -> dict[int, BoolMask]:
        """Masks that the prompts are taken from, by label: the reference's, or the specialist's."""
        labels = self._areas_px[position]
        if not isinstance(plan, SpecialistBox):
            return {label: self._reference(position, label) for label in labels}
        found = plan.found_on(self._case, self._slices[position])
        everything = {*labels, *np.unique(found).tolist()} - {0}
        return {label: found == label for label in sorted(everything)}

    def _propagate(
        self, plan: NeighbourBox, on_slice: Callable[[], object]
    ) -> dict[tuple[int, int], LabelPrediction]:
        """All predictions of a `NeighbourBox` plan, by position of the slice and label.

        All labels travel together, up and then down, so that a slice needs one decoder call a way.
        """
        starts = self._starts()
        found: dict[tuple[int, int], LabelPrediction] = {}
        upwards = range(len(self._slices))
        for positions in (upwards, reversed(upwards)):
            carried: dict[int, LabelPrompts] = {}
            for position in positions:
                begun = {label: start for label, (at, start) in starts.items() if at == position}
                if not carried and not begun:
                    continue
                new = {k: v for k, v in begun.items() if (position, k) not in found}
                results = self._predict(position, carried | new)
                if not any(at == position for at, _ in found):
                    on_slice()
                found |= {(position, label): each for label, each in results.items()}
                source = results | {label: found[position, label] for label in begun}
                carried = self._carried(plan, source)
        return found

    def _carried(
        self, plan: NeighbourBox, results: Mapping[int, LabelPrediction]
    ) -> dict[int, LabelPrompts]:
        """Prompts for the next slice; a label of which nothing is left drops out."""
        following = {
            label: plan.next_prompts(
                each.prediction,
                spacing_mm=each.case_slice.spacing_mm,
                min_area_mm2=self._min_area_mm2,
            )
            for label, each in results.items()
        }
        return {label: given for label, given in following.items() if len(given)}

    def _starts(self) -> dict[int, tuple[int, LabelPrompts]]:
        """For each label the slice where it is largest, and its oracle boxes there.

        A label whose components are all under the minimum area on its largest slice starts on the
        next largest one, and nowhere if there is none.
        """
        starts = {}
        for label in sorted(set().union(*self._areas_px)):
            areas = [each.get(label, 0) for each in self._areas_px]
            for position in np.argsort(areas, kind="stable")[::-1].tolist():
                mask = self._reference(position, label)
                given = self._prompts(OracleBox(), position, label, mask)
                if len(given):
                    starts[label] = (position, given)
                    break
                if not areas[position]:
                    break
        return starts

    def _prompts(
        self, plan: OraclePlan | SpecialistBox, position: int, label: int, mask: BoolMask
    ) -> LabelPrompts:
        at = self._slices[position]
        return plan.prompts_for(
            mask,
            spacing_mm=at.spacing_mm,
            min_area_mm2=self._min_area_mm2,
            key=(self._case.name, at.plane, at.index, label),
        )

    def _reference(self, position: int, label: int) -> BoolMask:
        found: BoolMask = np.asarray(self._slices[position].label_map) == label
        return found

    def _embedded(self, position: int) -> tuple[Any, float]:
        """Embed the slice, once; with the seconds the encoder took for it."""
        if position not in self._embeddings:
            start = time.perf_counter()
            embedding = self._segmenter.embed(self._slices[position].image)
            elapsed = time.perf_counter() - start
            # A cached embedding knows what it cost when it was computed.
            self._embeddings[position] = embedding, getattr(embedding, "encode_s", elapsed)
        return self._embeddings[position]

    def _predict(
        self, position: int, given: Mapping[int, LabelPrompts]
    ) -> dict[int, LabelPrediction]:
        """All labels of a slice in one decoder call; no call where there is no prompt."""
        results = {label: self._unprompted(position, label) for label in given}
        prompted = {label: each for label, each in given.items() if len(each)}
        if not prompted:
            return results
        embedding, encode_s = self._embedded(position)
        start = time.perf_counter()
        prediction = self._segmenter.predict(
            embedding, **predict_arguments(list(prompted.values()))
        )
        seconds_each = (time.perf_counter() - start) / sum(map(len, prompted.values()))
        stop = 0
        for label, each in prompted.items():
            rows = slice(stop, stop := stop + len(each))
            results[label] = replace(
                results[label],
                prediction=prediction.masks[rows, 0].any(axis=0),
                boxes_xyxy=each.boxes_xyxy,
                predicted_iou=float(np.mean(prediction.predicted_iou[rows, 0])),
                encode_s=encode_s,
                decode_s=seconds_each * len(each),
            )
        return results

    def _unprompted(self, position: int, label: int) -> LabelPrediction:
        """Give the label's empty prediction for a slice on which it has no prompt."""
        at = self._slices[position]
        reference = self._reference(position, label)
        if (position, label) not in self._promptable_px:
            self._promptable_px[position, label] = promptable_px(
                reference, spacing_mm=at.spacing_mm, min_area_mm2=self._min_area_mm2
            )
        return LabelPrediction(
            case_slice=at,
            label=label,
            reference=reference,
            prediction=np.zeros_like(reference),
            boxes_xyxy=np.empty((0, 4)),
            promptable_px=self._promptable_px[position, label],
            predicted_iou=math.nan,
            encode_s=math.nan,
            decode_s=0.0,
        )
