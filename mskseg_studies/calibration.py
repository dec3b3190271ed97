"""ECE, NLL and Brier score: whether "80 per cent sure" is right in 80 per cent of cases.

Everything is a small sum over pixels that can be added to another (`+`), slice by slice.

Definitions, for pixels i with probabilities p_i over C classes and true class y_i:

* **top-label confidence** ``max_c p_ic``; it is a hit if the argmax is y_i. **ECE**: bins of equal
  width over 0 to 1, lower edge included, the last also at 1; sum over bins of
  ``n_b / n * |mean confidence - hit rate|`` (Naeini 2015; Guo 2017, equation 3);
* **NLL** ``mean(-log p_i,y_i)``, in nats, p not below `FLOOR`; the pixels where that mattered are
  counted;
* **Brier** ``mean(sum_c (p_ic - [c = y_i])^2)``, 0 to 2 (Brier 1950).

**Where**: most of a slice is background that everybody gets right, with certainty. So tables have
two regions: `slice`, and `candidate`, where the map gives all tissues together more than
`CANDIDATE`. It asks the map alone: a region that asks the reference takes in pixels because they
are wrong (notebook 08 shows it). It does not see a tissue that was missed with certainty, so count
that part beside it (`reference_outside`); and slight doubt about all the air makes it large.

**The map** of a promptable model, which answers each box on its own, follows a rule:

1. a tissue's logit is the maximum over its prompts (one for each connected component), where a
   logit is ``log(p / (1 - p))`` of the probability that the segmenter gives;
2. the background's logit is 0;
3. softmax over the tissues' logits and the background's.

With one tissue this gives the segmenter's own probability and mask back. Logits are kept within
those of `FLOOR` and ``1 - FLOOR``, as for a tissue without a prompt (`Calibration.n_clipped`).
Arrays are ``(C, H, W)``: class 0 the background, then the tissues in the order of `labels`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError

N_BINS = 15
"""Bins of a reliability diagram, as Guo 2017 has them."""

FLOOR = 1e-6
"""Smallest probability of a tissue: an NLL of 13.8 for a pixel without a prompt."""

TOLERANCE = 1e-3
"""How far a pixel's probabilities may be from 1 in sum; half precision needs half of it."""

CANDIDATE = 0.01
"""Probability of all tissues together above which a pixel is a candidate for one."""

BoolMask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over pixels, each in a field; add two to join what they saw."""

    def __add__(self, other: Self) -> Self:
        """Join two sums of one kind, field by field."""
        theirs = vars(other)
        return replace(self, **{name: mine + theirs[name] for name, mine in vars(self).items()})


@dataclass(frozen=True, eq=False)
class ReliabilityBins(Sums):
    """Sums over bins of equal width, (B,) each."""

    n: NDArray[np.int64]  # pixels whose confidence lies in the bin
    confidence: Floats  # sum of their confidences
    hits: Floats  # sum of what came true: 1 for a right pixel

    @classmethod
    def of(cls, confidence: ArrayLike, hits: ArrayLike) -> Self:
        """Sort confidences (N,) of 0 to 1 into bins, with what came true (N,); else InputError."""
        sure, true = np.ravel(confidence), np.ravel(hits)
        if not ((sure >= 0) & (sure <= 1 + 1e-6)).all():
            raise InputError(
                "expected confidences of 0 to 1, got one outside or NaN; leave out what has none"
            )
        at = np.minimum((sure * N_BINS).astype(np.intp), N_BINS - 1)
        return cls(
            np.bincount(at, minlength=N_BINS).astype(np.int64),
            np.bincount(at, weights=sure, minlength=N_BINS).astype(np.float64),
            np.bincount(at, weights=true, minlength=N_BINS).astype(np.float64),
        )

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 to 1; NaN if nothing was seen."""
        total = int(self.n.sum())
        return float(np.abs(self.confidence - self.hits).sum() / total) if total else math.nan


