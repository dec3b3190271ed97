"""ECE, NLL and Brier score: whether "80 per cent sure" is right in 80 per cent of cases.

Everything is a small sum over pixels that can be added to another (`+`), slice by slice.

Definitions, for pixels i with probabilities p_i over C classes and true class y_i:

* **top-label confidence** ``max_c p_ic``; it is a hit if the argmax is y_i. **ECE**: bins of equal
  width over 0 to 1, lower edge included, the last also at 1; sum over bins of
  ``n_b / n * |mean confidence - hit rate|`` (Naeini 2015; Guo 2017, equation 3);
* **NLL** ``mean(-log p_i,y_i)``, in nats, p not below `multiclass.FLOOR`; the
  pixels where that mattered are counted;
* **Brier** ``mean(sum_c (p_ic - [c = y_i])^2)``, 0 to 2 (Brier 1950).

**Where**: most of a slice is background that everybody gets right, with certainty. So tables have
two regions: `slice`, and `candidate`, where the map gives all tissues together more than
`CANDIDATE`. It asks the map alone: a region that asks the reference takes in pixels because they
are wrong (notebook 08 shows it). It does not see a tissue that was missed with certainty, so count
that part beside it (`reference_outside`); and slight doubt about all the air makes it large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mskseg.errors import InputError
from mskseg.evaluation.multiclass import FLOOR

N_BINS = 15
"""Bins of a reliability diagram, as Guo 2017 has them."""

CANDIDATE = 0.01
"""Probability of all tissues together above which a pixel is a candidate for one."""

BoolMask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Sums over bins of equal width, (B,) each; add two to join what they saw."""

    n: NDArray[np.int64]  # pixels (or masks) whose confidence lies in the bin
    confidence: Floats  # sum of their confidences
    hits: Floats  # sum of what came true: 1 for a right pixel, or the IoU of a mask

    @classmethod
    def of(cls, confidence: ArrayLike, hits: ArrayLike, *, n_bins: int = N_BINS) -> Self:
        """Sort confidences (N,) of 0 to 1 into bins, with what came true (N,); else InputError."""
        sure, true = np.ravel(confidence), np.ravel(hits)
        if n_bins < 1 or sure.shape != true.shape:
            raise InputError(
                "expected an outcome for each confidence, and one bin or more, got "
                f"{sure.size} confidences, {true.size} outcomes and {n_bins} bins"
            )
        if not ((sure >= 0) & (sure <= 1 + 1e-6)).all():
            raise InputError(
                "expected confidences of 0 to 1, got one outside or NaN; leave out what has none"
            )
        at = np.minimum((sure * n_bins).astype(np.intp), n_bins - 1)
        return cls(
            np.bincount(at, minlength=n_bins).astype(np.int64),
            np.bincount(at, weights=sure, minlength=n_bins).astype(np.float64),
            np.bincount(at, weights=true, minlength=n_bins).astype(np.float64),
        )

    def __add__(self, other: Self) -> Self:
        """Join two sums over the same bins."""
        if len(self.n) != len(other.n):
            raise InputError(
                f"expected sums over equally many bins, got {len(self.n)} and {len(other.n)}"
            )
        return type(self)(
            self.n + other.n, self.confidence + other.confidence, self.hits + other.hits
        )

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 to 1; NaN if nothing was seen."""
        total = int(self.n.sum())
        return float(np.abs(self.confidence - self.hits).sum() / total) if total else math.nan


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration and scores of some pixels; add two to join what they saw."""

    bins: ReliabilityBins  # of the top-label confidence
    nll_sum: float  # over the pixels, as the next one
    brier_sum: float
    n_clipped: int  # pixels whose true class had a probability at or below the floor

    @classmethod
    def of(
        cls,
        probabilities: ArrayLike,
        reference: ArrayLike,
        *,
        where: ArrayLike | None = None,
        n_bins: int = N_BINS,
    ) -> Self:
        """Sum up pixels, all or `where`, of probabilities (C, H, W) and classes (H, W) that fit."""
        maps, true = np.asarray(probabilities), np.asarray(reference)
        chosen = np.ones(true.shape, dtype=bool) if where is None else np.asarray(where, dtype=bool)
        _check_fit(maps, true, chosen)
        p, y = maps[:, chosen], true[chosen]
        of_true = np.take_along_axis(p, y[None], axis=0)[0].astype(np.float64)
        squares = np.square(p).sum(axis=0, dtype=np.float64)
        sure = np.minimum(p.max(axis=0), 1) if y.size else np.zeros(0)
        hits = p.argmax(axis=0) == y if y.size else np.zeros(0, dtype=bool)
        return cls(
            ReliabilityBins.of(sure, hits, n_bins=n_bins),
            float(-np.log(np.maximum(of_true, FLOOR)).sum()),
            # sum (p - y)^2 = sum p^2 - 2 p_true + 1
            float((squares - 2 * of_true + 1).sum()),
            int((of_true <= FLOOR).sum()),
        )

    def __add__(self, other: Self) -> Self:
        """Join two sums."""
        return type(self)(
            self.bins + other.bins,
            self.nll_sum + other.nll_sum,
            self.brier_sum + other.brier_sum,
            self.n_clipped + other.n_clipped,
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


def _check_fit(maps: NDArray[np.floating], true: NDArray[np.intp], chosen: BoolMask) -> None:
    if maps.ndim != 3 or maps.shape[1:] != true.shape or chosen.shape != true.shape:
        raise InputError(
            "expected probabilities (C, H, W), a reference (H, W) and a region (H, W), got "
            f"{maps.shape}, {true.shape} and {chosen.shape}"
        )
    if true.size and not 0 <= true.min() <= true.max() < len(maps):
        raise InputError(
            f"the reference holds classes {true.min()} to {true.max()} and the probabilities "
            f"{len(maps)} classes; number the tissues with `as_classes`"
        )
