"""ECE, NLL and Brier score: whether "80 per cent sure" is right in 80 per cent of cases.

Everything is a small sum over pixels that can be added to another (`+`), slice by slice.

Definitions, for pixels i with probabilities p_i over C classes and true class y_i:

* **top-label confidence** ``max_c p_ic``; it is a hit if the argmax is y_i. **ECE**: bins of equal
  width over 0 to 1, lower edge included, the last also at 1; sum over bins of
  ``n_b / n * |mean confidence - hit rate|`` (Naeini 2015; Guo 2017, equation 3);
* **NLL** ``mean(-log p_i,y_i)``, in nats, p not below `multiclass.FLOOR`; the
  pixels where that mattered are counted;
* **Brier** ``mean(sum_c (p_ic - [c = y_i])^2)``, 0 to 2 (Brier 1950; half of it is what other
  packages call Brier for two classes).

**Where**: most of a slice is background that everybody gets right, with certainty; over the *whole
slice* any model looks calibrated. So the tables have three regions:
`slice`; `foreground`, pixels that the reference **or** the prediction gives to a tissue (the
reference alone would hide false alarms); and `band`, pixels near an outline of the reference, in
millimetres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mskseg.errors import InputError
from mskseg.evaluation.multiclass import FLOOR
from mskseg.evaluation.surfaces import checked_spacing

N_BINS = 15
"""Bins of a reliability diagram, as Guo 2017 has them."""

BoolMask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Sums over bins of equal width; add two to join what they saw.

    Attributes
    ----------
    n : (B,) int64
        Pixels (or masks) whose confidence lies in the bin.
    confidence : (B,) float64
        Sum of their confidences.
    hits : (B,) float64
        Sum of what came true: 1 for a right pixel, or the IoU of a mask.
    """

    n: NDArray[np.int64]
    confidence: Floats
    hits: Floats

    @classmethod
    def of(cls, confidence: ArrayLike, hits: ArrayLike, *, n_bins: int = N_BINS) -> Self:
        """Sort confidences (N,) of 0 to 1 into bins, with what came true (N,), 0 to 1.

        Raises InputError if the lengths differ, a confidence lies outside, or there is no bin.
        """
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
    """Calibration and scores of some pixels; add two to join what they saw.

    Attributes
    ----------
    bins : ReliabilityBins
        Of the top-label confidence.
    nll_sum, brier_sum : float
        Sums over the pixels.
    n_clipped : int
        Pixels whose true class had a probability at or below the floor.
    """

    bins: ReliabilityBins
    nll_sum: float
    brier_sum: float
    n_clipped: int

    @classmethod
    def of(
        cls,
        probabilities: ArrayLike,
        reference: ArrayLike,
        *,
        where: ArrayLike | None = None,
        n_bins: int = N_BINS,
    ) -> Self:
        """Sum up the pixels of a slice, all or those at `where` (H, W).

        `probabilities` (C, H, W) sum to one (`multiclass.checked_probabilities`), `reference`
        (H, W) holds classes 0 to C - 1 (`multiclass.as_classes`). InputError if they do not fit.
        """
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


def foreground(probabilities: ArrayLike, reference: ArrayLike) -> BoolMask:
    """Find the pixels (H, W) that the reference or the prediction (C, H, W) gives to a tissue."""
    tissue: BoolMask = (np.asarray(probabilities).argmax(axis=0) > 0) | (np.asarray(reference) > 0)
    return tissue


def outline_band(
    reference: ArrayLike, *, spacing_mm: tuple[float, float], width_mm: float
) -> BoolMask:
    """Find the pixels near an outline of the reference (H, W), between tissues as well.

    `width_mm` is the distance, on either side, from the centre of a pixel to that of the nearest
    pixel that has a neighbour (left, right, above, below) of another label. InputError if it is
    negative, or the array or the spacing is not that of a slice.
    """
    labels = np.asarray(reference)
    spacing = checked_spacing(spacing_mm, ndim=2)
    if labels.ndim != 2 or not width_mm >= 0:
        raise InputError(
            f"expected a slice (H, W) and a width of 0 mm or more, got a map of shape "
            f"{labels.shape} and {width_mm} mm"
        )
    edge = np.zeros(labels.shape, dtype=bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    if not edge.any():
        return edge
    distance = ndimage.distance_transform_edt(~edge, sampling=spacing)
    near: BoolMask = distance <= width_mm * (1 + 1e-9)
    return near


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
