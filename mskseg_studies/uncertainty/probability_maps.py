"""Maps of probabilities, slice by slice, of prompted segmenters or of what gives maps itself.

A source gives what each of its members thinks of every pixel. All measures of uncertainty take
sources, so a prompted SAM, an ensemble, one SAM under several boxes, and an nnU-Net that was run
elsewhere are measured by the same code.

How uncertain they are, pixel by pixel, and how much of it is the model's own, with members m that
give probabilities p_m:

* **predictive** entropy ``H(mean_m p_m)``: all that is uncertain;
* **aleatoric** ``mean_m H(p_m)``: what each member finds uncertain by itself, as a blurred edge;
* **epistemic** ``predictive - aleatoric``, the mutual information of the answer and the member: how
  far the members disagree. More training data would lower it (Houlsby 2011, arXiv:1112.5745;
  Depeweg 2018, arXiv:1710.07283; deep ensembles: Lakshminarayanan 2017, arXiv:1612.01474).

In nats: 0 is certain, ``log C`` is no idea among C classes. Members may also be the answers of one
model to boxes that were drawn a little differently: then the last part is the uncertainty that the
*prompt* brings in.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.loop import PromptedSlice, check_has_reference, prompted_slices
from mskseg.evaluation.prediction import PromptableSegmenter, SlicePredictor
from mskseg.prompts import boxes_from_mask
from mskseg.prompts.plans import FollowPlan, OracleBox, OraclePoint, PromptPlan
from mskseg.volume import LabelMap
from mskseg_studies.calibration import checked_probabilities, multiclass_probabilities
from mskseg_studies.specialists.predictions import Predictions
from mskseg_studies.uncertainty.ensembles import Ensemble

Floats = NDArray[np.float32]
_TINY = np.float32(1e-30)  # log 0 is asked for nowhere: 0 log 0 = 0


class EntropyParts(NamedTuple):
    """Uncertainty of each pixel (H, W), in nats: the first is the sum of the others."""

    predictive: Floats
    aleatoric: Floats
    epistemic: Floats


def entropy(probabilities: ArrayLike) -> Floats:
    """Entropy of each pixel, ``-sum_c p_c log p_c``, in nats: (..., C, H, W) -> (..., H, W)."""
    p = np.asarray(probabilities, dtype=np.float32)
    nats: Floats = np.maximum(-(p * np.log(np.maximum(p, _TINY))).sum(axis=-3), 0)
    return nats


def entropy_parts(members: ArrayLike) -> EntropyParts:
    """Split the predictive entropy of the members' probabilities (M, C, H, W)."""
    maps = np.asarray(members, dtype=np.float32)
    aleatoric = entropy(maps).mean(axis=0)
    if len(maps) == 1:  # one cannot disagree with itself; a 0 would read as "sure of itself"
        return EntropyParts(aleatoric, aleatoric, np.full_like(aleatoric, math.nan))
    predictive = entropy(maps.mean(axis=0))
    # Entropy is concave, so this is 0 or more but for rounding.
    return EntropyParts(predictive, aleatoric, np.maximum(predictive - aleatoric, 0))


@dataclass(frozen=True, eq=False)
class SliceMaps:
    """What the members of a source think of one slice."""

    case_slice: CaseSlice
    labels: tuple[int, ...]
    members: Floats  # (M, 1 + K, H, W); class 0 is the background, class k is ``labels[k - 1]``
    boxes: Mapping[int, NDArray[np.float64]]  # (N, 4) that were given
    prompted: bool

    def predicted_labels(self) -> NDArray[np.int_]:
        """Label of each pixel (H, W) by the mean of the members; 0 is background."""
        predicted: NDArray[np.int_] = np.array([0, *self.labels])[
            self.members.mean(axis=0).argmax(axis=0)
        ]
        return predicted


