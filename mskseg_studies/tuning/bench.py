"""Many fine-tunings that are compared: each done once, kept, and scored on the same scans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mskseg.case import Case, CaseSet
from mskseg.evaluation.scoring import score_cases
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import OnEpoch, fine_tune
from mskseg.finetuning.result import FineTuneResult
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.plans import OracleBox, PromptPlan
from mskseg.splits import Part
from mskseg_studies.tuning.gains import ZERO_SHOT, dice_by_subject
from mskseg_studies.tuning.subsets import find_subset


class TuningBench:
    """Tunes on subsets, never twice on the same with the same settings.

    In `folder` each training keeps its state: an interrupted one is resumed, a finished one is
    read. `n_validation` subjects of the validation part select the epoch. All trainings and
    scorings share a cache: a slice is encoded once for each encoder.
    """

    def __init__(self, folder: str | Path, *, n_validation: int, progress: bool = True) -> None:
        self.folder = Path(folder)
        self.n_validation = n_validation
        self.progress = progress
        self.cache = EmbeddingCache()
        self._done: dict[str, FineTuneResult] = {}

    def __len__(self) -> int:
        return len(self._done)

    @property
    def segmenters(self) -> list[Segmenter]:
        """All that were tuned so far, for the provenance of what is made of them."""
        return [result.segmenter for result in self._done.values()]

    def tune(
        self,
        segmenter: Segmenter,
        subset: str,
        *,
        n_subjects: int,
        config: FineTuneConfig,
        on_epoch: OnEpoch | None = None,
    ) -> FineTuneResult:
        """Tune on the first subjects of a subset's training part, or return what was tuned before.

        `subset` is a name that `find_subset` takes, `on_epoch` as in `fine_tune`; InputError as
        `find_subset`, `Subset.load` and `fine_tune` raise it.
        """
        chosen = find_subset(subset)
        train = chosen.load("train", n_subjects=n_subjects, progress=self.progress)
        validation = chosen.load("validation", n_subjects=self.n_validation, progress=self.progress)
        key = _key(segmenter, train, validation, config)
        if key not in self._done:
            self._done[key] = fine_tune(
                segmenter,
                train,
                validation,
                config,
                folder=self.folder / key,
                progress=self.progress,
                cache=self.cache,
                on_epoch=on_epoch,
            )
            self._done[key].segmenter.cache = self.cache
        return self._done[key]


def score_parts(
    segmenter: Segmenter,
    parts: Mapping[Part, Sequence[Case]],
    *,
    training_subset: str = ZERO_SHOT,
    prompts: PromptPlan | None = None,
    slice_step: int = 1,
) -> pd.DataFrame:
    """Score every `slice_step`-th slice of several parts of a split, by tight oracle boxes.

    Gives the rows of `score_cases` with the columns `training_subset`, which is what the segmenter
    was tuned on, and `part` in front. `prompts` may be another plan than the boxes.
    """
    plan = OracleBox() if prompts is None else prompts
    tables = []
    for part, cases in parts.items():
        table = score_cases(segmenter, cases, prompts=plan, slice_step=slice_step, progress=False)
        table.insert(0, "part", part)
        table.insert(0, "training_subset", training_subset)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def mean_dice(
    segmenter: Segmenter,
    cases: Sequence[Case],
    *,
    prompts: PromptPlan | None = None,
    slice_step: int = 1,
) -> float:
    """Mean Dice over slices, then tissues, then subjects; parameters as of `score_parts`."""
    table = score_parts(segmenter, {"test": cases}, prompts=prompts, slice_step=slice_step)
    return float(dice_by_subject(table)["dice"].mean())


def keep_stale_iou(tuned: Segmenter) -> Segmenter:
    """Return a tuned segmenter that gives its predicted IoU although that was not tuned."""
    return Segmenter(
        tuned.model,
        tuned.preprocessing,
        name=f"{tuned.name}, with its stale IoU",
        miniature=tuned.miniature,
    )


def _key(segmenter: Segmenter, train: CaseSet, validation: CaseSet, config: FineTuneConfig) -> str:
    inputs = [segmenter.fingerprint, train.fingerprint(), validation.fingerprint()]
    return hashlib.sha256(json.dumps([*inputs, config.as_dict()]).encode()).hexdigest()[:16]
