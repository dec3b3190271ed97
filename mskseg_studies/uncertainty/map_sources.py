"""Where maps of probabilities come from: prompted segmenters, or what gives maps itself.

A source gives, slice by slice, what each of its members thinks of every pixel. All measures of
uncertainty (`case_tables`) take sources, so a prompted SAM, an ensemble, one SAM under several
boxes, and an nnU-Net that was run elsewhere are measured by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from mskseg.case import Case, CaseSlice
from mskseg.errors import InputError
from mskseg.evaluation.loop import check_has_reference
from mskseg.evaluation.multiclass import checked_probabilities
from mskseg.volume import LabelMap

BoolMask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SliceMaps:
    """What the members of a source think of one slice.

    Attributes
    ----------
    case_slice : CaseSlice
        With the reference.
    labels : (K,) tuple of int
        Tissues, in the order of the classes 1 to K.
    members : (M, 1 + K, H, W) float32
        Probabilities; class 0 is the background.
    boxes : mapping of int to (N, 4) float
        The boxes given for each tissue; empty where none was, or the source takes none.
    masks : mapping of int to (H, W) bool
        For each prompted tissue the binary answer, before the tissues compete.
    predicted_iou : mapping of int to float
        The model's own opinion of that answer; NaN if it has none.
    prompted : bool
        Whether the source is told where to look.
    """

    case_slice: CaseSlice
    labels: tuple[int, ...]
    members: NDArray[np.float32]
    boxes: Mapping[int, NDArray[np.float64]]
    masks: Mapping[int, BoolMask]
    predicted_iou: Mapping[int, float]
    prompted: bool


class MapSource(Protocol):
    """Gives maps of probabilities of a case, slice by slice."""

    @property
    def model(self) -> str:
        """Name for tables."""

    @property
    def arm(self) -> str:
        """Where the prompts come from, such as "oracle", or "no box"."""

    @property
    def miniature(self) -> bool:
        """Whether a miniature is among the members."""

    @property
    def prompted(self) -> bool:
        """Whether the members are told where to look."""

    @property
    def n_members(self) -> int:
        """Members of the ensemble."""

    def slices(self, case: Case, *, step: int = 1) -> Iterator[SliceMaps]:
        """Give every `step`-th slice of a case, slices without a label too."""


class ProbabilityVolumes(Protocol):
    """What an automatic model predicted, as the specialists' `Predictions` hold it."""

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of the channels 1, 2, ...; channel 0 is the background."""

    def probabilities(self, name: str, /) -> NDArray[np.float32]:
        """Give the probabilities (C, ni, nj, nk) of the case of that name, on its grid."""


class VolumeMaps:
    """Maps cut from the volumes of probabilities of nnU-Net or of another automatic model.

    Parameters
    ----------
    name : str
        Of the model, for tables.
    predictions : ProbabilityVolumes or sequence of them
        Several are the members of an ensemble. Labels that are not asked for count as background;
        a label that the model does not know gets a probability of 0.
    labels : sequence of int
    miniature : bool

    Raises
    ------
    InputError
        From `slices`: if a case has no probabilities, or they do not fit it.
    """

    prompted = False
    arm = "no box"

    def __init__(
        self,
        name: str,
        predictions: ProbabilityVolumes | Sequence[ProbabilityVolumes],
        *,
        labels: Sequence[int],
        miniature: bool = True,
    ) -> None:
        self._predictions = (
            list(predictions) if isinstance(predictions, Sequence) else [predictions]
        )
        self._labels = tuple(labels)
        self.model, self.miniature, self.n_members = name, miniature, len(self._predictions)

    def slices(self, case: Case, *, step: int = 1) -> Iterator[SliceMaps]:
        """Cut the volumes of a case; see `MapSource`."""
        narrowed = with_labels(case, self._labels)
        stacks = np.stack([self._stack(case, each) for each in self._predictions])
        for one in narrowed.slices(step=step):
            maps = checked_probabilities(stacks[:, :, one.index])
            yield SliceMaps(one, self._labels, maps, {}, {}, {}, prompted=False)

    def _stack(self, case: Case, predictions: ProbabilityVolumes) -> NDArray[np.float32]:
        """Probabilities (1 + K, slices, H, W) of one member, in the order of `labels`."""
        volumes = predictions.probabilities(case.name)
        channel = {label: number + 1 for number, label in enumerate(predictions.labels)}
        chosen = [
            case.image.with_array(volumes[channel[label]]).stack(case.plane)
            if label in channel
            else np.zeros_like(case.image.stack(case.plane), dtype=np.float32)
            for label in self._labels
        ]
        background = 1 - np.sum(chosen, axis=0)
        return np.stack([np.clip(background, 0, 1), *chosen]).astype(np.float32)


def with_labels(case: Case, labels: Sequence[int]) -> Case:
    """Keep some labels of a case's reference; all others become background.

    Raises
    ------
    InputError
        If the case has no reference, or it shows none of the labels.
    """
    check_has_reference(case)
    reference = cast(LabelMap, case.reference)
    kept = np.where(np.isin(reference.array, list(labels)), reference.array, 0)
    if not kept.any():
        raise InputError(
            f"{case.name} shows none of the labels {tuple(labels)}; choose among those of its "
            f"reference: {sorted(set(np.unique(reference.array).tolist()) - {0})}"
        )
    return replace(case, reference=LabelMap(kept, reference.affine))