class PromptedMaps:
    """Segmenters under a prompt plan, by the rule of `mskseg_studies.calibration`.

    Each member answers the same prompts. Several plans, such as jittered boxes of several seeds,
    multiply the members: their spread is the uncertainty that the prompt brings in. Plans that
    follow a prediction (`NeighbourBox`) follow that of the members together. Labels of the
    reference other than `labels` count as background; components below the area get no prompt; the
    `name` is the model's, for tables. InputError if there is no segmenter or no plan, or one of
    several plans is no oracle.
    """

    prompted = True

    def __init__(
        self,
        segmenters: PromptableSegmenter | Sequence[PromptableSegmenter],
        plan: PromptPlan | Sequence[OracleBox],
        *,
        labels: Sequence[int],
        name: str | None = None,
    ) -> None:
        given = segmenters if isinstance(segmenters, Sequence) else [segmenters]
        plans: list[PromptPlan] = list(plan) if isinstance(plan, Sequence) else [plan]
        oracles = [isinstance(plan, OracleBox | OraclePoint) for plan in plans]
        if not plans or (len(plans) > 1 and not all(oracles)):
            raise InputError(
                "expected one prompt plan, or several that take their boxes from the reference, "
                f"such as OracleBox(jitter_px=5, seed=...); got {len(plans)} prompt plans"
            )
        self._ensemble, self._plans = Ensemble(given, name=name), plans
        self._labels = tuple(labels)
        self.model, self.miniature = self._ensemble.name, self._ensemble.miniature
        self.n_members = len(self._ensemble.members) * len(plans)
        drawn = f", {len(plans)} draws" if len(plans) > 1 else ""
        self.arm = plans[0].box_source + drawn

    def slices(self, case: Case, *, step: int = 1) -> Iterator[SliceMaps]:
        """Prompt the members on every `step`-th slice, slices without a label too."""
        return map(self._maps, self._prompted(case, step=step))

    def at(self, case: Case, index: int, *, step: int = 1) -> SliceMaps:
        """Give one slice only, to look at; `step` as in the run whose numbers it belongs to."""
        for prompted in self._prompted(case, step=step):
            if prompted[0].case_slice.index == index:
                return self._maps(prompted)
        raise InputError(
            f"slice {index} of {case.name} is not one of every {step}; choose one that was measured"
        )

    def _prompted(self, case: Case, *, step: int) -> Iterator[tuple[PromptedSlice, ...]]:
        """For each slice, what each plan asks about it."""
        narrowed = with_labels(case, self._labels)
        return zip(*(self._carry_out(plan, narrowed, step) for plan in self._plans), strict=True)

    def _carry_out(self, plan: PromptPlan, case: Case, step: int) -> Iterator[PromptedSlice]:
        if not isinstance(plan, FollowPlan):
            yield from prompted_slices(case, plan, slice_step=step)
            return
        run = SlicePredictor(self._ensemble).predict_case(case, plan, slice_step=step)
        for case_slice, predictions in zip(case.slices(step=step), run, strict=True):
            prompts = {label: prediction.prompt for label, prediction in predictions.items()}
            yield PromptedSlice(case, case_slice, prompts)

    def _maps(self, prompted: Sequence[PromptedSlice]) -> SliceMaps:
        """Ask every member what every plan asks, in one call for all tissues, and join it all."""
        first = prompted[0]
        asked = [(at, member) for at in prompted for member in self._ensemble.members]
        return SliceMaps(
            case_slice=first.case_slice,
            labels=self._labels,
            members=np.stack([self._map(at, member) for at, member in asked]),
            boxes={k: _boxes(first, k) for k in first.labels if len(first.prompts[k])},
            prompted=True,
        )

    def _map(self, at: PromptedSlice, member: PromptableSegmenter) -> Floats:
        """Join the answers of a member to all prompts of a slice, maybe none."""
        image, of_prompts = at.case_slice.image, []
        probabilities = np.empty((0, *image.shape), np.float32)
        if len(at.prompt):
            of_prompts = [label for label, prompt in at.prompts.items() for _ in range(len(prompt))]
            probabilities = member.predict(member.embed(image), at.prompt).probabilities[:, 0]
        return multiclass_probabilities(probabilities, of_prompts, labels=self._labels)


def _boxes(at: PromptedSlice, label: int) -> NDArray[np.float64]:
    """Boxes given for a label; for points the tight boxes of the components they lie in."""
    if (boxes := at.prompts[label].boxes_xyxy) is not None:
        return boxes
    return boxes_from_mask(at.references[label], spacing_mm=at.case_slice.spacing_mm)


class VolumeMaps:
    """Maps cut from the volumes of probabilities of nnU-Net or of another automatic model.

    Several predictions are the members of an ensemble. Labels that are not asked for count as
    background; a label that the model does not know gets a probability of 0.
    """

    prompted = False
    arm = "no box"

    def __init__(
        self,
        name: str,
        predictions: Predictions | Sequence[Predictions],
        *,
        labels: Sequence[int],
        miniature: bool = True,
    ) -> None:
        given = predictions if isinstance(predictions, Sequence) else [predictions]
        self._predictions, self._labels = list(given), tuple(labels)
        self.model, self.miniature, self.n_members = name, miniature, len(self._predictions)

    def slices(self, case: Case, *, step: int = 1) -> Iterator[SliceMaps]:
        """Cut the volumes of a case on every `step`-th slice; no other slice is copied."""
        slices = list(with_labels(case, self._labels).slices(step=step))
        at = [each.index for each in slices]
        stacks = np.stack([self._stack(case, member, at) for member in self._predictions])
        for each, maps in zip(slices, np.moveaxis(stacks, 2, 0), strict=True):
            yield SliceMaps(each, self._labels, checked_probabilities(maps), {}, prompted=False)

    def _stack(self, case: Case, predictions: Predictions, at: list[int]) -> Floats:
        """Probabilities (1 + K, slices, H, W) of one member, in the order of `labels`."""
        volumes = predictions.probabilities(case.name)
        channel = {label: number for number, label in enumerate(predictions.labels, start=1)}
        chosen = [
            case.image.with_array(volumes[channel[label]]).stack(case.plane)[at]
            if label in channel
            else np.zeros_like(case.image.stack(case.plane)[at], dtype=np.float32)
            for label in self._labels
        ]
        background = np.clip(1 - np.sum(chosen, axis=0), 0, 1)
        return np.stack([background, *chosen]).astype(np.float32)


MapSource = PromptedMaps | VolumeMaps


def with_labels(case: Case, labels: Sequence[int]) -> Case:
    """Keep some labels of a case's reference; InputError if it shows none of them."""
    check_has_reference(case)
    reference = cast(LabelMap, case.reference)
    kept = np.where(np.isin(reference.array, list(labels)), reference.array, 0)
    if not kept.any():
        raise InputError(
            f"{case.name} shows none of the labels {tuple(labels)}; choose among those of its "
            f"reference: {sorted(set(np.unique(reference.array).tolist()) - {0})}"
        )
    return replace(case, reference=LabelMap(kept, reference.affine))
