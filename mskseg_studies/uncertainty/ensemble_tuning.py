"""Deep ensembles of fine-tunings: the same training again and again, with other seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mskseg.case import CaseSet
from mskseg.errors import InputError
from mskseg.finetuning.config import FineTuneConfig
from mskseg.finetuning.loop import fine_tune
from mskseg.finetuning.result import FineTuneResult
from mskseg.models.embeddings import EmbeddingCache
from mskseg.models.segmenter import Segmenter


def tune_ensemble(
    segmenter: Segmenter,
    train: CaseSet,
    validation: CaseSet,
    config: FineTuneConfig,
    *,
    seeds: Iterable[int],
    cache: EmbeddingCache | None = None,
    progress: bool = True,
) -> list[FineTuneResult]:
    """Tune one segmenter once for each seed.

    All start from the same weights, so the members differ in the order of slices, in the objects
    drawn and in the jitter of the boxes only: they disagree less than networks that were trained
    from scratch, as in Lakshminarayanan 2017 (arXiv:1612.01474).

    Parameters
    ----------
    segmenter : Segmenter
        Stays as it is.
    train, validation : CaseSet
    config : FineTuneConfig
        Its seed is replaced.
    seeds : iterable of int
        One for each member, each once.
    cache : EmbeddingCache, optional
        Shared by the members: those tuned in their decoder have one encoder.
    progress : bool
        Show bars.

    Returns
    -------
    list of FineTuneResult

    Raises
    ------
    InputError
        If there is no seed or one comes twice: its members would be the same model. And as
        `fine_tune`.
    """
    chosen = list(seeds)
    if not chosen or len(set(chosen)) != len(chosen):
        raise InputError(f"seeds {chosen} came, expected one or more, each once")
    shared = EmbeddingCache() if cache is None else cache
    results = []
    for seed in chosen:
        one = replace(config, seed=seed)
        result = fine_tune(segmenter, train, validation, one, cache=shared, progress=progress)
        result.segmenter.cache = shared
        results.append(result)
    return results