@dataclass(frozen=True, eq=False)
class Calibration(Sums):
    """Calibration and scores of some pixels."""

    bins: ReliabilityBins  # of the top-label confidence
    nll_sum: float  # over the pixels, as the next one
    brier_sum: float
    n_clipped: int  # pixels whose true class had a probability at or below the floor

    @classmethod
    def of(
        cls, probabilities: ArrayLike, reference: ArrayLike, *, where: ArrayLike | None = None
    ) -> Self:
        """Sum up pixels, all or `where`, of probabilities (C, H, W) and classes (H, W) that fit."""
        maps, true = np.asarray(probabilities), np.asarray(reference)
        chosen = np.ones(true.shape, dtype=bool) if where is None else np.asarray(where, dtype=bool)
        p, y = maps[:, chosen], true[chosen]
        of_true = np.take_along_axis(p, y[None], axis=0)[0].astype(np.float64)
        squares = np.square(p).sum(axis=0, dtype=np.float64)
        sure = np.minimum(p.max(axis=0), 1) if y.size else np.zeros(0)
        hits = p.argmax(axis=0) == y if y.size else np.zeros(0, dtype=bool)
        return cls(
            ReliabilityBins.of(sure, hits),
            float(-np.log(np.maximum(of_true, FLOOR)).sum()),
            # sum (p - y)^2 = sum p^2 - 2 p_true + 1
            float((squares - 2 * of_true + 1).sum()),
            int((of_true <= FLOOR).sum()),
        )

    @property
    def n(self) -> int:
        """Pixels seen."""
        return int(self.bins.n.sum())

    @property
    def ece(self) -> float:
        """Expected calibration error of the top label; NaN without a pixel."""
        return self.bins.ece

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood, in nats; NaN without a pixel."""
        return self.nll_sum / self.n if self.n else math.nan

    @property
    def brier(self) -> float:
        """Mean Brier score, 0 to 2; NaN without a pixel."""
        return self.brier_sum / self.n if self.n else math.nan


def candidate_region(probabilities: ArrayLike) -> BoolMask:
    """Find the pixels (H, W) of a map (C, H, W) that may be a tissue, by the map alone."""
    candidates: BoolMask = 1 - np.asarray(probabilities)[0] > CANDIDATE
    return candidates


def multiclass_probabilities(
    probabilities: ArrayLike, prompt_labels: Sequence[int], *, labels: Sequence[int]
) -> Maps:
    """Join (N, H, W) of single prompts by the rule of this module to (1 + K, H, W) float32."""
    of_prompts = np.asarray(probabilities, dtype=np.float32)
    if not labels or len(set(labels)) != len(labels) or 0 in labels:
        raise InputError(
            "expected one tissue or more, each once, without 0, which is the background, got "
            f"labels {tuple(labels)}"
        )
    # exp(logit p) is p / (1 - p): the softmax needs no logarithm.
    odds = np.full((1 + len(labels), *of_prompts.shape[1:]), _odds(np.float32(0)), dtype=np.float32)
    odds[0] = 1.0
    for probability, label in zip(of_prompts, prompt_labels, strict=True):
        of_label = odds[1 + labels.index(label)]
        np.maximum(of_label, _odds(probability), out=of_label)
    joined: Maps = odds / odds.sum(axis=0)
    return joined


def checked_probabilities(
    probabilities: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
    what: str = "a map",
) -> Maps:
    """Validate probabilities that sum to one over two classes or more; return them as float32.

    They are a map or a stack of maps, (..., C, H, W), or have the `shape` that is expected, whose
    first axis is the class. `what` names them in the InputError, which is raised for another shape,
    fewer than two classes, values outside 0 to 1, or a sum that is not 1.
    """
    maps = np.asarray(probabilities, dtype=np.float32)
    if shape is not None and maps.shape != shape:
        raise InputError(
            f"the probabilities of {what} have the shape {maps.shape}, expected {shape}; give "
            "those of this run, background first"
        )
    axis = 0 if shape is not None else -3
    if maps.ndim < 3 or maps.shape[axis] < 2:
        raise InputError(
            f"the probabilities of {what} have the shape {maps.shape}, expected (classes, rows, "
            "columns) with the background as class 0; a single tissue needs two classes"
        )
    if not ((maps >= 0) & (maps <= 1 + TOLERANCE)).all():
        raise InputError(
            f"the probabilities of {what} go from {maps.min():.3g} to {maps.max():.3g}, expected 0 "
            "to 1 and no NaN; give a softmax, not logits"
        )
    sums = maps.sum(axis=axis, dtype=np.float64)
    off = np.abs(sums - 1)
    if off.size and off.max() > TOLERANCE:
        worst = sums.flat[off.argmax()]
        raise InputError(
            f"the probabilities of {what} sum to {worst:.3g} in a voxel, expected 1; give the "
            "softmax over the classes, background included"
        )
    return maps


def temper(probabilities: ArrayLike, temperature: float) -> Maps:
    """Divide the logits of (..., C, H, W) by a temperature above 0 (Guo 2017, equation 9)."""
    if not 0 < temperature < np.inf:
        raise InputError(f"expected a temperature above 0 (1 changes nothing), got {temperature}")
    maps = np.asarray(probabilities, dtype=np.float32)
    if temperature == 1:
        return maps
    raised = np.power(maps, np.float32(1 / temperature))
    tempered: Maps = raised / raised.sum(axis=-3, keepdims=True)
    return tempered


def as_classes(label_map: ArrayLike, labels: Sequence[int]) -> NDArray[np.intp]:
    """Turn the labels of a map (H, W) into classes 1, 2, ...; every other label becomes 0."""
    given = np.asarray(label_map)
    classes = np.zeros(given.shape, dtype=np.intp)
    for number, label in enumerate(labels):
        classes[given == label] = number + 1
    return classes


def _odds(probability: Maps | np.float32) -> Maps:
    kept = np.clip(probability, np.float32(FLOOR), np.float32(1 - FLOOR))
    return kept / (1 - kept)
