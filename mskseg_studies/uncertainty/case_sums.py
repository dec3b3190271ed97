"""What is kept of the slices of a case: sums of fixed size, whatever the number of slices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskseg.evaluation.calibration import Calibration, foreground, outline_band
from mskseg.evaluation.multiclass import FLOOR, as_classes, temper
from mskseg.prompts import fill_boxes
from mskseg_studies.uncertainty.entropy import EntropyParts, entropy_parts, member_variance
from mskseg_studies.uncertainty.map_sources import SliceMaps
from mskseg_studies.uncertainty.selective import ErrorRanking

REGIONS = ("slice", "foreground", "band")
COVERAGES = tuple(np.linspace(0.05, 1.0, 20).round(2).tolist())


@dataclass(frozen=True, eq=False)
class CaseSums:
    """Sums over slices; add two to join what they saw.

    Attributes
    ----------
    regions : mapping of str to Calibration
        For each of `REGIONS`.
    ranking : ErrorRanking
        Of the foreground's entropy.
    overlap : (3, K) int64
        Pixels of each tissue: right ones, of the reference, of the prediction.
    doubt : (4,) float64
        Predictive, aleatoric, epistemic entropy and variance, summed over the foreground.
    n_clipped : int
        Pixels whose true class was at the floor before scaling, which lifts the floor.
    n_unprompted : int
        Pixels of the reference outside every box of their own tissue.
    n_slices : int
    """

    regions: Mapping[str, Calibration]
    ranking: ErrorRanking
    overlap: NDArray[np.int64]
    doubt: NDArray[np.float64]
    n_clipped: int
    n_unprompted: int
    n_slices: int

    def __add__(self, other: CaseSums) -> CaseSums:
        """Join two sums."""
        return CaseSums(
            {name: self.regions[name] + other.regions[name] for name in REGIONS},
            self.ranking + other.ranking,
            self.overlap + other.overlap,
            self.doubt + other.doubt,
            self.n_clipped + other.n_clipped,
            self.n_unprompted + other.n_unprompted,
            self.n_slices + other.n_slices,
        )

    def scores(self) -> dict[str, float]:
        """Columns of `UncertaintyTables.cases` that come from pixels."""
        whole, front, band = (self.regions[name] for name in REGIONS)
        both, reference, predicted = self.overlap
        size = reference + predicted
        dice = np.divide(2 * both, size, out=np.full(len(both), math.nan), where=size > 0)
        n = front.n
        doubt = self.doubt / n if n else np.full(4, math.nan)
        return {
            "dice": float(np.nanmean(dice)) if np.isfinite(dice).any() else math.nan,
            "ece_top_label": whole.ece,
            "ece_foreground": front.ece,
            "ece_band": band.ece,
            "nll": whole.nll,
            "nll_foreground": front.nll,
            "brier": whole.brier,
            "brier_foreground": front.brier,
            "auroc": self.ranking.auroc,
            **dict(zip(("entropy", "aleatoric", "epistemic", "variance"), doubt, strict=True)),
            "n_clipped": self.n_clipped,
            "n_unprompted": self.n_unprompted,
            "n_slices": self.n_slices,
            "n_pixels": whole.n,
            "n_foreground": n,
        }

    def bin_rows(self) -> list[dict[str, Any]]:
        """Rows of `UncertaintyTables.bins`."""
        return [
            {"region": name, "bin": number, "n": n, "confidence": confidence, "hits": hits}
            for name, region in self.regions.items()
            for number, (n, confidence, hits) in enumerate(
                zip(region.bins.n, region.bins.confidence, region.bins.hits, strict=True)
            )
        ]

    def curve_rows(self) -> list[dict[str, Any]]:
        """Rows of `UncertaintyTables.curves`."""
        risks = self.ranking.risk_at(COVERAGES)
        return [
            {"coverage": coverage, "risk": float(risk)}
            for coverage, risk in zip(COVERAGES, risks, strict=True)
        ]


def look_at(one: SliceMaps, temperature: float, *, band_mm: float, n_bins: int) -> CaseSums:
    """Measure one slice.

    Parameters
    ----------
    one : SliceMaps
    temperature : float
        1 leaves the probabilities as they are.
    band_mm, n_bins
        As `mskseg_studies.uncertainty.case_tables.measure_uncertainty`.
    """
    members = temper(one.members, temperature)
    mean = members.mean(axis=0)
    true = as_classes(np.asarray(one.case_slice.label_map), one.labels)
    front = foreground(mean, true)
    band = outline_band(true, spacing_mm=one.case_slice.spacing_mm, width_mm=band_mm)
    where = {"slice": None, "foreground": front, "band": band}
    regions = {
        name: Calibration.of(mean, true, where=region, n_bins=n_bins)
        for name, region in where.items()
    }
    predicted = mean.argmax(axis=0)
    # Only there is it looked at, and the logarithms of a whole slice would cost most of the time.
    parts, variance = _doubt_of(members[:, :, front])
    wrong = (predicted != true)[front]
    k = len(one.labels) + 1
    counts = [predicted[predicted == true], true, predicted]
    return CaseSums(
        regions,
        ErrorRanking.of(parts.predictive, wrong),
        np.stack([np.bincount(np.ravel(each), minlength=k)[1:] for each in counts]),
        np.array(
            [
                np.sum(each, dtype=np.float64)
                for each in (parts.predictive, parts.aleatoric, parts.epistemic, variance)
            ]
        ),
        int((_of_true(one.members.mean(axis=0), true) <= FLOOR).sum()),
        _count_unprompted(one, true),
        1,
    )


def _of_true(mean: NDArray[np.float32], true: NDArray[np.intp]) -> NDArray[np.float32]:
    """Probability (H, W) of the true class."""
    found: NDArray[np.float32] = np.take_along_axis(mean, true[None], axis=0)[0]
    return found


def _doubt_of(members: NDArray[np.float32]) -> tuple[EntropyParts, NDArray[np.float32]]:
    """Entropies and variance of chosen pixels (M, C, N)."""
    as_row = members[:, :, None, :]
    return entropy_parts(as_row), member_variance(as_row)


def _count_unprompted(one: SliceMaps, true: NDArray[np.intp]) -> int:
    """Pixels of the reference outside every box of their own tissue; 0 where none are given."""
    if not one.prompted:
        return 0
    missed = 0
    for number, label in enumerate(one.labels):
        of_tissue = true == number + 1
        boxes = one.boxes.get(label, np.empty((0, 4)))
        missed += int((of_tissue & ~fill_boxes(boxes, of_tissue.shape)).sum())
    return missed
