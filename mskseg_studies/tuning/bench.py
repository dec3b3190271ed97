"""Many fine-tunings that are compared: each done once, kept, and scored on the same scans."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mskseg.case import Case, CaseDescription
from mskseg.evaluation.scoring import COLUMNS, score_cases
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import OnEpoch, fine_tune
from mskseg.finetuning.result import FineTuneResult
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter
from mskseg.prompts.plans import OracleBox, PromptPlan
from mskseg.splits import Part
from mskseg_studies.people import role_of
from mskseg_studies.tuning.gains import ZERO_SHOT, dice_by_subject
from mskseg_studies.tuning.subsets import Subset


class TuningBench:
    """Tunes on subsets and scores, nothing twice with the same settings.

    In `folder` each training keeps its state: an interrupted one is resumed, a finished one is
    read. `n_validation` subjects of the validation part select the epoch. Of a scan of a part every
    `slice_steps[part]`-th slice is scored, all where a part is not named. All trainings and
    scorings share a cache: a slice is encoded once for each encoder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        n_validation: int,
        slice_steps: Mapping[Part, int] | None = None,
        progress: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.n_validation = n_validation
        self.slice_steps = dict(slice_steps or {})
        self.progress = progress
        self.cache = EmbeddingCache(max_memory_mb=2048)  # 512 slices of SAM
        self._done: dict[str, FineTuneResult] = {}
        self._seen: dict[int, tuple[Subset, list[CaseDescription]]] = {}  # by id of the result
        self._scored: dict[tuple[object, ...], pd.DataFrame] = {}

    def __len__(self) -> int:
        return len(self._done)

    @property
    def segmenters(self) -> list[Segmenter]:
        """All that were tuned so far, for the provenance of what is made of them."""
        return [result.segmenter for result in self._done.values()]

    def tune(
        self,
        segmenter: Segmenter,
        subset: Subset,
        *,
        n_subjects: int,
        config: FineTuneConfig,
        on_epoch: OnEpoch | None = None,
    ) -> FineTuneResult:
        """Tune on the first subjects of a subset's training part, or return what was tuned before.

        `on_epoch` as in `fine_tune`; InputError as `Subset.load` and `fine_tune` raise it.
        """
        train = subset.load("train", n_subjects=n_subjects, progress=self.progress)
        validation = subset.load("validation", n_subjects=self.n_validation, progress=self.progress)
        inputs = [segmenter.fingerprint, train.fingerprint(), validation.fingerprint()]
        known = json.dumps([*inputs, asdict(config)])
        key = hashlib.sha256(known.encode()).hexdigest()[:16]
        if key not in self._done:
            result = self._done[key] = fine_tune(
                segmenter,
                train,
                validation,
                config,
                folder=self.folder / key,
                progress=self.progress,
                cache=self.cache,
                on_epoch=on_epoch,
            )
            result.segmenter.cache = self.cache
            names = ("subject", "anatomy", "sequence", "dataset", "site")  # what roles go by
            seen = [{name: getattr(case, name) for name in names} for case in (*train, *validation)]
            self._seen[id(result)] = subset, [CaseDescription(**each) for each in seen]  # no voxels
        elif on_epoch is not None:  # a cell that is run again keeps its figure
            on_epoch(self._done[key].history)
        return self._done[key]

    def score(
        self,
        model: Segmenter | FineTuneResult,
        parts: Mapping[Part, Iterable[Case]],
        *,
        prompts: PromptPlan | None = None,
    ) -> pd.DataFrame:
        """Score parts of a split by tight oracle boxes, or by another plan.

        Of a model that `tune` gave, only what its subset asks for (`Subset.asks_for`). Gives the
        rows of `score_cases`, in front of them what the model was tuned on (`training_subset`,
        which is "zero-shot" for one that was not tuned here, and `chosen_by`), what the scan is to
        it (`role`, see `role_of`), and the `part`.
        """
        segmenter = model.segmenter if isinstance(model, FineTuneResult) else model
        subset, seen = self._seen.get(id(model), (None, []))
        plan, tables = prompts or OracleBox(), []
        for part, of_part in parts.items():
            cases = list(of_part) if subset is None else subset.asks_for(of_part, part=part)
            for case in cases:
                told = {
                    "training_subset": subset.name if subset else ZERO_SHOT,
                    "chosen_by": subset.chosen_by if subset else "",
                    "role": role_of(case, seen) if seen else "",
                    "part": part,
                }
                step = self.slice_steps.get(part, 1)
                key = segmenter.fingerprint, segmenter.name, case.name, plan, step
                if key not in self._scored:
                    self._scored[key] = score_cases(
                        segmenter, [case], prompts=plan, slice_step=step, progress=False
                    )
                table = self._scored[key]
                tables.append(pd.DataFrame(told, index=table.index).join(table))
        if not tables:
            return pd.DataFrame(columns=["training_subset", "chosen_by", "role", "part", *COLUMNS])
        return pd.concat(tables, ignore_index=True)

    def mean_dice(
        self,
        model: Segmenter | FineTuneResult,
        cases: Sequence[Case],
        *,
        part: Part = "test",
        prompts: PromptPlan | None = None,
    ) -> float:
        """Mean Dice over slices, then tissues, then subjects; parameters as of `score`."""
        table = self.score(model, {part: cases}, prompts=prompts)
        return float(dice_by_subject(table)["dice"].mean())
