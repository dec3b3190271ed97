"""A deep ensemble that looks like one segmenter: several models, one answer, their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.errors import InputError
from mskseg.evaluation.prediction import PromptableSegmenter
from mskseg.prompts import Prompt


@dataclass(frozen=True, eq=False)
class EnsemblePrediction:
    """The mean answer of all members to N prompts.

    Attributes
    ----------
    masks : (N, 1, H, W) bool
        Where the mean probability is above one half.
    probabilities : (N, 1, H, W) float32
        Mean of the members.
    predicted_iou : (N, 1) float32
        Mean of the members; NaN if one of them never learned it.
    """

    masks: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]


class Ensemble:
    """Several segmenters as one (deep ensembles: Lakshminarayanan 2017, arXiv:1612.01474).

    Usable wherever an evaluation takes a segmenter, such as `score_cases`: with `NeighbourBox` the
    boxes then come from what the members predict together.

    Parameters
    ----------
    members : sequence of PromptableSegmenter
        One or more, such as tunings that differ in their seed. An ensemble of one is that model.
    name : str, optional
        For tables; default: the member's own, or "ensemble of 3: NAME".

    Raises
    ------
    InputError
        If there is no member.
    """

    def __init__(self, members: Sequence[PromptableSegmenter], *, name: str | None = None) -> None:
        self.members = tuple(members)
        if not self.members:
            raise InputError("an ensemble of no segmenter came, expected one or more")
        first, n = self.members[0].name, len(self.members)
        self.name = name or (first if n == 1 else f"ensemble of {n}: {first}")
        self.miniature = any(each.miniature for each in self.members)

    def __repr__(self) -> str:
        return f"Ensemble({self.name!r}, {len(self.members)} members)"

    def embed(self, image: NDArray[Any]) -> tuple[Any, ...]:
        """Encode one slice (H, W) with every member."""
        return tuple(each.embed(image) for each in self.members)

    def predict(self, embedding: tuple[Any, ...], prompt: Prompt, /) -> EnsemblePrediction:
        """Answer N prompts; as `mskseg.models.Segmenter.predict`."""
        answers = [
            member.predict(embedded, prompt)
            for member, embedded in zip(self.members, embedding, strict=True)
        ]
        mean = np.mean([each.probabilities[:, :1] for each in answers], axis=0)
        return EnsemblePrediction(
            answers[0].masks[:, :1] if len(answers) == 1 else mean > 0.5,
            mean.astype(np.float32),
            np.mean([each.predicted_iou[:, :1] for each in answers], axis=0),
        )
