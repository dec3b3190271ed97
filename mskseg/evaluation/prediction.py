"""From prompted slices to the mask of each label: one slice, or one propagated to the next."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.loop import (
    BoolMask,
    PromptedSlice,
    check_has_reference,
    labels_on,
    prompt_slice,
    prompted_slices,
    reference_mask,
)
from mskseg.evaluation.metrics import iou
from mskseg.prompts import Prompt
from mskseg.prompts.plans import FollowPlan, Memory, NeighbourBox, OracleBox, PromptPlan, SlicePlan
from mskseg.prompts.tracks import FOLLOWED, Track
from mskseg.volume import Plane


class Named(Protocol):
    """A model as far as a table names it."""

    @property
    def name(self) -> str:
        """Name for tables and figures."""

    @property
    def miniature(self) -> bool:
        """Whether it is one of this project's miniatures and not a published model."""


class PromptableSegmenter(Named, Protocol):
    """A segmenter as far as an evaluation uses it; `mskseg.load_segmenter` returns one."""

    @property
    def prompt_kinds(self) -> frozenset[str]:
        """What it answers, of "box", "point" and "mask"."""

    def embed(self, image: NDArray[Any]) -> Any:
        """Encode one slice (H, W)."""

    def predict(self, embedding: Any, prompt: Prompt, /) -> Any:
        """Masks (N, M, H, W) and predicted_iou (N, M) for N prompts, as attributes."""


@dataclass(frozen=True, eq=False)
class LabelPrediction:
    """What a segmenter predicted for one label on one slice."""

    case_slice: CaseSlice
    label: int
    prediction: BoolMask  # (H, W), union of the masks of all its prompts; empty without one
    prompt: Prompt  # one for each component; without any array for a model that takes none
    promptable_px: int  # of the reference, in components of the minimum area or more
    predicted_iou: float = math.nan  # the segmenter's own estimate, mean over the prompts
    encode_s: float = math.nan  # of the encoder for the slice, once for all labels and plans
    decode_s: float = 0.0  # share of the decoder's call for the slice, by number of prompts
    is_missing: bool = False  # for the whole case, since a run failed: `prediction` is empty
    # Highest probability of each pixel of `prediction`, by rows (n,); None of what has masks alone.
    certainty: NDArray[np.float32] | None = None
    overlap: float = math.nan  # propagated: IoU with the prediction on the slice before
    reason: str = ""  # propagated: where the prompt came from, or why the label ends here

    def surer_than(self, probability: float) -> BoolMask:
        """Pixels of the prediction above a probability; all at 0.5, or without probabilities."""
        sure = self.prediction.copy()
        if self.certainty is not None and probability > 0.5:
            sure[self.prediction] = self.certainty > probability
        return sure

    @property
    def boxes_xyxy(self) -> NDArray[np.float64]:
        """The boxes that were given, (N, 4); (0, 4) for points or without a prompt."""
        return np.empty((0, 4)) if self.prompt.boxes_xyxy is None else self.prompt.boxes_xyxy

    @property
    def reference(self) -> BoolMask:
        """The reference (H, W), with the components too small for a prompt."""
        return reference_mask(self.case_slice, self.label)


def predict_slice(
    segmenter: PromptableSegmenter, case: Case, case_slice: CaseSlice, plan: SlicePlan
) -> dict[int, LabelPrediction]:
    """Predict one slice of a case by a plan, as `score_cases` does; the predictions by label."""
    return SlicePredictor(segmenter).predict(prompt_slice(case, case_slice, plan))


