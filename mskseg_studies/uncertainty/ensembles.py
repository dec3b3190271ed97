"""Deep ensembles: the same training with other seeds, and several models as one segmenter."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mskseg.case import CaseSet
from mskseg.errors import InputError
from mskseg.evaluation.prediction import PromptableSegmenter
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import fine_tune
from mskseg.finetuning.result import FineTuneResult
from mskseg.models.segmenter import Segmenter
from mskseg.prompts import Prompt


class EnsemblePrediction(NamedTuple):
    """The mean answer of all members to N prompts, each array as in `Prediction`, one mask each."""

    masks: NDArray[np.bool_]  # where the mean probability is above one half
    probabilities: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]  # NaN if one of the members never learned it


class Ensemble:
    """Several segmenters as one (deep ensembles: Lakshminarayanan 2017, arXiv:1612.01474).

    With `NeighbourBox` the boxes come from what the members predict together. An ensemble of one is
    that model; `name` is by default the member's own, or "ensemble of 3: NAME".
    """

    def __init__(self, members: Sequence[PromptableSegmenter], *, name: str | None = None) -> None:
        self.members = tuple(members)
        if not self.members:
            raise InputError("expected an ensemble of one segmenter or more, got none")
        first, n = self.members[0].name, len(self.members)
        self.name = name or (first if n == 1 else f"ensemble of {n}: {first}")
        self.miniature = any(member.miniature for member in self.members)

    @property
    def prompt_kinds(self) -> frozenset[str]:
        """What all members answer."""
        return frozenset.intersection(*(member.prompt_kinds for member in self.members))

    def embed(self, image: NDArray[Any]) -> tuple[Any, ...]:
        """Encode one slice (H, W) with every member."""
        return tuple(member.embed(image) for member in self.members)

    def predict(self, embedding: tuple[Any, ...], prompt: Prompt, /) -> EnsemblePrediction:
        """Answer N prompts; as `mskseg.models.Segmenter.predict`."""
        predictions = [
            member.predict(embedded, prompt)
            for member, embedded in zip(self.members, embedding, strict=True)
        ]
        mean = np.mean([member.probabilities[:, :1] for member in predictions], axis=0)
        return EnsemblePrediction(
            predictions[0].masks[:, :1] if len(predictions) == 1 else mean > 0.5,
            mean.astype(np.float32),
            np.mean([member.predicted_iou[:, :1] for member in predictions], axis=0),
        )


def tune_ensemble(
    segmenter: Segmenter,
    train: CaseSet,
    validation: CaseSet,
    config: FineTuneConfig,
    *,
    seeds: Iterable[int],
    folder: str | Path | None = None,
    progress: bool = True,
) -> list[FineTuneResult]:
    """Tune one segmenter once for each seed, which replaces that of the configuration.

    All start from the same weights, so the members differ in the order of slices, in the objects
    drawn and in the jitter of the boxes only: they disagree less than networks that were trained
    from scratch, as in Lakshminarayanan 2017 (arXiv:1612.01474). They share its cache of
    embeddings: those tuned in their decoder have one encoder. In `folder` each keeps its state, as
    in `fine_tune`. InputError without a seed, or if one comes twice: two members would be one.
    """
    chosen = list(seeds)
    if not chosen or len(set(chosen)) != len(chosen):
        raise InputError(f"expected one seed or more, each once, got {chosen}")
    results = []
    for seed in chosen:
        seeded = replace(config, seed=seed)
        place = folder and Path(folder, f"{segmenter.name}-{config.mode}-{seed}")
        result = fine_tune(
            segmenter,
            train,
            validation,
            seeded,
            folder=place,
            cache=segmenter.cache,
            progress=progress,
        )
        result.segmenter.cache = segmenter.cache
        results.append(result)
    return results