class SlicePredictor:
    """One segmenter that keeps the last slices it encoded; its cache may keep more."""

    MOST_KEPT, MOST_KEPT_BYTES = 64, 2**28

    def __init__(self, segmenter: PromptableSegmenter) -> None:
        self._segmenter = segmenter
        self._embeddings: dict[tuple[str, str, int], tuple[Any, float]] = {}

    def predict(self, prompted: PromptedSlice) -> dict[int, LabelPrediction]:
        """Predict all labels of a slice in one decoder call; no call where there is no prompt."""
        predictions = {
            label: LabelPrediction(
                case_slice=prompted.case_slice,
                label=label,
                prediction=np.zeros_like(prompted.references[label]),
                prompt=prompt,
                promptable_px=prompted.promptable_px[label],
                is_missing=prompted.is_missing,
            )
            for label, prompt in prompted.prompts.items()
        }
        if not len(prompted.prompt):
            return predictions
        embedding, encode_s = self._embedded(prompted)
        start = time.perf_counter()
        predicted = self._segmenter.predict(embedding, prompted.prompt)
        seconds_each = (time.perf_counter() - start) / len(prompted.prompt)
        for label, prompt in prompted.prompts.items():
            if len(prompt):
                rows = prompted.rows(label)
                mask = predicted.masks[rows, 0].any(axis=0)
                probabilities = getattr(predicted, "probabilities", None)
                predictions[label] = replace(
                    predictions[label],
                    prediction=mask,
                    certainty=None
                    if probabilities is None
                    else probabilities[rows, 0][:, mask].max(axis=0),
                    predicted_iou=float(np.mean(predicted.predicted_iou[rows, 0])),
                    encode_s=encode_s,
                    decode_s=seconds_each * len(prompt),
                )
        return predictions

    def predict_case(
        self,
        case: Case,
        plan: PromptPlan,
        *,
        plane: Plane | None = None,
        slice_step: int = 1,
    ) -> Iterator[dict[int, LabelPrediction]]:
        """Carry out any plan on a case, slice by slice; arguments as in `prompted_slices`."""
        if not isinstance(plan, FollowPlan):
            yield from map(
                self.predict, prompted_slices(case, plan, plane=plane, slice_step=slice_step)
            )
            return
        check_has_reference(case)
        slices = list(case.slices(plane, step=slice_step))
        predictions = self.propagate(case, slices, largest_slice_prompts(slices), plan)
        for case_slice, reached in zip(slices, predictions, strict=True):
            lost = dict.fromkeys(labels_on(case_slice) - set(reached), _NO_BOX)
            both = reached | self.predict(PromptedSlice(case, case_slice, lost))
            yield dict(sorted(both.items()))

    def propagate(
        self,
        case: Case,
        slices: Sequence[CaseSlice],
        tracks: Mapping[int, Track],
        plan: FollowPlan,
        *,
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[dict[int, LabelPrediction]]:
        """Follow each label from the first prompt of its track up and down, until it ends.

        What was predicted on each of the `slices`, by label; the `reason` says where the prompt
        came from, or why the plan let the label end there, with an empty prediction. `progress` is
        called with the index of each slice after it was predicted. By `Memory` nothing ends for
        good; InputError if the segmenter has none.
        """
        if isinstance(plan, Memory):
            follow = getattr(self._segmenter, "follow", None)
            if follow is None:
                raise InputError(
                    f"expected a model with a memory, got {self._segmenter.name}; name a SAM 2, "
                    "such as sam2_1_tiny, or leave out --memory"
                )
            return list(follow(self._segmenter, case, slices, tracks, progress=progress))
        predictions: list[dict[int, LabelPrediction]] = [{} for _ in slices]
        for step in (1, -1):
            before: dict[int, LabelPrediction] = {}  # of the labels that have not ended
            for position in range(len(slices))[::step]:
                case_slice, reached = slices[position], predictions[position]
                asked: dict[int, Prompt] = {}
                sources: dict[int, str] = {}
                for label, track in tracks.items():
                    carried = _NO_BOX
                    if label in before:
                        carried = plan.next_prompt(
                            before[label].surer_than(plan.least_probability),
                            spacing_mm=case_slice.spacing_mm,
                        )
                    prompt, sources[label] = track.prompt_at(position, step, carried)
                    if label not in reached and len(prompt):  # the first one is answered once
                        asked[label] = prompt
                for prompts in _of_one_kind(asked):
                    at = PromptedSlice(case, case_slice, prompts)
                    for label, answer in self.predict(at).items():
                        reached[label] = _judged(plan, before.get(label), answer, sources[label])
                before = {label: each for label, each in reached.items() if each.prediction.any()}
                if asked:
                    progress(case_slice.index)
        return predictions

    def _embedded(self, prompted: PromptedSlice) -> tuple[Any, float]:
        """Embed a slice; with the seconds the encoder took for it."""
        case_slice = prompted.case_slice
        key = (prompted.case.name, case_slice.plane, case_slice.index)
        if key not in self._embeddings:
            start = time.perf_counter()
            embedding = self._segmenter.embed(case_slice.image)
            elapsed = time.perf_counter() - start
            # A cached embedding knows what it cost when it was computed.
            self._embeddings[key] = embedding, getattr(embedding, "encode_s", elapsed)
            size = getattr(getattr(embedding, "features", None), "nbytes", 1)
            if len(self._embeddings) > max(1, min(self.MOST_KEPT, self.MOST_KEPT_BYTES // size)):
                del self._embeddings[next(iter(self._embeddings))]
        return self._embeddings[key]


_NO_BOX = Prompt(boxes_xyxy=np.empty((0, 4)))


def _of_one_kind(prompts: Mapping[int, Prompt]) -> Iterable[dict[int, Prompt]]:
    """Group the prompts of a slice into those that one decoder call can answer."""
    groups: dict[Any, dict[int, Prompt]] = {}
    for label, prompt in prompts.items():
        kind = tuple(None if array is None else array.shape[1:] for array in vars(prompt).values())
        groups.setdefault(kind, {})[label] = prompt
    return groups.values()


def _judged(
    plan: NeighbourBox, before: LabelPrediction | None, answer: LabelPrediction, source: str
) -> LabelPrediction:
    """Note how an answer came about, and empty it where the plan says that the label has ended."""
    mask, overlap = answer.prediction, math.nan
    if before is not None and mask.any():
        overlap = iou(before.prediction, mask)
    end = "" if mask.any() else "nothing was predicted"
    if source == FOLLOWED and before is not None and mask.any():
        growth = np.count_nonzero(mask) / np.count_nonzero(before.prediction)
        end = plan.end(growth=growth, overlap=overlap, predicted_iou=answer.predicted_iou)
        if not np.ptp(answer.case_slice.image):  # padding, beyond the scanned body
            end = "the slice has no signal"
    prediction = np.zeros_like(mask) if end else mask
    reason = f"ended: {end}" if end else source
    certainty = None if end else answer.certainty
    return replace(
        answer, prediction=prediction, certainty=certainty, overlap=overlap, reason=reason
    )


def largest_slice_prompts(slices: Sequence[CaseSlice]) -> dict[int, Track]:
    """Give for each label its oracle boxes on the slice that shows it largest."""
    tracks = {}
    for label in sorted(set().union(*map(labels_on, slices))):
        masks = [reference_mask(case_slice, label) for case_slice in slices]
        areas_px = np.array([np.count_nonzero(mask) for mask in masks])
        for position in np.argsort(areas_px, kind="stable")[::-1][: np.count_nonzero(areas_px)]:
            spacing_mm = slices[position].spacing_mm
            prompt = OracleBox().prompt_for(masks[position], spacing_mm=spacing_mm, key=())
            if len(prompt):
                tracks[label] = Track({int(position): prompt})
                break
    return tracks
